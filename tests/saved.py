"""A run of a few steps whose every move is noted, stopped and gone on with, for tests of faults."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from runs_helpers import log
from tympan.runs import trainer
from tympan.runs.asked import Interrupted
from tympan.runs.run import Run
from tympan.runs.surviving import SurvivingTrainer
from tympan.runs.train import Result, resume, train

QUIET = Console(quiet=True)


class Stops(trainer.Tracker):
    """Asks for an end by a signal, in the middle of a step."""

    step = 0
    by = signal.SIGTERM

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Send it."""
        if state.global_step + 1 == self.step:
            signal.raise_signal(self.by)


class StopsValidation(Stops):
    """Asks for an end while a step is validated, after the first batch."""

    def on_optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Not yet."""

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Send it."""
        if state.global_step == self.step:
            signal.raise_signal(self.by)


@dataclass
class Noted:
    """What came of a training."""

    result: Result
    heard: list[list[int]]
    """Epoch and index of every example, in order."""

    @property
    def lines(self) -> list[dict[str, float]]:
        """The log without the clock."""
        return [{k: v for k, v in line.items() if k != "seconds"} for line in log(self.result)]


def noting(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The examples of all batches that are trained on from here on."""
    heard: list[list[int]] = []
    plain = SurvivingTrainer.training_step

    def step(self: SurvivingTrainer, model: Any, inputs: Any, *rest: Any) -> torch.Tensor:
        heard.extend(inputs["key"].tolist())
        return plain(self, model, inputs, *rest)

    monkeypatch.setattr(SurvivingTrainer, "training_step", step)
    return heard


def straight(run: Run, monkeypatch: pytest.MonkeyPatch) -> Noted:
    """Trained in one go."""
    with monkeypatch.context() as patch:
        heard = noting(patch)
        return Noted(train(run, console=QUIET), heard)


def interrupted(
    run: Run,
    step: int,
    monkeypatch: pytest.MonkeyPatch,
    by: signal.Signals = signal.SIGTERM,
    stops: type[Stops] = Stops,
) -> Path:
    """The folder of a run that was asked to end after a step, and did."""
    with monkeypatch.context() as patch:
        patch.setattr(Stops, "step", step)
        patch.setattr(Stops, "by", by)
        patch.setattr(trainer, "Tracker", stops)
        with pytest.raises(Interrupted, match=f"stopped by {by.name} at step {step} of .*`tympan resume"):
            train(run, console=QUIET)
    (folder,) = Path(run.checkpoint.checkpoint_dir).iterdir()
    return folder


def in_two(
    run: Run,
    step: int,
    monkeypatch: pytest.MonkeyPatch,
    overrides: tuple[str, ...] = (),
    before: Any = None,
    stops: type[Stops] = Stops,
) -> Noted:
    """Stopped after a step, and gone on with; `before` is called between."""
    with monkeypatch.context() as patch:
        heard = noting(patch)
        folder = interrupted(run, step, monkeypatch, stops=stops)
        if before:
            before()
        return Noted(resume(folder, overrides, console=QUIET), heard)


def assert_same(one: Noted, other: Noted) -> None:
    """Equal to the bit: weights, optimizer, schedule, counters, figures, the log, and what was heard, in order."""
    assert one.heard == other.heard
    assert one.lines == other.lines
    assert one.result.metrics == other.result.metrics
    ends = [noted.result.paths["last_checkpoint"] for noted in (one, other)]
    assert ends[0].name == ends[1].name
    mine, theirs = (load_file(end / "model.safetensors") for end in ends)
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
    for file in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        mine, theirs = (_flat(torch.load(end / file, weights_only=_safe(file))) for end in ends)
        assert mine.keys() == theirs.keys() and mine, file
        # Python's own generator is also drawn from by what checks the annotations in these tests.
        mine = {key: value for key, value in mine.items() if not key.startswith(".python")}
        assert not (unlike := [key for key in mine if not _equal(mine[key], theirs[key])]), (file, unlike)
    states = [noted.result.state for noted in (one, other)]
    assert states[0] and states[1]
    for field in ("status", "meta_dataloader_state", "metric_state"):
        assert getattr(states[0], field) == getattr(states[1], field), field


def _safe(file: str) -> bool:
    return file != "rng_state.pth"  # numpy's own types, of files that this test has just written


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for key, own in value.items() for k, v in _flat(own, f"{name}.{key}").items()}
    if isinstance(value, (list, tuple)):
        return {k: v for place, own in enumerate(value) for k, v in _flat(own, f"{name}.{place}").items()}
    return {name: value}


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return bool(type(one) is type(other) and (one == other if not hasattr(one, "shape") else (one == other).all()))
