"""Two runs are compared on what both have answered, by draws of groups that both see."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from tympan.cli import app
from tympan.objectives import Metric
from tympan.objectives.paired import differences
from tympan.objectives.targets.categorical import Categorical
from tympan.objectives.targets.continuous import Continuous
from tympan.reports.comparison import Comparison
from tympan.runs import compare as runs_compare
from tympan.runs import metrics as figures_of
from tympan.runs.evaluate import Evaluation
from tympan.runs.metrics import write
from tympan.runs.said import said_of

IDS = [f"r{i}" for i in range(60)]
GROUPS = {id: f"g{i % 20}" for i, id in enumerate(IDS)}
TRUTH = dict(zip(IDS, 0.3 + 0.2 * np.random.default_rng(0).random(60), strict=True))


def answers(noise: float, seed: int, ids: Iterable[str] = IDS) -> dict[str, float]:
    """What a model with errors of that size (m) says of the diameter."""
    rng = np.random.default_rng(seed)
    every = dict(zip(IDS, noise * rng.normal(size=60), strict=True))
    return {id: TRUTH[id] + every[id] for id in ids}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a finished run's folder from what it has said, with the package's own writer (and few draws)."""
    monkeypatch.setattr(figures_of, "summarise", partial(figures_of.summarise, resamples=200))

    def make(name: str, *said: Mapping[str, float], part: str = "test", truth: Mapping[str, float] = TRUTH,
             groups: Mapping[str, str] = GROUPS, train: Iterable[str] = ("t1", "t2"), unit: str = "m",
             more: Mapping[str, Any] | None = None) -> Path:  # fmt: skip
        folder = tmp_path / name
        folder.mkdir()
        target = Continuous.model_validate({"quantities": {"diameter": unit}})
        repeats = []
        for one in said:
            evaluation = Evaluation(units={"diameter": {"mae": unit, "pearson": ""}})
            figures = {("target", m): Metric.find(m)().start(["diameter"]) for m in ("mae", "pearson")}
            for id, value in one.items():
                decoded, right = ({"diameter": np.full((1, 1), x)} for x in (value, truth[id]))
                for accumulator in figures.values():
                    accumulator.update({k: v[None] for k, v in decoded.items()},
                                       {k: v[None] for k, v in right.items()}, [id], [groups[id]])  # fmt: skip
                evaluation.predictions += said_of(target, id, groups[id], (), decoded, right)
            evaluation.accumulators["model"] = figures
            repeats.append(evaluation)
        write(folder, {part: repeats})
        split = {"sha256": name, "train": {"ids": list(train)}, "validation": {"ids": []}, "test": {"ids": []}}
        split["validation" if part == "validation" else "test"] = {"ids": list(said[0])}
        (folder / "split.json").write_text(json.dumps(split))
        metrics = {"train": [], "validation": None, "test": [{"type": "mae"}, {"type": "pearson"}]}
        target_of = {"type": "continuous", "quantities": {"diameter": unit}}
        with (folder / "run.yaml").open("w") as out:
            YAML().dump({"name": name, "target": target_of, "metrics": metrics, **(more or {})}, out)
        (folder / "summary.json").write_text(json.dumps({"seconds": 12.5, "parameters": 99, "members": []}))
        return folder

    return make


def compare(folders: list[Path], resamples: int = 200, **options: Any) -> Comparison:
    """With few draws, which are quick."""
    return runs_compare.compare(folders, resamples=resamples, **options)


def line(folders: list[Path], metric: str = "mae", **options: Any) -> Any:
    return next(found for found in compare(folders, **options).pairs[-1].lines if found.metric == metric)


def test_the_interval_is_that_of_a_paired_bootstrap_by_hand(made: Callable[..., Path]) -> None:
    one, two = answers(0.05, 1), answers(0.03, 2)
    found = line([made("one", one), made("two", two)], resamples=2000)
    errors = np.array([abs(two[id] - TRUTH[id]) - abs(one[id] - TRUTH[id]) for id in IDS])
    members = [[i for i, id in enumerate(IDS) if GROUPS[id] == g] for g in sorted(set(GROUPS.values()))]
    rng = np.random.default_rng(99)  # other draws: the interval may not depend on them by more than chance
    draws = [errors[[i for g in rng.integers(20, size=20) for i in members[g]]].mean() for _ in range(4000)]
    low, high = np.percentile(draws, (2.5, 97.5))
    assert found.difference.value == pytest.approx(errors.mean())
    width = high - low
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high), abs=0.06 * width)
    assert found.difference.better == pytest.approx(np.mean(np.array(draws) < 0), abs=0.02)
    assert (found.difference.n, found.difference.groups) == (60, 20)


def test_pairing_is_narrower_than_two_intervals(made: Callable[..., Path]) -> None:
    """Two models that err alike differ surely, though neither figure is sure by itself."""
    one = answers(0.05, 1)
    two = {id: TRUTH[id] + 0.93 * (value - TRUTH[id]) for id, value in one.items()}
    folders = [made("one", one), made("two", two)]
    own = json.loads((folders[1] / "metrics.json").read_text())["test"]["model"]["diameter"]["mae"]
    found = line(folders)
    assert own["low"] < found.difference.first < own["high"]
    assert found.verdict == "better"


def test_swapping_the_runs_turns_the_sign_and_the_words(made: Callable[..., Path]) -> None:
    folders = [made("one", answers(0.05, 1)), made("two", answers(0.02, 2))]
    for metric in ("mae", "pearson"):
        there, back = line(folders, metric), line(folders[::-1], metric)
        assert there.difference.value == -back.difference.value
        assert there.difference.low == pytest.approx(-back.difference.high)
        assert there.difference.high == pytest.approx(-back.difference.low)
        assert there.difference.better == pytest.approx(1 - back.difference.better)
        assert (there.verdict, back.verdict) == ("better", "worse")


def test_a_run_against_itself_is_equal(made: Callable[..., Path]) -> None:
    folder = made("one", answers(0.05, 1))
    found = line([folder, folder])
    assert (found.difference.value, found.difference.low, found.difference.high) == (0, 0, 0)
    assert found.difference.better == 0.5
    assert found.verdict == "equal"


def test_figures_are_those_of_metrics_json_where_all_is_common(made: Callable[..., Path]) -> None:
    folders = [made("one", answers(0.05, 1), answers(0.04, 3)), made("two", answers(0.04, 2))]
    for metric in ("mae", "pearson"):
        found = line(folders, metric)
        own = [json.loads((f / "metrics.json").read_text())["test"]["model"]["diameter"][metric] for f in folders]
        assert (found.difference.first, found.difference.second) == pytest.approx((own[0]["value"], own[1]["value"]))
        assert found.unit == own[0]["unit"]


def test_recordings_of_one_run_alone_are_left_out_and_counted(made: Callable[..., Path]) -> None:
    one, two = answers(0.05, 1, IDS[:50]), answers(0.04, 2, IDS[20:])
    (pair,) = compare([made("one", one), made("two", two)]).pairs
    assert pair.lines[0].difference.n == 30
    assert pair.lines[0].difference.first == pytest.approx(np.mean([abs(one[i] - TRUTH[i]) for i in IDS[20:50]]))
    assert pair.notes[:3] == [
        "Compared on 30 recordings in 20 groups that both have answered.",
        "20 recordings that only one has answered are left out.",
        "10 recordings that only two has answered are left out.",
    ]


def test_below_eight_groups_nothing_is_called_better(made: Callable[..., Path]) -> None:
    few = {id: f"g{i % 7}" for i, id in enumerate(IDS)}
    found = line([made("one", answers(0.1, 1), groups=few), made("two", answers(0.001, 2), groups=few)])
    assert (found.difference.low, found.difference.better) == (None, None)
    assert found.difference.note == "no interval: 7 groups, fewer than 8"
    assert found.verdict == "cannot be told"
    assert found.difference.value < 0


def test_the_coarser_groups_are_drawn(made: Callable[..., Path]) -> None:
    alone = {id: id for id in IDS}
    folders = [made("one", answers(0.05, 1), groups=alone), made("two", answers(0.04, 2))]
    assert line(folders).difference.groups == line(folders[::-1]).difference.groups == 20


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unit": "mm"}, "its unit is 'm' in one and 'mm' in two"),
        ({"truth": {**TRUTH, "r7": 0.9}}, "diameter of r7: the truth is"),
        ({"part": "validation"}, "no part in common"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(made: Callable[..., Path], change: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        compare([made("one", answers(0.05, 1)), made("two", answers(0.04, 2), **change)])


def test_nothing_in_common_is_refused(made: Callable[..., Path], tmp_path: Path) -> None:
    one, two = made("one", answers(0.05, 1, IDS[:30])), made("two", answers(0.04, 2, IDS[30:]))
    with pytest.raises(ValueError, match="one and two have no recording in common"):
        compare([one, two])
    with pytest.raises(ValueError, match="two runs or more"):
        compare([one])
    with pytest.raises(FileNotFoundError, match=r"metrics.json is missing"):
        compare([one, tmp_path / "absent"])


def test_truths_that_were_scaled_differently_are_the_same(made: Callable[..., Path]) -> None:
    rounded = {id: float(np.float32(value * 0.37) / np.float32(0.37)) for id, value in TRUTH.items()}
    assert rounded != TRUTH
    folders = [made("one", answers(0.05, 1)), made("two", answers(0.04, 2), truth=rounded)]
    assert line(folders).difference.n == 60


def test_training_on_what_is_compared_is_said_and_never_called_fair(made: Callable[..., Path]) -> None:
    one = made("one", answers(0.05, 1))
    two = made("two", answers(0.001, 2), train=["r3", "r4", "t9"])
    (pair,) = compare([one, two]).pairs
    assert {found.verdict for found in pair.lines} == {"not fair"}
    (alarm,) = pair.alarms
    assert "two was trained on what it is compared on: 2 of the 60" in alarm
    assert "4 more are in one group" in alarm  # 60 recordings in 20 groups: two others for each of the two


def test_a_run_whose_own_figures_are_not_fair_is_never_called_better(made: Callable[..., Path]) -> None:
    one, two = made("one", answers(0.05, 1)), made("two", answers(0.001, 2))
    told = json.loads((two / "summary.json").read_text())
    (two / "summary.json").write_text(json.dumps({**told, "alarms": ["its weights had heard the test part"]}))
    for folders in ([one, two], [two, one]):
        (pair,) = compare(folders).pairs
        assert pair.alarms == ["two: its weights had heard the test part"]
        assert {found.verdict for found in pair.lines} == {"not fair"}


def test_a_group_that_one_run_kept_together_and_the_other_divided_is_found(made: Callable[..., Path]) -> None:
    alone = {id: id for id in IDS}
    one = made("one", answers(0.05, 1))
    two = made("two", answers(0.01, 2, IDS[:50]), groups=alone, train=IDS[50:])
    (pair,) = compare([one, two]).pairs
    assert "0 of the 50 recordings compared are in its training part, and 20 more are in one group" in pair.alarms[0]
    assert not compare([two, made("three", answers(0.05, 1, IDS[:50]), groups=alone)]).pairs[0].alarms


def test_folds_train_on_each_other_and_only_the_model_that_answered_counts(made: Callable[..., Path]) -> None:
    def folds(name: str, *parts: list[str]) -> Path:
        folder = made(name, answers(0.05, 1), part="out_of_fold")
        members = [f"fold-{i}" for i in range(len(parts))]
        for member, test in zip(members, parts, strict=True):
            (folder / member).mkdir()
            (folder / member / "run.yaml").write_text((folder / "run.yaml").read_text())
            split = {"sha256": str(test), "train": {"ids": [id for id in IDS if id not in test]}, "test": {"ids": test}}
            (folder / member / "split.json").write_text(json.dumps(split))
        (folder / "split.json").unlink()
        (folder / "summary.json").write_text(json.dumps({"members": members}))
        return folder

    halves = [[id for id in IDS if int(GROUPS[id][1:]) % 2 == half] for half in (0, 1)]
    (pair,) = compare([folds("one", *halves), folds("two", *halves)]).pairs
    assert not pair.alarms
    assert pair.part == "out_of_fold"
    assert not any("differ" in note for note in pair.notes)
    (pair,) = compare([folds("three", *halves), folds("four", IDS[:30], IDS[30:])]).pairs
    assert "four was trained on what it is compared on: 0 of the 60" in pair.alarms[0]


def test_other_splits_are_said(made: Callable[..., Path]) -> None:
    one, two = made("one", answers(0.05, 1)), made("two", answers(0.04, 2))
    (pair,) = compare([one, two]).pairs
    assert any("The splits of one and two differ" in note for note in pair.notes)
    (pair,) = compare([one, one]).pairs
    assert not any("differ" in note for note in pair.notes)


def test_what_differs_in_the_configurations_is_listed_by_dotted_name(made: Callable[..., Path]) -> None:
    one = made("one", answers(0.05, 1), more={"optimizer": {"learning_rate": 0.1, "name": "adam"}})
    two = made("two", answers(0.04, 2), more={"optimizer": {"learning_rate": 0.2, "name": "adam"}, "seed": 3})
    comparison = compare([one, two])
    assert comparison.configuration == {
        "name": ["one", "two"], "optimizer.learning_rate": ["0.1", "0.2"], "seed": ["—", "3"],
    }  # fmt: skip
    assert comparison.facts["parameters"] == ["99", "99"]


def test_classes_are_compared_by_name_whatever_their_order(made: Callable[..., Path], tmp_path: Path) -> None:
    def run(name: str, classes: tuple[str, ...], right: float) -> Path:
        folder = made(name, answers(0.05, 1))
        target = Categorical(column="word", classes=classes)
        evaluation = Evaluation(units={"word": {"accuracy": ""}})
        figure = Metric.find("accuracy")().start(["word"])
        for i, id in enumerate(IDS):
            true = classes.index("yes" if i % 2 else "no")
            p = np.full((2, 1), 0.1)
            p[true if i < right * 60 else 1 - true] = 0.9
            said, truth = {"word": p}, {"word": np.full((1, 1), float(true))}
            figure.update({"word": p[None]}, {"word": truth["word"][None]}, [id], [GROUPS[id]])
            evaluation.predictions += said_of(target, id, GROUPS[id], (), said, truth)
        evaluation.accumulators["model"] = {("target", "accuracy"): figure}
        write(folder, {"test": [evaluation]})
        with (folder / "run.yaml").open("w") as out:
            YAML().dump({"target": {"type": "categorical", "column": "word", "classes": list(classes)}}, out)
        return folder

    found = line([run("one", ("no", "yes"), 0.5), run("two", ("yes", "no"), 1.0)], "accuracy")
    assert (found.difference.first, found.difference.second) == (0.5, 1.0)
    assert found.verdict == "better"


def test_overall_is_the_mean_over_outputs_that_are_defined_for_both() -> None:
    rng = np.random.default_rng(0)
    truth = {o: rng.normal(size=(40, 1, 1)) for o in "abc"}
    sides = []
    for noise in (0.5, 0.4):
        said = {o: truth[o] + noise * rng.normal(size=(40, 1, 1)) for o in "abc"}
        if noise == 0.4:
            said["c"][:] = 1  # a constant has no correlation
        accumulator = Metric.find("pearson")().start(["a", "b", "c"])
        accumulator.update(said, truth, list(map(str, range(40))), [str(i % 10) for i in range(40)])
        sides.append([accumulator])
    found = differences(*sides, resamples=200)
    assert found["c"].value is None
    assert found["c"].note == "undefined"
    for key in ("first", "second", "value"):
        parts = [getattr(found[o], key) for o in "ab"]
        assert getattr(found["overall"], key) == pytest.approx(sum(parts) / 2)
    assert found["overall"].note == "mean of 2 of 3 outputs"
    assert found["overall"].low < found["overall"].value < found["overall"].high


def test_the_command_prints_a_table_and_the_page_last(made: Callable[..., Path], tmp_path: Path) -> None:
    folders = [str(made("one", answers(0.05, 1))), str(made("two", answers(0.02, 2)))]
    result = CliRunner().invoke(app, ["compare", *folders], terminal_width=200)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(tmp_path / "one" / "report" / "comparison.html")
    assert "better" in result.stdout
    elsewhere = tmp_path / "new" / "page.html"
    CliRunner().invoke(app, ["compare", *folders, "--out", str(elsewhere)])
    assert elsewhere.is_file()


def test_code_of_others_is_only_imported_when_it_is_trusted(
    made: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_metric.py").write_text(
        "from tympan.objectives.metrics.mae import MAE\n\n\nclass TheirMetric(MAE):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    metrics = {"metrics": {"test": [{"type": "their_metric.TheirMetric"}]}}
    folders = [made(name, answers(noise, 1), more=metrics) for name, noise in (("one", 0.05), ("two", 0.02))]
    for folder in folders:
        told = (folder / "metrics.json").read_text().replace('"mae"', '"their_metric.TheirMetric"')
        (folder / "metrics.json").write_text(told)
    with pytest.raises(ValueError, match=r"run.yaml: metric 'their_metric.TheirMetric' is code outside.*--trust"):
        compare(folders)
    assert line(folders, "their_metric.TheirMetric", trust=["their_metric.TheirMetric"]).verdict == "better"
