"""A run that was stopped goes on from its last checkpoint, and ends where it would have ended."""

import pytest
from rich.console import Console
from safetensors.torch import load_file

from runs_helpers import log, run_of, stopped, trained
from tympan.runs.train import resume

QUIET = Console(quiet=True)
TRAINING = {"max_epochs": 4, "batch_size": 16}


@pytest.mark.parametrize("every", [5, 1000])
def test_a_stopped_run_ends_with_the_weights_and_figures_of_one_that_was_not(tmp_path, monkeypatch, every):
    sections = {"training": TRAINING, "model": {"type": "cnn", "width": 8, "dropout": 0.2}}
    whole = trained(tmp_path / "whole", **sections)
    folder = stopped(monkeypatch, run_of(tmp_path, **sections, checkpoint={"save_every_n_steps": every}), 8)
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"step": 8, "lo')  # torn
    result = resume(folder, console=QUIET)
    assert result.folder == folder and result.metrics == whole.metrics
    mine, theirs = (load_file(r.folder / "model" / "model.safetensors") for r in (result, whole))
    assert all((mine[name] == theirs[name]).all() for name in theirs)
    lines = [[{k: v for k, v in line.items() if k != "seconds"} for line in log(r)] for r in (result, whole)]
    assert lines[0] == lines[1]


def test_the_best_checkpoint_may_be_one_from_before_it_was_stopped(tmp_path, monkeypatch):
    most = {"mode": "max", "save_top_k": 1}  # of a loss that falls: the first
    training = {**TRAINING, "early_stopping": False}
    whole = trained(tmp_path / "whole", training=training, checkpoint=most)
    folder = stopped(monkeypatch, run_of(tmp_path, training=training, checkpoint=most), 8)
    result = resume(folder, console=QUIET)
    assert result.best_checkpoint and whole.best_checkpoint
    assert result.best_checkpoint.name == whole.best_checkpoint.name != result.paths["last_checkpoint"].name
    assert result.metrics == whole.metrics


def test_what_cannot_go_on_is_refused_with_why(tmp_path):
    done = trained(tmp_path)
    with pytest.raises(ValueError, match="has ended"):
        resume(done.folder)
    with pytest.raises(FileNotFoundError, match="holds no run"):
        resume(tmp_path / "runs")
    (done.folder / "summary.json").unlink()
    for checkpoint in (done.folder / "checkpoints").iterdir():
        checkpoint.rename(tmp_path / checkpoint.name)
    with pytest.raises(FileNotFoundError, match="before its first checkpoint"):
        resume(done.folder)
    (done.folder / "split.json").unlink()
    with pytest.raises(FileNotFoundError, match="single trainings"):
        resume(done.folder)
