"""Killed at random moments, also while it saves, a training ends with the weights that it would have had."""

import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import saved
from runs_helpers import log, run_of
from tympan.data import storage
from tympan.runs.checkpoint import last_checkpoint
from tympan.runs.folder import ended
from tympan.runs.resume import Ended, resume
from tympan.runs.run import Run
from tympan.runs.train import train

SECTIONS: dict[str, Any] = {
    "training": {"max_epochs": 12, "batch_size": 16, "early_stopping": False},
    "head": {"dropout": 0.3},
    "augmentations": [{"type": "time_shift", "max_shift": 0.01}],
    "checkpoint": {"save_every_n_steps": 1},  # much of the time is spent in saving
}


def _killed(run: Run, folder: Path | None, after: float) -> bool:
    """Train or go on in a process that shares all that is imported, and kill it; whether it came to its end before."""
    pid = os.fork()
    if not pid:
        try:
            resume(folder, console=saved.QUIET) if folder else train(run, console=saved.QUIET)
        except Ended:  # it was killed after its last file
            os._exit(0)
        except BaseException:  # noqa: BLE001 - whatever it is, this process ends here
            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)
        os._exit(0)
    end = time.monotonic() + after
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return True
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def _through(kills: int, tmp_path: Path, seed: int) -> tuple[int, int]:
    """Kill so often, in as many runs as that takes; how many runs, and how often a half checkpoint lay there."""
    draw, runs, halves = random.Random(seed), 0, 0
    began = time.monotonic()
    whole = train(run_of(tmp_path / "whole", **SECTIONS), console=saved.QUIET)
    takes = time.monotonic() - began
    wanted = load_file(whole.folder / "model" / "model.safetensors")
    lines = [{k: v for k, v in line.items() if k != "seconds"} for line in log(whole)]
    while kills > 0:
        runs += 1
        run, folder = run_of(tmp_path / str(runs), **SECTIONS), None
        while kills > 0 and not _killed(run, folder, draw.uniform(0.05, 0.7) * takes):
            kills -= 1
            made = sorted((tmp_path / str(runs) / "runs").glob("*"))
            folder = made[0] if made and (made[0] / "run.yaml").is_file() else None
            halves += bool(folder and list((folder / "checkpoints").glob(f"{storage.ASIDE}*")))
            if folder:
                last_checkpoint(folder / "checkpoints")
            elif made:
                made[0].rmdir()
        folder = sorted((tmp_path / str(runs) / "runs").glob("*"))[0]
        if not ended(folder):
            resume(folder, console=saved.QUIET)
        found = load_file(folder / "model" / "model.safetensors")
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)
        told = [line for line in (folder / "log.jsonl").read_text().splitlines() if line]
        assert len(told) == len(lines)
        assert not list((folder / "checkpoints").glob(f"{storage.ASIDE}*"))
    return runs, halves


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed that are forked")
def test_three_kills_change_nothing(tmp_path: Path) -> None:
    _through(3, tmp_path, 1)


@pytest.mark.slow
def test_fifty_kills_change_nothing(tmp_path: Path) -> None:
    runs, halves = _through(50, tmp_path, 2)
    print(f"50 kills over {runs} runs; {halves} left a half checkpoint beside")
    assert halves
