"""A clinical run leaves a skeleton of its report, and says wherever it answers that it is no medical device."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runs_helpers import clinic, trained
from tympan.cli import app
from tympan.reports import tripod
from tympan.reports.clinical import NO_DEVICE
from tympan.reports.tripod import methods, results
from tympan.reports.tripod.told import Told
from tympan.runs.train import Result


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    outputs = {
        "ill": {"target": {"type": "binary", "labels": ["dysarthria"]}, "loss": {"type": "bce"}},
        "old": {"target": {"type": "categorical", "column": "age"}, "weight": 0.5},
        "rating": {"target": {"type": "continuous", "quantities": {"rating": "points"}}},
    }
    sections = {"target": None, "targets": outputs, "judging": {"subgroups": {"age": [52]}, "smallest_subgroup": 1}}
    return clinic(tmp_path_factory.mktemp("tripod"), **sections, logging={"worst_examples": 0})


@pytest.fixture(scope="module")
def items(result: Result) -> dict[int, str]:
    """The text of each item by its number."""
    text = (result.folder / "report" / "tripod.md").read_text(encoding="utf-8")
    return {int(part.split(".")[0]): part for part in re.split(r"\n###? (?=\d+\. )", text)[1:]}


def test_every_item_is_there_once_and_each_is_filled_or_left_to_the_authors(items: dict[int, str]) -> None:
    assert list(items) == list(range(1, 28)) == [n for own in tripod.ITEMS.values() for n in own]
    for number, text in items.items():
        body = text.partition("\n")[2].split("\n## ")[0].strip()
        assert body and "None" not in body and "{" not in body, f"{number}: {body}"
    alone = {n for n, text in items.items() if text.partition("\n")[2].strip().startswith("*To be written by you:*")}
    assert alone == {1, 2, 3, 17, 19}, "what no run can know"


def test_what_the_run_knows_is_told_as_it_is(items: dict[int, str], result: Result) -> None:
    # Four speakers train, of whom two have it; two are judged; the second rating of each is unknown.
    assert "| training | dysarthria | 4 | 2 | 8 | 4 | 0 |" in items[10] and "| test | dysarthria | 2 | 1 |" in items[10]
    assert "training: 8 recordings of 4 subjects; rating: 2.5 to 5.5 points, mean 4 points, 4 unknown." in items[10]
    assert "one of 50, 51, 52, 53" in items[8] and "- rating: `continuous`." in items[8]
    assert "the last checkpoint, chosen by nothing" in items[12] and "prior" in items[12]
    assert "subgroups by age" in items[14] and "subgroups of age" in items[23]
    assert "in `model/`." in items[22] and "was not updated afterwards" in items[24]
    summary = json.loads((result.folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["versions"]["torch"] in items[18] and f"{summary['parameters']:,}" in items[10]
    judged = json.loads((result.folder / "clinical.json").read_text(encoding="utf-8"))
    auroc = judged["parts"]["test"]["recordings"]["dysarthria"]["figures"]["auroc"]["value"]
    assert f"{auroc:.4g}"[:4] in items[23]


def test_page_card_and_answers_say_that_it_is_no_medical_device(result: Result) -> None:
    page = result.paths["report"].read_text(encoding="utf-8")
    assert NO_DEVICE in page and 'href="tripod.md"' in page
    assert NO_DEVICE in (result.folder / "model" / "README.md").read_text(encoding="utf-8")
    root = Path(result.folder).parents[1] / "clinic" / "recordings" / "clinic-eve-0" / "waveform.wav"
    answered = CliRunner().invoke(app, ["predict", str(result.folder), str(root)], catch_exceptions=False)
    assert answered.exit_code == 0 and NO_DEVICE in answered.stderr
    assert answered.stdout.startswith("file,") and "medical" not in answered.stdout, "the table stays a table"


def test_other_runs_have_neither(tmp_path: Path) -> None:
    drums = trained(tmp_path, training={"max_steps": 1, "batch_size": 16})
    assert not (drums.folder / "report" / "tripod.md").exists()
    assert NO_DEVICE not in drums.paths["report"].read_text(encoding="utf-8")


def test_weights_that_nothing_trained_are_those_to_begin_with(result: Result) -> None:
    told = Told.of(result.folder)
    training = {**told.configuration["training"], "max_epochs": 0}
    told = replace(told, configuration={**told.configuration, "training": training})
    assert "What was kept is the weights to begin with, since nothing was" in methods.lines(told, {"model": {}})[12][0]
    scores = told.metrics["test"]
    assert results.lines(told, scores)[21] == ["- Nothing was trained: the weights are those to begin with."]


def test_no_label_gets_into_the_skeleton_as_html(result: Result, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    for name in ("run.yaml", "summary.json", "metrics.json", "clinical.json", "split.json"):
        text = (result.folder / name).read_text(encoding="utf-8").replace("dysarthria", "<img src=x>")
        (tmp_path / name).write_text(text, encoding="utf-8")
    text = (path.read_text(encoding="utf-8") if (path := tripod.write(tmp_path)) else "").split("```")
    assert "<img" not in text[0] + text[2] and "| &lt;img src=x> |" in text[0]
