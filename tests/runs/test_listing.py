"""`tympan runs` tells where every run in a folder stands."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import saved
from runs_helpers import log, run_of, trained
from tympan.cli import app
from tympan.runs import lock
from tympan.runs.listing import runs


def test_each_run_has_its_status_step_best_figure_and_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = saved.interrupted(run_of(tmp_path, training={"max_epochs": 2, "batch_size": 16}), 5, monkeypatch)
    done = trained(tmp_path)
    begun = tmp_path / "runs" / "begun"
    begun.mkdir()
    (begun / "run.yaml").write_text((stopped / "run.yaml").read_text())
    (tmp_path / "runs" / "no-run").mkdir()
    listed = {run.folder: run for run in runs(tmp_path / "runs")}
    assert {run.folder.name: run.status for run in listed.values()} == {
        stopped.name: "stopped", done.folder.name: "complete", "begun": "initialized"}  # fmt: skip
    assert (listed[stopped].step, listed[begun].step) == (5, None)
    best = min(line["val_loss"] for line in log(done) if "val_loss" in line)
    assert listed[done.folder].best == pytest.approx(best) and listed[done.folder].metric == "val_loss"
    assert 0 <= listed[done.folder].age < 600
    monkeypatch.setattr(lock, "busy", lambda folder: folder == begun)
    said = CliRunner().invoke(app, ["runs", str(tmp_path / "runs")]).output
    assert "in progress" in said and f"val_loss {best:.4g}" in said and "no-run" not in said
    with pytest.raises(FileNotFoundError, match="is no folder"):
        runs(tmp_path / "nowhere")


def test_a_bucket_is_not_listed_and_what_to_do_is_told() -> None:
    said = CliRunner().invoke(app, ["runs", "gs://bucket/out"]).exception
    assert isinstance(said, ValueError)
    assert str(said).startswith("gs://bucket/out: only runs on this machine are listed") and "resume" in str(said)


@pytest.mark.slow
def test_a_run_of_several_trainings_has_the_sum_of_their_steps(tmp_path: Path) -> None:
    done = trained(tmp_path, split={"folds": 3, "validation": "none"}, training={"max_epochs": 1, "batch_size": 16})
    (told,) = runs(tmp_path / "runs")
    steps = json.loads((done.folder / "summary.json").read_text())["steps"]
    assert told.step == steps > 4 and told.best is None
