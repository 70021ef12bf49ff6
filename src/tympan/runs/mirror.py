"""A run's folder as it is, in a bucket, while it trains: it can be gone on with from there on another machine."""

import os
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from ..data import storage
from ..data.client import call
from ..data.upload import aside, send
from . import ids, sealed
from .checkpoint import FOLDERS
from .run import Run

CHECKPOINTS = "checkpoints"
PAUSE = 4.0
"""How many times as long as the last copy took no new one begins, so that copies take a fifth of the time at most."""


class MirrorWarning(UserWarning):
    """A copy failed; the run goes on."""


class Mirror(TrainerCallback):
    """Copies a run's folder into a bucket after a checkpoint, by a thread of its own; without the table of whose codes
    are whose.

    Checkpoints that the run no longer keeps are removed there as well, once those that it keeps have come whole.
    """

    def __init__(self, folder: Path, into: str) -> None:
        """Args:
        into: the run's own folder in the bucket.
        """
        self.folder, self.into = folder, into
        self._thread: threading.Thread | None = None
        self._next, self._failed, self._warned = 0.0, "", False

    def on_save(self, *args: Any, **kwargs: Any) -> None:
        """Begin a copy, unless one is under way, or was a moment ago."""
        if self._failed and not self._warned:
            self._warned = True
            said = f"checkpoint.upload: {self._failed}; training goes on, and what is missing there is sent later"
            warnings.warn(said, MirrorWarning, stacklevel=2)
        if (self._thread and self._thread.is_alive()) or time.monotonic() < self._next:
            return
        self._thread = threading.Thread(target=self._copy, name="upload", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for the copy that is under way."""
        if self._thread:
            self._thread.join()

    def _copy(self) -> None:
        began = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix=storage.ASIDE, dir=self.folder) as made:
                _picture(self.folder, Path(made))
                send(Path(made), self.into, without=(ids.FILE,))
                prune(Path(made), self.into)
        except (OSError, ValueError) as error:
            self._failed = str(error)
        self._next = time.monotonic() + PAUSE * (time.monotonic() - began)


@contextmanager
def mirrored(run: Run, folder: Path, place: str | Path = "") -> Iterator[tuple[Mirror, ...]]:
    """While a run is in its folder: what copies it after checkpoints to where `upload` says, if anywhere.

    Args:
        place: where the folder itself is a copy from, if that is a bucket; then there.
    """
    to = run.checkpoint.upload
    into = str(place) if storage.is_remote(place) else to and storage.join(to, folder.name)
    if not into:
        yield ()
        return
    mirror = Mirror(folder, into)
    try:
        yield (mirror,)
    finally:
        mirror.close()


def prune(folder: Path, into: str) -> None:
    """Remove from a bucket the checkpoints that a run's folder, which was sent there, no longer has."""
    kept = {path.relative_to(folder).as_posix() for path in _checkpoints(folder)}
    if not kept:
        return
    for uri in storage.listing(into):
        above, found, name = uri.removeprefix(f"{into.rstrip('/')}/").partition(f"{CHECKPOINTS}/")
        if found and f"{above}{found}{name.partition('/')[0]}" not in kept:
            call(uri, lambda client, path: client.rm_file(path))


def _checkpoints(folder: Path) -> list[Path]:
    every = [seal.parent for seal in folder.rglob(f"{CHECKPOINTS}/{FOLDERS}/{sealed.SEAL}")]
    return [path for path in every if not aside(path.relative_to(folder))]


def _picture(folder: Path, into: Path) -> None:
    """A folder as it is now, while others write in it and take from it."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and CHECKPOINTS not in name.parts and not aside(name):
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # it was removed meanwhile
                shutil.copyfile(path, into / name)
    for checkpoint in _checkpoints(folder):
        to = into / checkpoint.relative_to(folder)
        try:
            shutil.copytree(checkpoint, to, copy_function=_link)
        except OSError:  # it was pruned meanwhile
            shutil.rmtree(to, ignore_errors=True)


def _link(path: str, to: str) -> None:
    """The same file by another name, since nobody writes into a sealed one; a copy where a disk has no links."""
    try:
        os.link(path, to)
    except OSError:
        shutil.copyfile(path, to)
