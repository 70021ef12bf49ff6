"""A run is evaluated again from its folder alone; its test part only where it was heard, or on request."""

import json
from pathlib import Path

import pytest

from runs_helpers import trained
from tympan.runs.again import evaluate_again
from tympan.runs.train import Result


def told(result: Result) -> tuple[str, str, str]:
    """The notes, the page and the card."""
    notes = " ".join(json.loads((result.folder / "summary.json").read_text())["notes"])
    return notes, (result.folder / "report" / "index.html").read_text(), (result.folder / "model/README.md").read_text()


def test_it_gives_what_training_gave(tmp_path: Path) -> None:
    result = trained(tmp_path)
    before = {p: p.read_bytes() for p in result.folder.rglob("*") if p.is_file() and p.parent.name != "report"}
    assert evaluate_again(result.folder, device="cpu") == result.metrics
    assert before == {p: p.read_bytes() for p in before}


def test_a_test_part_that_was_left_unheard_is_heard_on_request_alone(tmp_path: Path) -> None:
    result = trained(tmp_path, test=False)
    assert set(evaluate_again(result.folder)) == {"validation"}
    assert all("was not heard" in text for text in told(result))
    assert set(evaluate_again(result.folder, test=True)) == {"validation", "test"}
    assert all("was heard on request" in text and "was not heard" not in text for text in told(result))
    config = json.loads((result.folder / "model" / "config.json").read_text())
    assert set(config["provenance"]["losses"]) == {"train", "validation", "test"}
    assert "### diameter: test part" in told(result)[2]


@pytest.mark.slow
def test_the_seeds_of_a_run_are_scored_together(tmp_path: Path) -> None:
    result = trained(tmp_path, seeds=[1, 2], test=False)
    metrics = evaluate_again(result.folder, test=True)
    each = [json.loads((result.folder / f"seed-{n}" / "metrics.json").read_text())["test"] for n in (1, 2)]
    values = [m["model"]["diameter"]["mae"]["value"] for m in each]
    assert metrics["test"]["model"]["diameter"]["mae"]["value"] == pytest.approx(sum(values) / 2)
    assert "was heard on request" in json.loads((result.folder / "summary.json").read_text())["notes"][0]


def test_a_folder_that_holds_no_run_and_a_device_that_is_not_here_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no run that ended"):
        evaluate_again(tmp_path)
    result = trained(tmp_path)
    with pytest.raises(ValueError, match="device: 'gpu' is no device; one of: auto, cpu, cuda, mps"):
        evaluate_again(result.folder, device="gpu")
