"""Files of a bucket, fetched before they are wanted where no other process reads."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

from . import storage
from .batch import Clips

THREADS = 8
"""Files that are fetched at once."""


@contextmanager
def ahead(clips: Clips, count: int) -> Iterator["Clips | Ahead"]:
    """While it lasts: clips whose files are fetched up to `count` positions before they are asked for.

    They are the same clips; where nothing is in a bucket, or `count` is 0, they are `clips` themselves.
    """
    files = clips.source.files().items() if count else ()
    remote = {i for uri, indices in files if storage.elsewhere(uri) for i in indices}
    if remote.isdisjoint(clips.part):
        yield clips
        return
    pool = ThreadPoolExecutor(min(THREADS, count), "ahead")
    try:
        yield Ahead(clips, count, remote, pool)
    finally:
        pool.shutdown(cancel_futures=True)


class Ahead(torch.utils.data.Dataset[dict[str, Any]]):
    """Clips, and threads that bring the files of those that come next into the cache."""

    def __init__(self, clips: Clips, count: int, remote: set[int], pool: ThreadPoolExecutor) -> None:
        self.clips, self.count, self.remote, self.pool = clips, count, remote, pool
        self.begun: dict[int, Future[bool] | None] = {}
        """What is being fetched, by example; `None` once it was asked for."""
        self.next = 0
        """The first position that was not looked at yet."""

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, position: int) -> dict[str, Any]:
        self.next = max(self.next, position)
        while self.next < min(position + self.count + 1, len(self)):
            coming = self.clips.at(self.next)[1]
            if coming in self.remote and coming not in self.begun:
                self.begun[coming] = self.pool.submit(self.clips.source.fetch, coming)
            self.next += 1
        index = self.clips.at(position)[1]
        if fetched := self.begun.get(index):
            fetched.exception()  # waits; an error is told by the clip itself, which tries again
            self.begun[index] = None
        return self.clips[position]
