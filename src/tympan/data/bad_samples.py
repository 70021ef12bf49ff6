"""Recordings that cannot be used while a run trains: an error, or others in their places and a list of them."""

import csv
import io
import multiprocessing
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np

from . import Source, storage

if TYPE_CHECKING:
    from .batch import Clips

FILE = "bad_samples.csv"
"""The list in a run's folder: one line of id and reason for each recording that could not be used."""
SAID = 20
"""The most recordings that a message names."""
ROWS = 4096
"""Places for processes that read, by their ids: those of one run have ids close together, and never share a place."""
ALONE = 120.0
"""The most seconds that a recording is read again in a process of its own."""
_HEADER = "id,why\n"

T = TypeVar("T")


class BadSampleWarning(UserWarning):
    """Recordings cannot be used, and others take their places; the run goes on."""


class BadSamples:
    """What becomes of recordings that cannot be read, decoded or used.

    Processes that read share the list, which they append to, and a table of what each of them is about to read, so that
    it is known what ended one of them.
    """

    def __init__(self, source: Source, most: int | None = None, path: Path | None = None) -> None:
        """Args:
        most: how many recordings may be bad, whose places others take; `None`: the first is an error.
        path: the list, which is begun if it is not there; without one it is kept in memory, by each process.
        """
        self.source, self.most, self.path = source, most, path
        self.known: dict[str, str] = {}
        """Why each recording is bad, by id, as far as this process knows."""
        self._warned = False
        self._reading = multiprocessing.RawArray("q", 2 * ROWS)  # process id and example + 1, which is 0 in between
        if most is not None and path is not None:
            if not path.exists():
                storage.write_text(path, _HEADER)
            self.known = listed(path)

    def item(self, clips: "Clips", position: int) -> dict[str, Any]:
        """The clip at a position; where its recording is bad, that of a place of its epoch drawn by the position.

        So it is the same with any number of workers, and after a resume. As what comes again within an epoch, it is
        told as of a later one.

        Raises:
            OSError: it cannot be read, for a reason that lies in its surroundings; or bad recordings are errors.
            ValueError: bad recordings are errors, or are more than there may be.
        """
        epoch, index = clips.at(position)
        item = self.unless_bad(index, lambda: clips.item(epoch, index))
        if item is not None:
            return item
        from .batch import AGAIN  # here: it costs a microsecond, and every clip passes above

        size = len(clips.part)
        begin = position // size * size
        for place in np.random.default_rng((clips.seed, AGAIN, position)).permutation(size).tolist():
            again, other = clips.at(begin + place)
            item = self.unless_bad(other, lambda again=again, other=other: clips.item(again + AGAIN, other))
            if item is not None:
                return item
        raise ValueError(f"none of {size} recordings can be used; {self._named()}")

    def unless_bad(self, index: int, read: Callable[[], T]) -> T | None:
        """What is read of example `index`; nothing where it is bad, which is put on the list."""
        if self.known and self.source.describe(index).id in self.known:
            return None
        process = os.getpid()
        row = 2 * (process % ROWS)
        self._reading[row], self._reading[row + 1] = process, index + 1
        try:
            return read()
        except (OSError, ValueError) as error:
            surroundings = isinstance(error, (ConnectionError, TimeoutError)) or (
                isinstance(error, OSError) and error.errno in storage.FULL
            )
            if self.most is None or surroundings:
                raise
            self.add(index, str(error))
            return None
        finally:
            self._reading[row + 1] = 0

    def add(self, index: int, why: str) -> None:
        """Put a recording on the list, once.

        Raises:
            ValueError: there are more of them now than there may be.
        """
        assert self.most is not None, "asked before"
        id = self.source.describe(index).id
        with self._listing() as file:
            self.look()
            if id not in self.known and len(self.known) <= self.most:
                self.known[id] = " ".join(why.split())
                if file is not None:
                    line = io.StringIO()
                    csv.writer(line, lineterminator="\n").writerow((id, self.known[id]))
                    file.write(line.getvalue().encode())
        if len(self.known) > self.most:
            raise ValueError(
                f"more recordings cannot be used than the {self.most} that loader.bad_sample_budget allows: "
                f"{self._named()}; mend them or take them out, or allow for more"
            )

    @contextmanager
    def _listing(self) -> Iterator[BinaryIO | None]:
        """The list, if there is one, while no other process looks at it to append; one that dies lets go of it."""
        if self.path is None:
            yield None
            return
        with self.path.open("ab", buffering=0) as file:  # a line is whole also where the system has no locks
            with suppress(ImportError, OSError):
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def look(self) -> None:
        """Learn what other processes have put on the list."""
        if self.path is not None and self.most is not None:
            self.known |= listed(self.path)

    def warn(self) -> None:
        """Say once that there are bad recordings, if there are."""
        if self.most is None or self._warned:
            return
        if self.path is not None and self.path.stat().st_size == len(_HEADER):
            return
        self.look()
        if self.known:
            self._warned = True
            where = f"; {self.path} will name each with the reason" if self.path else ""
            first = "" if self.source.of_people and where else f", the first of them {next(iter(self.known))}"
            warnings.warn(
                f"recordings that cannot be used are left out{first}; others are heard in their places "
                f"(loader.bad_samples: skip){where}",
                BadSampleWarning,
                stacklevel=2,
            )

    def answer(self, error: BaseException) -> None:
        """After an error in training: put the recording that ended a worker on the list, so that it can go on.

        Raises:
            ValueError: a recording ended a worker and may not be skipped, or it is not sure that it was the recording.
            BaseException: the error itself, which tells of something else.
        """
        told = _ended(error)
        if told is None:
            raise error
        pids, how = told
        rows = {pid: 2 * (pid % ROWS) for pid in pids}
        reading = [self._reading[r + 1] - 1 for pid, r in rows.items() if self._reading[r] == pid]
        indices = [index for index in dict.fromkeys(reading) if index >= 0]
        if not indices:
            raise ValueError(
                f"a process that reads recordings was ended ({how}), and was reading none just then; if the system "
                "ended it for want of memory, take fewer (loader.num_workers)"
            ) from error
        for index in indices:
            deadly = _deadly(self.source, index)
            if deadly is None:
                raise ValueError(
                    f"a process was ended ({how}) while it read recording {self._place(index)}, which can be read in a "
                    "process of its own; if the system ended it for want of memory, take fewer (loader.num_workers), "
                    "and go on with `tympan resume`"
                ) from error
            if self.most is None:
                raise ValueError(
                    f"recording {self._place(index)} ends the process that reads it ({deadly}); encode it again or "
                    "take it out, or set loader.bad_samples: skip. `tympan prepare` finds every such recording"
                ) from error
            self.add(index, f"it ends the process that reads it ({deadly})")

    def _place(self, index: int) -> str:
        uris = [uri for uri, indices in self.source.files().items() if index in indices]
        return " in ".join([self.source.describe(index).id, *uris])

    def _named(self) -> str:
        first = "; ".join(f"{id}: {why}" for id, why in list(self.known.items())[:SAID])
        more = f" and {len(self.known) - SAID} more" if len(self.known) > SAID else ""
        return f"{first}{more}" + (f"; {self.path} names all" if self.path else "")


def listed(path: Path) -> dict[str, str]:
    """Why each recording of a list is bad, by id."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["why"] for row in csv.DictReader(file)}


def _ended(error: BaseException) -> tuple[list[int], str] | None:
    """The ids of processes that were ended, and how, if an error or what it came of tells that; as torch says it."""
    cause: BaseException | None = error
    while cause is not None:
        said = re.match(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (.*)", str(cause))
        if said:
            return [int(pid) for pid in said[1].split(",")], said[2].partition(". ")[0].strip(" .")
        cause = cause.__cause__ or cause.__context__
    return None


def _deadly(source: Source, index: int) -> str | None:
    """The name of the signal that ends a process of its own which reads a recording; nothing where it reads it."""
    alone = multiprocessing.Process(target=_read, args=(source, index), daemon=True)
    alone.start()
    alone.join(ALONE)
    if alone.is_alive():
        alone.kill()
        alone.join()
        return None
    code = alone.exitcode or 0
    return Signals(-code).name if code < 0 else None


def _read(source: Source, index: int) -> None:
    with suppress(OSError, ValueError):
        source.clip(index, 0, 0)
