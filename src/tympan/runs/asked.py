"""Asked to stop: by SIGTERM, SIGINT or SIGUSR1, as people, schedulers and machines that go away do it."""

import ctypes
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import RawValue
from types import FrameType
from typing import Any

import torch

from . import ranks

_NAMES = ("SIGTERM", "SIGINT", "SIGUSR1")
_STATUS = {"SIGINT": 130}


class Interrupted(RuntimeError):
    """A training that was asked to stop has stopped, with a checkpoint of its last step."""

    of_all = True

    def __init__(self, said: str, status: int) -> None:
        super().__init__(said)
        self.status = status
        """What a program that ends by it gives back: 130 after ctrl-C, else 143."""


class Asked:
    """Which signal came, if any: the training looks after every step."""

    name: str | None = None

    def __init__(self) -> None:
        self.over: Any = RawValue(ctypes.c_bool, False)
        """Whether the training is over, for its workers to see."""

    def begin(self, worker: int) -> None:
        """Begin a worker that signals do not end before the training is over, which needs it for its last step.

        They come to all processes of a run by ctrl-C and from schedulers; by SIGTERM Python also ends workers itself.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0) if self.over.value else None)

    def agree(self) -> None:
        """Let all processes of a run know what came to one of them."""
        if ranks.processes() > 1:
            own = torch.tensor(_NAMES.index(self.name) + 1 if self.name else 0)
            found = int(ranks.gather(own).max())
            self.name = _NAMES[found - 1] if found else None

    @property
    def status(self) -> int:
        """What a program that ends by this signal gives back."""
        return _STATUS.get(self.name or "", 143)


@contextmanager
def listening() -> Iterator[Asked]:
    """While it lasts, the first signal is only noted; a second one does what it does elsewhere.

    Threads other than the main one hear no signals.
    """
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        try:
            yield asked
        finally:
            asked.over.value = True
        return
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        if asked.name is None:
            asked.name = signal.Signals(number).name
            return
        signal.signal(number, before[number])
        signal.raise_signal(number)

    for name in _NAMES:
        if (number := getattr(signal, name, None)) is not None:
            before[number] = signal.signal(number, note)
    try:
        yield asked
    finally:
        asked.over.value = True
        for number, handler in before.items():
            signal.signal(number, handler)
