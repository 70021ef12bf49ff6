"""A run that predicts a signal is judged by listener and song, beside baselines that hear and references that know."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from runs_helpers import run_of, trained
from tympan.reports import terminal
from tympan.runs.compare import compare
from tympan.runs.prepare import prepare
from tympan.runs.references import References
from tympan.runs.train import Result

SECTIONS: dict[str, Any] = {
    "data": {"type": "user_parts.crowd", "sample_rate": 2000, "duration": 12.0, "songs": 40, "listeners": 40},
    "features": {"type": "mel", "n_mels": 8, "window": 0.1, "hop": 0.05, "normalize": "none", "standardize": "none"},
    "model": {"type": "cnn", "width": 4, "stride": 1},
    "target": {"type": "continuous", "quantities": {"level": "uS"}, "rate": 4.0},
    "metrics": {"validation": ["mae"], "test": ["mae", "pearson"]},
    "split": {"ratios": [0.6, 0.1, 0.3]},
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Result]:
    data = {**SECTIONS["data"], "halves": 2}
    yield trained(tmp_path_factory.mktemp("signals"), **{**SECTIONS, "data": data})


def test_everybody_who_answers_is_in_the_table(result: Result) -> None:
    baselines = {f"baseline/{name}" for name in ("mean", "mean_curve", "lagged_ridge", "shuffled_song")}
    references = {f"reference/{name}" for name in ("population", "other_listeners", "persistence")}
    assert set(result.metrics["test"]) == {"model", *baselines, *references}
    figure = result.metrics["test"]["model"]["level"]["mae"]
    songs = json.loads((result.folder / "split.json").read_text())["test"]["groups"]
    assert figure["clusters"]["song"] == songs and figure["clusters"]["listener"] == figure["groups"]


def test_the_lagged_ridge_finds_what_the_song_does_to_all(result: Result) -> None:
    test = result.metrics["test"]
    ridge, level = (test[f"baseline/{name}"]["level"]["mae"]["value"] for name in ("lagged_ridge", "mean"))
    ceiling = test["reference/population"]["level"]["mae"]["value"]
    assert ceiling == pytest.approx(2 * np.sqrt(2 / np.pi), rel=0.05)
    assert ceiling < ridge < ceiling + 0.2 * (level - ceiling)


def test_differences_skill_and_chance_are_kept_and_shown(result: Result, tmp_path: Path) -> None:
    test = result.metrics["test"]
    model, mean = (test[who]["level"]["mae"] for who in ("model", "baseline/mean"))
    assert mean["difference"]["value"] == pytest.approx(model["value"] - mean["value"])
    assert mean["difference"]["low"] < mean["difference"]["value"] < mean["difference"]["high"]
    room = test["reference/population"]["level"]["mae"]["value"] - mean["value"]
    assert mean["skill"]["value"] == pytest.approx((model["value"] - mean["value"]) / room)
    assert mean["skill"]["ceiling"] == "reference/population"
    assert test["baseline/shuffled_song"]["level"]["mae"]["permutations"] == 999
    with (tmp_path / "told").open("w") as out:
        terminal.render(result.metrics, Console(file=out, width=120))
    told = (tmp_path / "told").read_text()
    assert " p=" in told and "Skill in mae" in told and "ceiling reference/population" in told
    page = (result.folder / "report" / "index.html").read_text()
    assert "Skill in mae" in page and "Skill in mae" in (result.folder / "model" / "README.md").read_text()


def test_corpora_are_scored_apart_and_together(result: Result) -> None:
    both, one, two = (result.metrics[split]["model"]["level"]["mae"] for split in ("test", "test/c0", "test/c1"))
    assert one["n"] + two["n"] == both["n"] and one["groups"] + two["groups"] == both["groups"]
    weighted = (one["value"] * one["groups"] + two["value"] * two["groups"]) / both["groups"]
    assert both["value"] == pytest.approx(weighted)
    assert "c0, test part" in (result.folder / "report" / "index.html").read_text()


def test_a_run_compared_with_itself_has_the_same_figures_and_no_difference(result: Result) -> None:
    (pair,) = compare([result.folder, result.folder], resamples=200).pairs
    for line in pair.lines:
        assert line.difference.first == pytest.approx(result.metrics["test"]["model"]["level"][line.metric]["value"])
        assert (line.difference.low, line.difference.high) == (0, 0)


def test_predictions_hold_the_groups_that_are_drawn(result: Result) -> None:
    table = pq.read_table(result.paths["predictions"])
    assert set(table["clusters"][0].as_py()) == {"listener", "song"}
    assert table["time"].to_pylist()[:3] == [0.0, 0.25, 0.5]


def test_references_of_a_signal_are_what_others_show_and_what_was_true_before(tmp_path: Path) -> None:
    run = run_of(tmp_path, **SECTIONS)
    prepared = prepare(run, run.divide()[0])
    references, source = References(prepared), prepared.source
    example = source[0]
    truth = {"target": {"level": np.asarray(example.values["level"], float)[None]}}
    found = references(example, truth)["target"]
    persistence = found["reference/persistence"]["level"][0]
    assert np.isnan(persistence[0]) and np.array_equal(persistence[1:], truth["target"]["level"][0, :-1])
    mine = source.describe(0).groups
    others = [i for i in range(len(source)) if source.describe(i).groups["song"] == mine["song"]
              and source.describe(i).groups["listener"] != mine["listener"]]  # fmt: skip
    right = np.mean([source.values(i)["level"] for i in others], axis=0)
    assert len(others) >= 2
    assert found["reference/other_listeners"]["level"][0] == pytest.approx(right, abs=1e-4)
