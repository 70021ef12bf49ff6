"""A run that was stopped goes on from its last checkpoint, and ends where it would have ended."""

import pytest
from rich.console import Console
from safetensors.torch import load_file

from runs_helpers import log, run_of, stopped, trained
from tympan.runs import member, trainer
from tympan.runs.resume import Ended
from tympan.runs.train import resume, train

QUIET = Console(quiet=True)
TRAINING = {"max_epochs": 4, "batch_size": 16}


@pytest.mark.parametrize("every", [5, pytest.param(1000, marks=pytest.mark.slow)])
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


@pytest.mark.slow
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
    with pytest.raises(Ended, match="has ended"):
        resume(done.folder)
    with pytest.raises(FileNotFoundError, match="holds no run"):
        resume(tmp_path / "runs")


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins_anew(tmp_path, monkeypatch):
    whole = trained(tmp_path / "whole")
    folder = stopped(monkeypatch, run_of(tmp_path), 1)
    assert not list((folder / "checkpoints").glob("checkpoint-*"))
    (folder / "split.json").unlink()  # as if it had been stopped even before
    assert resume(folder, console=QUIET).metrics == whole.metrics


@pytest.mark.slow
def test_a_run_of_several_trainings_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    sections = {"split": {"folds": 3, "validation": "none"}, "training": {"max_epochs": 1, "batch_size": 8}}
    sections["checkpoint"] = {"save_every_n_steps": 2}
    whole = trained(tmp_path / "whole", **sections)
    begun = []
    monkeypatch.setattr(
        member, "fit", lambda *rest, fit=member.fit, **named: begun.append(rest[1].name) or fit(*rest, **named)
    )
    counted = [0]

    class Stopped(trainer.Tracker):
        def on_step_end(self, *args, **kwargs):
            counted[0] += 1
            if counted[0] == 8:  # each has 5 steps
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "Tracker", Stopped)
        with pytest.raises(KeyboardInterrupt):
            train(run_of(tmp_path, **sections), console=QUIET)
    (folder,) = (tmp_path / "runs").iterdir()
    result = resume(folder, console=QUIET)
    assert begun == ["fold-0", "fold-1", "fold-1", "fold-2"]
    assert result.metrics == whole.metrics


def test_only_what_does_not_change_the_training_may_change_in_its_middle(tmp_path, monkeypatch):
    folder = stopped(monkeypatch, run_of(tmp_path, training=TRAINING), 8)
    with pytest.raises(
        ValueError, match=r"optimizer\.learning_rate was 0\.01, here 0\.1.*free to change are .*logging"
    ):
        resume(folder, ["optimizer.learning_rate=0.1"])
    with pytest.raises(ValueError, match=r"training\.max_epochs was 4, here 9"):  # cosine knows its end
        resume(folder, ["training.max_epochs=9"])
    assert resume(folder, ["logging.log_every_n_steps=3", "loader.num_workers=1"], console=QUIET).status == "complete"


def test_a_training_with_a_steady_rate_may_be_made_longer(tmp_path, monkeypatch):
    steady = {"optimizer": {"learning_rate": 0.01, "scheduler": "constant"}}
    folder = stopped(monkeypatch, run_of(tmp_path, training=TRAINING, **steady), 8)
    longer = resume(folder, ["training.max_epochs=5"], console=QUIET)
    whole = trained(tmp_path / "whole", training={**TRAINING, "max_epochs": 5}, **steady)
    assert longer.metrics == whole.metrics


@pytest.mark.slow
def test_a_new_run_may_go_on_with_everything_that_a_checkpoint_holds(tmp_path, monkeypatch):
    whole = trained(tmp_path / "whole", training=TRAINING)
    folder = stopped(monkeypatch, run_of(tmp_path, training=TRAINING), 8)
    (kept,) = (folder / "checkpoints").glob("checkpoint-6")
    begun = trained(tmp_path, training=TRAINING, checkpoint={"load_from_checkpoint": str(kept), "weights_only": False})
    assert begun.folder != folder and begun.metrics == whole.metrics
    lines = [[{k: v for k, v in line.items() if k != "seconds"} for line in log(r)] for r in (begun, whole)]
    assert lines[0] == lines[1]
    other = {"load_from_checkpoint": str(kept), "weights_only": False}
    with pytest.raises(ValueError, match=r"optimizer\.learning_rate was 0\.01, here 0\.5"):
        trained(tmp_path, training=TRAINING, checkpoint=other, optimizer={"learning_rate": 0.5})
    with pytest.raises(ValueError, match="was divided otherwise"):
        trained(tmp_path, training=TRAINING, checkpoint=other, split={"seed": 9})
    with pytest.raises(ValueError, match="is no whole checkpoint to go on from"):
        trained(tmp_path, training=TRAINING, checkpoint={**other, "load_from_checkpoint": str(whole.folder / "model")})


def test_weights_that_must_all_match_are_listed_where_one_does_not(tmp_path):
    first = trained(tmp_path)
    same = {"load_from_checkpoint": str(first.folder), "weights_only": True}
    assert trained(tmp_path, checkpoint=same).status == "complete"
    with pytest.raises(
        ValueError, match=r"2 weights do not match: heads\.target.*its shape is \(1, 8\), here \(2, 8\)"
    ):
        trained(tmp_path, checkpoint=same, target={"type": "continuous", "quantities": {"diameter": "m", "f0": "Hz"}})
