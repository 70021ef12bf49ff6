"""A tracker that is down, slow or silent costs a run one warning and next to no time."""

import json
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from runs_helpers import run_of
from tympan.runs import outbox
from tympan.runs.tracking import Tracker, TrackerWarning

LINES = 40


class Refused(Exception):
    """What a tracker calls its own errors."""


class Walk:
    """The callbacks of a training whose tracker is a stub, and the seconds that they take."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Callable[..., Any], **stub: Any) -> None:
        session = SimpleNamespace(log=log, finish=lambda: None, **stub)
        opened = stub.get("init", lambda **_: session)
        errors = SimpleNamespace(Error=Refused, UsageError=Refused)
        wandb = SimpleNamespace(run=None, init=opened, Settings=SimpleNamespace, errors=errors)
        monkeypatch.setitem(sys.modules, "wandb", wandb)
        monkeypatch.setattr(outbox, "_last", {})
        run = run_of(tmp_path, logging={"wandb": "offline"})
        self.tracker, self.file = Tracker(run, tmp_path, 10.0, {}), tmp_path / "log.jsonl"
        self.rest = TrainingArguments(output_dir=str(tmp_path)), TrainerControl()
        self.seconds = {"begin": 0.0, "log": 0.0, "end": 0.0}

    def begin(self) -> None:
        self._timed("begin", self.tracker.on_train_begin)

    def log(self, step: int) -> None:
        arguments, control = self.rest
        state = TrainerState(global_step=step)
        self._timed("log", lambda: self.tracker.on_log(arguments, state, control, {"loss": 1.0}))

    def whole(self) -> list[str]:
        """All of it; the warnings that were given."""
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            self.begin()
            for step in range(1, LINES + 1):
                self.log(step)
            self._timed("end", self.tracker.on_train_end)
        assert {one.category for one in said} <= {TrackerWarning}
        assert [json.loads(line)["step"] for line in self.file.read_text().splitlines()] == list(range(1, LINES + 1))
        return [str(one.message) for one in said]

    def _timed(self, what: str, action: Callable[[], None]) -> None:
        began = time.perf_counter()
        action()
        self.seconds[what] += time.perf_counter() - began


def test_a_tracker_that_keeps_up_is_given_every_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    def log(line: dict[str, float], step: int) -> None:
        time.sleep(0.01)
        steps.append(step)

    assert Walk(tmp_path, monkeypatch, log).whole() == []
    assert steps == list(range(1, LINES + 1))


def test_a_slow_tracker_does_not_slow_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "CLOSING", 0.3)
    walk = Walk(tmp_path, monkeypatch, lambda line, step: time.sleep(0.2))
    (said,) = walk.whole()
    assert said == "wandb is slow: after 0.3 s it has not taken all that was logged; the run goes on"
    assert walk.seconds["begin"] + walk.seconds["log"] < 0.02 * LINES * 0.2
    assert walk.seconds["end"] < 0.3 + 0.2


def test_one_that_falls_too_far_behind_is_given_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST", 5)
    steps: list[int] = []
    goes_on = threading.Event()

    def log(line: dict[str, float], step: int) -> None:
        goes_on.wait()
        steps.append(step)

    walk = Walk(tmp_path, monkeypatch, log)
    end = walk.tracker.on_train_end
    monkeypatch.setattr(walk.tracker, "on_train_end", lambda: (goes_on.set(), end()))
    (said,) = walk.whole()
    assert "is 5 lines behind" in said
    assert steps[:5] == [1, 2, 3, 4, 5] and len(steps) <= 6  # what waited, and perhaps one when it had taken the first


@pytest.mark.parametrize("error", [OSError("no route to host"), Refused("401")])
@pytest.mark.parametrize("at", ["init", "log"])
def test_one_that_refuses_is_left_out(
    at: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    stub = {"init": refuse} if at == "init" else {}
    walk = Walk(tmp_path, monkeypatch, refuse, **stub)
    (said,) = walk.whole()
    assert said == f"wandb is left out of this run from here on: {error}"
    assert sum(walk.seconds.values()) < 1.0


def test_one_that_never_opens_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "OPENING", 0.1)
    monkeypatch.setattr(outbox, "CLOSING", 0.1)
    walk = Walk(tmp_path, monkeypatch, print, init=lambda **_: threading.Event().wait(60))
    (said,) = walk.whole()
    assert "is slow" in said and walk.seconds["begin"] < 1.0 and walk.seconds["end"] < 1.0


def test_what_a_failed_training_left_open_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[int] = []
    walk = Walk(tmp_path, monkeypatch, lambda line, step: lines.append(step))
    walk.begin()
    walk.log(0)
    walk.file.unlink()
    assert walk.whole() == []
    assert lines == list(range(LINES + 1))
