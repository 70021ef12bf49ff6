"""Files of a bucket: the first batches come before all others, the next ones before they are wanted."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool

from . import Source, storage
from .batch import Clips

THREADS = 8
"""Files that are fetched at once."""
HELD = 60.0
"""The most seconds that positions behind a gate wait for it to open."""


class Gate:
    """Holds back what lies behind a position until it is opened, in all processes: so the first step has the bucket to
    itself, and a run that fails at it has asked for no more than that step needs."""

    def __init__(self, until: int) -> None:
        self.until = until
        self._opened = torch.multiprocessing.Event()

    @property
    def limit(self) -> int | None:
        """The first position that is held back; `None` once it is open."""
        return None if self._opened.is_set() else self.until

    def open(self) -> None:
        """Let everything pass."""
        self._opened.set()

    def wait(self, position: int) -> None:
        """Wait until a position may be read; not for ever: that these come last is a custom of the Trainer's."""
        if position >= self.until and not self._opened.wait(HELD):
            self.open()


@contextmanager
def ahead(clips: Clips, count: int, gate: Gate | None = None) -> Iterator["Clips | Ahead | Gated"]:
    """While it lasts: clips whose files are fetched up to `count` positions before they are asked for.

    They are the same clips; where nothing is in a bucket they are `clips` themselves.

    Args:
        count: 0 where other processes read ahead.
        gate: what nothing behind is fetched before it opens.
    """
    remote = _remote(clips.source) if count or gate else np.zeros(len(clips.source), bool)
    if not remote[clips.part].any():
        yield clips
    elif count:
        pool = ThreadPoolExecutor(min(THREADS, count), "ahead")
        try:
            yield Ahead(clips, count, remote, pool, gate)
        finally:
            pool.shutdown(cancel_futures=True)
    elif gate:
        try:
            yield Gated(clips, gate)
        finally:
            gate.open()


def _remote(source: Source) -> Bool[np.ndarray, "examples"]:
    """Whether the sound of each example is in a bucket; their names are let go."""
    remote = np.zeros(len(source), bool)
    remote[[i for uri, indices in source.files().items() if storage.elsewhere(uri) for i in indices]] = True
    return remote


class Gated(torch.utils.data.Dataset[dict[str, Any]]):
    """Clips for workers, which wait at a gate."""

    def __init__(self, clips: Clips, gate: Gate) -> None:
        self.clips, self.gate = clips, gate

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, position: int) -> dict[str, Any]:
        self.gate.wait(position)
        return self.clips[position]


class Ahead(torch.utils.data.Dataset[dict[str, Any]]):
    """Clips, and threads that bring the files of those that come next into the cache."""

    def __init__(
        self,
        clips: Clips,
        count: int,
        remote: Bool[np.ndarray, "examples"],
        pool: ThreadPoolExecutor,
        gate: Gate | None = None,
    ) -> None:
        self.clips, self.count, self.remote, self.pool, self.gate = clips, count, remote, pool, gate
        self.begun: dict[int, Future[bool] | None] = {}
        """What is being fetched, by example; `None` once it was asked for."""
        self.next = 0
        """The first position that was not looked at yet."""

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, position: int) -> dict[str, Any]:
        self.next = max(self.next, position)
        end, held = min(position + self.count + 1, len(self)), self.gate.limit if self.gate else None
        if held is not None:
            end = min(end, max(held, position + 1))
        while self.next < end:
            coming = self.clips.at(self.next)[1]
            if self.remote[coming] and coming not in self.begun:
                self.begun[coming] = self.pool.submit(self.clips.source.fetch, coming)
            self.next += 1
        index = self.clips.at(position)[1]
        if fetched := self.begun.get(index):
            fetched.exception()  # waits; an error is told by the clip itself, which tries again
            self.begun[index] = None
        return self.clips[position]
