"""One process to a run's folder."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..data import storage

LOCK = f"{storage.ASIDE}lock"
"""By its name it is not copied to a bucket."""


_held: set[Path] = set()
"""Where this process works. The system's lock is a process's own: to ask for it twice is to be given it, and to close
the file a second time is to lose it."""


class Locked(ValueError):
    """Another process is at work in the folder."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """While it lasts, no other process works in the folder; a process that dies, however it does, lets go of it.

    The lock is the system's, on the file, and not the file: one that was left behind holds nobody. It is of this
    process alone, so that workers which outlive it for a moment do not hold it.

    Raises:
        Locked: another process works there, or this one; the message says which, and where.
    """
    if folder.resolve() in _held:
        raise Locked(f"{folder}: this process is at work there already")
    try:
        import fcntl
    except ImportError:  # Windows, whose users must see to it
        yield
        return
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise Locked(f"{folder}: {_who(os.read(handle, 1000))} is at work there; wait, or end it") from error
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        _held.add(folder.resolve())
        yield
    finally:
        _held.discard(folder.resolve())
        os.close(handle)


def busy(folder: Path) -> bool:
    """Whether a process is at work in the folder, this one or another."""
    if folder.resolve() in _held:
        return True
    if not (folder / LOCK).is_file():
        return False
    try:
        import fcntl

        with (folder / LOCK).open("rb+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except ImportError:
        return False
    return False


def _who(said: bytes) -> str:
    try:
        told = json.loads(said)
        return f"process {told['pid']} on {told['host']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
