"""A whole corpus into the cache: every file fetched, decoded and resampled once, by several processes."""

import hashlib
import json
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

from ..component import AssumptionWarning, assume
from . import Source, cache, storage

MOST = 16
"""The most processes by default for a bucket, where they wait more than they compute."""


@dataclass(frozen=True)
class Bad:
    """A file that cannot be used."""

    uri: str
    recordings: tuple[str, ...]
    """The ids of the recordings in it."""
    reason: str


@dataclass
class Kept:
    """What came of a corpus."""

    files: int
    new: int = 0
    """Files that were not in the cache before."""
    bad: list[Bad] = field(default_factory=list)
    quarantine: Path | None = None
    """The list of bad files, JSON lines of `uri`, `recordings`, `reason`; nothing where all are good."""


@dataclass(frozen=True)
class _Answer:
    """What a process says of one file."""

    new: bool = False
    reason: str = ""
    assumed: tuple[str, ...] = ()


def prepare(source: Source, *, workers: int | None = None, progress: Callable[[int, int], None] | None = None) -> Kept:
    """Bring every file of a source into the cache, as training would read it.

    What is there already is not made again, so what was interrupted goes on where it stopped. A file that cannot be
    used, or at which a process dies, is listed in the quarantine and stops nothing; it is tried again the next time.

    Args:
        workers: processes; by default one for each core, four where files are in a bucket. A script needs
            `if __name__ == "__main__":`.
        progress: is told how many files are done, and of how many.

    Raises:
        OSError: the cache cannot be written, or its disk is full.
        ValueError: the corpus itself cannot be read.
    """
    files = source.files()
    kept = Kept(len(files))
    cores = os.cpu_count() or 1
    workers = workers or (min(4 * cores, MOST) if any(map(storage.elsewhere, files)) else cores)
    if workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers}")
    place = quarantine(source)
    if files:
        storage.write_bytes(place, b"")  # a cache that cannot be written is told before anything is fetched
    with cache.asked_once():
        for done, (uri, answer) in enumerate(_answers(source, files, min(workers, len(files))), 1):
            kept.new += answer.new
            if answer.reason:
                kept.bad.append(Bad(uri, tuple(source.describe(i).id for i in files[uri]), answer.reason))
            for text in answer.assumed:
                assume(text)
            if progress:
                progress(done, len(files))
    kept.bad.sort(key=lambda bad: bad.uri)
    if kept.bad:
        storage.write_text(place, "".join(json.dumps(vars(bad), ensure_ascii=False) + "\n" for bad in kept.bad))
        kept.quarantine = place
    else:
        place.unlink(missing_ok=True)
    return kept


def quarantine(source: Source) -> Path:
    """Where the list of a source's bad files is: in the cache, by what the source is configured as."""
    name = hashlib.sha256(source.model_dump_json().encode()).hexdigest()[:12]
    return cache.folder() / "quarantine" / f"{source.type or type(source).__name__}-{name}.jsonl"


def _answers(source: Source, files: Mapping[str, Sequence[int]], workers: int) -> Iterator[tuple[str, _Answer]]:
    """What is said of each file, in the order in which it is done. After a process has died, the files that it may
    have died of are tried one by one, each in a process of its own."""
    waiting, running = list(files)[::-1], dict[Future[_Answer], str]()
    while waiting:
        with _Pool(source, workers) as pool:
            broken = False
            while (waiting and not broken) or running:
                while waiting and len(running) < 2 * workers and not broken:
                    try:
                        running[pool.submit(_one, files[waiting[-1]])] = waiting[-1]
                        waiting.pop()
                    except BrokenProcessPool:
                        broken = True
                suspects = []
                for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                    uri = running.pop(future)
                    try:
                        yield uri, future.result()
                    except BrokenProcessPool:
                        suspects.append(uri)
                        broken = True
                for uri in suspects:
                    yield uri, _alone(source, files[uri])


def _alone(source: Source, indices: Sequence[int]) -> _Answer:
    with _Pool(source, 1) as pool:
        pool.submit(int).result()  # the process itself is sound
        try:
            return pool.submit(_one, indices).result()
        except BrokenProcessPool:
            return _Answer(reason="it ends the process that decodes it, or fills the memory; encode or copy it again")


class _Pool(ProcessPoolExecutor):
    """Processes that know the source. Spawned, since a forked one may inherit a lock that some thread holds."""

    def __init__(self, source: Source, workers: int) -> None:
        super().__init__(workers, multiprocessing.get_context("spawn"), _know, (source,))

    def __exit__(self, *error: object) -> None:
        self.shutdown(cancel_futures=True)


_source: list[Source] = []
"""What a process of the pool knows."""


def _know(source: Source) -> None:
    _source[:] = [source]


def _one(indices: Sequence[int]) -> _Answer:
    """In a process of the pool: fetch one file, and look at what is known of its recordings."""
    (source,) = _source
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", AssumptionWarning)
        try:
            new, reason = source.fetch(indices[0]), ""
            for index in indices:
                source.values(index)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in storage.FULL:
                raise
            new, reason = False, str(error)
    assumed = (str(w.message) for w in seen if issubclass(w.category, AssumptionWarning))
    return _Answer(new, reason, tuple(dict.fromkeys(assumed)))
