"""Runs, artifacts and other files or folders by path or URI: a copy of what lies elsewhere, on this machine."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import cache, storage
from .upload import send

LEFT = "checkpoints/"
"""What is not brought with a run: it is large, and only `resume` reads it. A checkpoint may be named itself."""


def here(place: str | Path) -> Path:
    """A local path that holds what `place` does: itself, or a copy in the cache, to be read only.

    A file is fetched as sound is, once for each version of it. Of a folder in a bucket every file is, except those of
    its `checkpoints`; together they are one state of it, and are brought anew where one of them has changed.

    Raises:
        OSError: it is missing, may not be read, or there is no room; the message names it.
    """
    if not storage.is_remote(place):
        return storage.local_path(place)
    if not storage.is_folder(place):
        return cache.local(place)
    files = {name: cache.local(uri) for name, uri in _files(place)}
    state = hashlib.sha256(repr([(name, path.name) for name, path in files.items()]).encode()).hexdigest()[:32]
    made = _room() / state / _name(place)
    if not made.is_dir():
        made.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=storage.ASIDE, dir=made.parent) as aside:
            _fill(files, whole := Path(aside, "whole"))
            try:
                whole.rename(made)
            except OSError:
                if not made.is_dir():  # else another process was faster
                    raise
    return made


@contextmanager
def working(place: str | Path, fresh: bool = False, whole: bool = False) -> Iterator[Path]:
    """A local folder to work in: the folder itself, or a copy of one in a bucket, where all that was changed or added
    is sent at the end, if nothing failed. A `fresh` one is made, and nothing is brought; a `whole` one has all
    checkpoints too, and what came of it is sent even where something failed, since it is to be gone on with.

    Raises:
        OSError: as `here` and `send` do.
    """
    if not storage.is_remote(place):
        folder = storage.local_path(place)
        if fresh:
            folder.mkdir(parents=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix=storage.ASIDE, dir=_room()) as room:
        folder = Path(room, _name(place))
        folder.mkdir()
        _fill({name: cache.local(uri) for name, uri in ([] if fresh else _files(place, whole))}, folder)
        try:
            yield folder
        except BaseException:
            if whole:
                send(folder, str(place))
            raise
        send(folder, str(place))


def foreign(path: str | Path) -> bool:
    """Whether a file lies elsewhere, or is a copy of one that does: then no code is taken on its word."""
    return storage.elsewhere(path) or Path(path).resolve().is_relative_to((cache.folder() / "folders").resolve())


def above(place: str | Path) -> list[str]:
    """A folder and the two above it, by absolute path or URI."""
    found = [str(place).rstrip("/") if storage.is_remote(place) else str(storage.local_path(place).resolve())]
    for _ in range(2):
        found.append(found[-1].rpartition("/")[0] if storage.is_remote(place) else str(Path(found[-1]).parent))
    return [folder for folder in found if not folder.endswith(":/")]  # `gs:/` is above a bucket


def _room() -> Path:
    room = cache.folder() / "folders"
    room.mkdir(parents=True, exist_ok=True)
    return room


def _name(place: str | Path) -> str:
    return str(place).rstrip("/").rpartition("/")[2]


def _files(place: str | Path, whole: bool = False) -> list[tuple[str, str]]:
    """Names below a folder in a bucket, and their URIs."""
    prefix = str(place).rstrip("/") + "/"
    named = [(uri.removeprefix(prefix), uri) for uri in storage.listing(prefix.rstrip("/"))]
    return [(storage.join("", name), uri) for name, uri in named if whole or f"/{LEFT}" not in f"/{name}"]


def _fill(files: dict[str, Path], folder: Path) -> None:
    for name, path in files.items():
        to = folder / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)
        os.utime(to, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
