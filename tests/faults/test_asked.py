"""A run that is asked to end does so within a step, with a checkpoint; two processes never share a run's folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import saved
from runs_helpers import run_of, trained, write
from tympan.runs import asked, lock
from tympan.runs.resume import resume
from tympan.runs.state import TrainState
from tympan.runs.train import train

TRAINING: dict[str, Any] = {"max_epochs": 3, "batch_size": 16}


@pytest.mark.parametrize(("by", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 143)])
def test_a_signal_ends_it_within_a_step_with_a_checkpoint(
    by: signal.Signals, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(by)
    folder = saved.interrupted(run_of(tmp_path, training=TRAINING), 4, monkeypatch, by)
    assert signal.getsignal(by) == before
    assert (folder / "checkpoints" / "checkpoint-4").is_dir()
    raised = asked.Asked()
    raised.name = by.name
    assert raised.status == status


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """As at a terminal: a shell has what it starts behind ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_signal_does_what_it_does_elsewhere(ctrl_c: None) -> None:
    with pytest.raises(KeyboardInterrupt), asked.listening() as signals:
        signal.raise_signal(signal.SIGINT)
        assert signals.name == "SIGINT"
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


PLATEAU: dict[str, Any] = {"scheduler": "reduce_on_plateau", "plateau_patience": 1, "learning_rate": 0.01}
ENDS: dict[str, Any] = {"early_stopping": True, "early_stopping_patience": 1, "early_stopping_min_delta": 1e9}


@pytest.mark.parametrize(
    ("optimizer", "training"),
    [
        pytest.param(PLATEAU, {}, id="goes on"),
        pytest.param({}, ENDS, marks=pytest.mark.slow, id="is the last"),
    ],
)
def test_a_validation_is_broken_off_and_comes_first_after(
    optimizer: dict[str, Any], training: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections: dict[str, Any] = {
        "training": {"max_epochs": 1, "batch_size": 4, "val_check_interval": 2, **training},
        "optimizer": optimizer,
        "checkpoint": {"save_top_k": 1, "save_last": False},
    }
    whole = saved.straight(run_of(tmp_path / "whole", **sections), monkeypatch)
    run, seen = run_of(tmp_path, **sections), []

    def look() -> None:
        (folder,) = Path(run.checkpoint.checkpoint_dir).iterdir()
        state = TrainState.from_checkpoint(folder / "checkpoints" / "checkpoint-4")
        seen.append((state.status, state.log_state.validation_due))
        steps = [
            json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines() if "val_loss" in line
        ]
        assert steps == [2], "that of step 4 is not there"

    saved.assert_same(whole, saved.in_two(run, 4, monkeypatch, before=look, stops=saved.StopsValidation))
    assert seen == [("stopped", True)]
    assert (whole.result.status == "stopped") == bool(training)


def test_a_run_that_is_asked_in_its_last_step_ends_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained(tmp_path / "whole")
    monkeypatch.setattr(saved.Stops, "step", 4)
    monkeypatch.setattr("tympan.runs.trainer.Tracker", saved.Stops)
    assert train(run_of(tmp_path), console=saved.QUIET).metrics == whole.metrics


HOLD = """
import sys, time
from pathlib import Path
from tympan.runs import lock
with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_and_a_dead_ones_lock_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("")
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdout.readline() == "held\n"
    try:
        assert lock.busy(tmp_path)
        with pytest.raises(lock.Locked, match=f"process {holder.pid} on .* is at work there"):
            resume(tmp_path, console=saved.QUIET)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert (tmp_path / lock.LOCK).is_file() and not lock.busy(tmp_path)
    with lock.held(tmp_path):
        assert str(os.getpid()) in (tmp_path / lock.LOCK).read_text()
        assert lock.busy(tmp_path)
        with pytest.raises(lock.Locked, match="this process is at work"), lock.held(tmp_path):
            pass
        assert lock.busy(tmp_path), "asking has not let go of it"
    assert not lock.busy(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("by", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_the_program_and_all_its_workers_are_asked_at_once(by: str, status: int, tmp_path: Path) -> None:
    """As ctrl-C does it, and a scheduler: the signal goes to the whole group of processes."""
    file = write(tmp_path / "run.yaml", training={"max_epochs": 4000, "batch_size": 16}, loader={"num_workers": 2},
                 checkpoint={"checkpoint_dir": str(tmp_path / "runs")})  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "tympan", "train", str(file)], stderr=subprocess.PIPE, text=True,
                               start_new_session=True)  # fmt: skip
    while not list((tmp_path / "runs").glob("*/checkpoints/checkpoint-*")):
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.1)
    sent = time.monotonic()
    os.killpg(process.pid, getattr(signal, by))
    _, said = process.communicate(timeout=60)
    took = time.monotonic() - sent
    assert process.returncode == status, said
    assert took < 5 + 5, said  # 5 s, and what this machine needs to end a process that holds torch
    (folder,) = (tmp_path / "runs").iterdir()
    assert f"stopped by {by} at step" in said and "Traceback" not in said
    step = int(said.rpartition("at step ")[2].split(" ")[0].replace(",", ""))
    assert (folder / "checkpoints" / f"checkpoint-{step}").is_dir()
