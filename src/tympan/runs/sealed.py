"""A folder that exists only when it is whole: written beside, synced, sealed by a checksum of every file, renamed.

A file system may tear what is being written when a machine goes away, and a disk may flip a bit long after: neither
passes the seal. What is in a folder without a valid seal is not read.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..data import storage

SEAL = "seal.json"
"""The file that holds the seal: `{step, files: {name: {size, sha256}}, sha256}`, the last of all before it."""


class Unsound(ValueError):
    """Why a folder is not what was sealed."""


@contextmanager
def written(place: Path, step: int, anew: bool = False) -> Iterator[Path]:
    """A folder to write into, which takes the place of `place` in one step, sealed; after an error nothing is left.

    A sound one of the same step that is there already stays as it is, unless `anew`.

    Args:
        place: where it is to be.
        step: optimizer steps, which the seal holds.
        anew: whether there is more to tell of this step now.
    """
    made = aside(place)
    shutil.rmtree(made.parent, ignore_errors=True)  # of a process that died
    made.mkdir(parents=True)
    try:
        yield made
        seal(made, step)
        if place.exists() and not anew and _sound(place, step):
            return
        before = place.with_name(f"{place.name}-before")  # by its seal the newest until the other one is there
        if place.exists():
            _gone(before)
            place.rename(before)
        made.rename(place)
        _sync(place.parent)
        _gone(before)
    finally:
        shutil.rmtree(made.parent, ignore_errors=True)


def aside(place: Path) -> Path:
    """Where a folder is written that is to be at `place`."""
    return place.with_name(f"{storage.ASIDE}{place.name}") / place.name


def seal(folder: Path, step: int) -> None:
    """Bring every file of a folder to the disk, and write down what they hold."""
    files = {name: _sums(folder / name, sync=True) for name in _files(folder)}
    told = {"step": step, "files": files}
    storage.write_text(folder / SEAL, json.dumps({**told, "sha256": _digest(told)}, indent=1) + "\n")
    _sync(folder)


def sealed_step(folder: Path) -> int:
    """The step that a folder's seal tells, which is whole itself; the files may be anything.

    Raises:
        Unsound: there is no seal, or it was changed.
    """
    return int(_seal(folder)["step"])


def verify(folder: Path) -> int:
    """The step of a folder that is as it was sealed.

    Raises:
        Unsound: it is not, and why.
    """
    told = _seal(folder)
    there = [name for name in _files(folder) if name != SEAL]
    for name in there:
        if name not in told["files"]:
            raise Unsound(f"{name} is not among what was sealed")
    for name, wanted in told["files"].items():
        if name not in there:
            raise Unsound(f"{name} is missing")
        size = (folder / name).stat().st_size
        if size != wanted["size"]:
            raise Unsound(f"{name} has {size:,} bytes of {wanted['size']:,}")
        if _sums(folder / name)["sha256"] != wanted["sha256"]:
            raise Unsound(f"{name} has other bytes than were written")
    return int(told["step"])


def newest(folder: Path, pattern: str) -> tuple[Path | None, dict[Path, str]]:
    """The sound folder with the most steps by its seal, and what is passed over for it, with why.

    What is older than it is not looked at; what has no valid seal may be of any age, and is told.
    """
    steps: dict[Path, int] = {}
    passed: dict[Path, str] = {}
    for path in sorted(folder.glob(pattern)):
        try:
            steps[path] = sealed_step(path)
        except Unsound as error:
            passed[path] = str(error)
    for path in sorted(steps, key=lambda path: (steps[path], path.name), reverse=True):
        try:
            verify(path)
        except Unsound as error:
            passed[path] = str(error)
        else:
            return path, passed
    return None, passed


def _gone(folder: Path) -> None:
    if folder.exists():
        remove(folder)


def remove(folder: Path) -> None:
    """Take a folder away in one step, so that nobody finds a half of it."""
    gone = folder.with_name(f"{storage.ASIDE}gone-{folder.name}")
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    shutil.rmtree(gone)


def sweep(folder: Path) -> None:
    """Remove what processes that died have left beside; for who is alone in the folder."""
    for left in folder.glob(f"{storage.ASIDE}*"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def _files(folder: Path) -> list[str]:
    """The names of all files below a folder, without those that systems hide in folders of their own accord."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return [path.relative_to(folder).as_posix() for path in files]


def _sound(folder: Path, step: int) -> bool:
    try:
        return verify(folder) == step
    except Unsound:
        return False


def _seal(folder: Path) -> dict[str, Any]:
    path = folder / SEAL
    try:
        told = json.loads(path.read_bytes())
        step, files, digest = told["step"], told["files"], told["sha256"]
    except FileNotFoundError as error:
        raise Unsound(f"it has no {SEAL}: it was not finished, or the file was deleted") from error
    except NotADirectoryError as error:
        raise Unsound("it is no folder") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unsound(f"{SEAL} is damaged") from error
    if _digest({"step": step, "files": files}) != digest:
        raise Unsound(f"{SEAL} has other bytes than were written")
    return told


def _digest(told: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _sums(path: Path, sync: bool = False) -> dict[str, Any]:
    with path.open("rb+", buffering=0) if sync else path.open("rb", buffering=0) as file:
        if sync:
            os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"size": os.fstat(file.fileno()).st_size, "sha256": digest}


def _sync(folder: Path) -> None:
    """Bring the names in a folder to the disk, where a system can."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
