"""Any source -> a folder of wav files, a table of what is known of them, and what made them."""

import hashlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from . import Source, Values, audio, storage
from .dataset_folder import (
    DATASET,
    GROUP,
    METADATA,
    OWN,
    UNFINISHED,
    Row,
    about,
    alone,
    claim,
    finish,
    known,
    note,
    sweep,
)
from .table import some

Subtype = Literal["PCM_16", "PCM_24", "PCM_32", "FLOAT"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def generate(
    source: Source,
    out: str | Path,
    *,
    subtype: Subtype = "PCM_24",
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    only: Iterable[int] | None = None,
) -> Path:
    """Write every example of a source to a local folder, which the dataset `recorded` reads.

        sample_000123.wav    one for each example, whole
        metadata.parquet     id, file, duration (s), sha256 of the file, group_<kind>, and a column for each value
        dataset.yaml         the source's configuration, seed, units, rate, version, and sha256 of both

    What was interrupted, in any way, goes on at the sample where it died; what changed or was lost since is made again.
    Every file is written aside and renamed, and the number of workers does not change a byte.

    Args:
        subtype: how a sample is stored; only FLOAT holds magnitudes above 1.
        workers: processes; a script that asks for several needs `if __name__ == "__main__":`.
        progress: is told how many examples are done, and of how many.
        only: of a folder that is complete, make these entries again and touch no other.

    Raises:
        ValueError: the folder holds something else, which stays as it is, or is being written; there is no such entry;
            or an example is unusable.
    """
    folder = local(out, workers)
    made_by = about(source, subtype)
    if only is not None and not (folder / DATASET).exists():
        raise ValueError(f"{folder} holds no dataset of which entries could be made again; generate all of it first")
    with alone(folder):
        there = claim(folder, made_by)
        rows = known(folder)
        files = [_file(index) for index in range(len(source))]
        if only is None:
            items = [(index, rows.get(file)) for index, file in enumerate(files)]
        else:
            items = [(index, None) for index in _entries(folder, only, files)]
            if "metadata_sha256" not in there or not rows.keys() >= set(files):
                raise ValueError(f"{folder} is not complete; generate all of it first, it will go on")
        sweep(folder)
        (folder / UNFINISHED).touch()
        for done, row in enumerate(spread(partial(_sample, source, folder, subtype), items, workers), 1):
            rows[row["file"]] = row
            if progress:
                progress(done, len(items))
        features = there.get("features") or source.own_features
        told = {**made_by, "features": dict(features)} if features else made_by
        finish(folder, [rows[file] for file in files], told)
    return folder


def local(out: str | Path, workers: int) -> Path:
    """The folder to fill.

    Raises:
        ValueError: it is not on this machine, is a file, or nobody is to fill it.
    """
    if storage.is_remote(out):
        raise ValueError(f"{out} is not a local folder; write to one, then copy it")
    if workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers}")
    folder = storage.local_path(out)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, not a folder; name another one")
    return folder


def spread(one: Callable[[_Item], _Result], items: Sequence[_Item], workers: int) -> Iterator[_Result]:
    """The results for all items, in order, by so many processes, none of which outlives this one.

    Raises:
        OSError: one of them was ended from outside.
    """
    if workers == 1:
        yield from map(one, items)
        return
    # Spawned, since a forked process may inherit a lock that some thread holds.
    try:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _end_with_parent) as pool:
            yield from pool.map(one, items, chunksize=max(min(len(items) // (8 * workers), 64), 1))
    except BrokenProcessPool as error:
        raise OSError(
            f"one of {workers} processes was ended, perhaps since memory ran out; what is done stays: do the same "
            "again, with fewer workers"
        ) from error


def _end_with_parent() -> None:
    """In a process of the pool: end when the one that started it has, which may have been killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _file(index: int) -> str:
    return f"sample_{index:06d}.wav"


def _entries(folder: Path, only: Iterable[int], files: Sequence[str]) -> list[int]:
    """The entries to make again, each once.

    Raises:
        ValueError: there is no such entry, or none is named.
    """
    entries = sorted(set(only))
    beyond = [str(entry) for entry in entries if not 0 <= entry < len(files)]
    if beyond or not entries:
        told = f"has no entry {some(beyond)}" if beyond else "would be left as it is: no entry is named"
        raise ValueError(f"{folder} {told}; its entries are 0 to {len(files) - 1}")
    return entries


def _sample(source: Source, folder: Path, subtype: Subtype, item: tuple[int, Row | None]) -> Row:
    """Write an example, unless it is there as its row says, and return its row."""
    index, row = item
    file = folder / _file(index)
    if row is not None and _sha256(file) == row["sha256"]:
        return row
    example = source[index]
    audio.write(file, example.waveform, source.sample_rate, subtype)
    length = example.waveform.shape[1] / source.sample_rate
    row = _row(example.id, file.name, length, _sha256(file), example.groups, example.values)
    note(folder, row)
    return row


def _sha256(file: Path) -> str:
    """Of a file's bytes; nothing where there is none."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def _row(id: str, file: str, duration: float, sha256: str, groups: dict[str, str], values: Values) -> Row:
    taken = [name for name in values if name in OWN or name.startswith(GROUP)]
    if taken:
        raise ValueError(f"example {id}: a value may not be called {taken[0]!r}, as a column of {METADATA} is")
    cells = {name: np.asarray(value).tolist() for name, value in values.items()}
    kinds = {f"{GROUP}{kind}": group for kind, group in groups.items()}
    return {"id": id, "file": file, "duration": duration, "sha256": sha256, **kinds, **cells}
