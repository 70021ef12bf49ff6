"""A zip archive from elsewhere -> a folder: checked whole before a byte is written, and put into place in one step."""

import errno
import os
import secrets
import shutil
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from . import storage, writers
from .archive_list import Reader, refused
from .client import fault

CHUNK = 1 << 18
"""Bytes that are decompressed at once."""
UNPACKED = ".unpacked"
"""How the names of folders that are not yet whole end."""

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeError,
    OverflowError,
)
"""What Python's reader raises on an archive that is torn or forged."""
_WAY_OUT = "nothing of it was kept; get it anew from somebody whom you trust"

Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


def vacant(out: str | Path, replace: bool = False) -> Path:
    """The local folder that an archive may become.

    Args:
        replace: whether a folder that is there may be replaced.

    Raises:
        ValueError: it is not on this machine, or there is something that is not to be replaced.
    """
    if storage.is_remote(out):
        raise ValueError(f"{out} is not a local folder; write to one, then copy it")
    folder = storage.local_path(out)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ValueError(f"{folder} is a link or a file, not a folder; name another one")
    if folder.is_dir() and any(folder.iterdir()):
        if not replace:
            raise ValueError(
                f"{folder} is there already and is not empty; nothing was changed: name another folder, or ask for it "
                "to be replaced (--replace)"
            )
        if _old(folder).exists():
            raise ValueError(f"{_old(folder)} is in the way: look what it holds, and move or remove it")
    return folder


def unpack(
    archive: Path,
    out: Path,
    holding: str,
    *,
    replace: bool = False,
    notes: Mapping[str, str] = {},
    progress: Progress | None = None,
) -> None:
    """Make a folder of an archive. It is written beside and renamed when it is whole; until then nothing is changed.

    Args:
        archive: a zip archive; nothing that it says is trusted.
        out: the new folder, as `vacant` gives it.
        holding: the name of one file; the folder of the archive that holds it is what `out` becomes.
        replace: whether a folder that is there is replaced, once the other is complete.
        notes: texts that are added, by file name.
        progress: is told how many bytes are written, and of how many.

    Raises:
        ValueError: the archive is broken, or has a file that is not what it should be; the message says which.
        OSError: there is no room for it.
    """
    with _beside(out) as aside:
        extract(archive, aside, progress)
        found = [path.parent for path in aside.rglob(holding) if path.is_file()]
        if len(found) != 1:
            raise ValueError(f"{archive.name} has {len(found)} files {holding}, not one; {_WAY_OUT}")
        for name, text in notes.items():
            storage.write_text(found[0] / name, text)
        vacant(out, replace)  # somebody may have come first
        _swap(found[0], out)


def extract(archive: Path, folder: Path, progress: Progress | None = None) -> None:
    """Write an archive's files into an empty folder: plain files at plain paths below it, and nothing else.

    What `archive_list` finds in the list of files is refused before anything is written. While it is written, a file
    that is longer or shorter than the list says, or whose checksum differs, ends it.

    Raises:
        ValueError, OSError: as for `unpack`; what was written by then is left.
    """
    total = done = 0
    try:
        with Reader(archive.open("rb", buffering=0)) as file, zipfile.ZipFile(file) as opened:
            listed = opened.infolist()
            if why := refused(listed, archive.stat().st_size, opened.start_dir):
                raise ValueError(f"{archive.name} is refused: {why}; {_WAY_OUT}")
            files = [info for info in listed if not info.orig_filename.endswith("/")]
            total = sum(info.file_size for info in files)
            if total > shutil.disk_usage(folder).free:
                raise OSError(errno.ENOSPC, "the disk is full")
            for info in files:
                target = folder / info.orig_filename
                target.parent.mkdir(parents=True, exist_ok=True)
                for size in _write(opened, info, target):
                    done += size
                    if progress:
                        progress(done, total)
    except _BROKEN as error:
        raise ValueError(f"{archive.name} is no whole zip archive ({error}); {_WAY_OUT}") from error
    except OSError as error:
        if error.errno in storage.FULL:
            raise storage.no_room(f"{archive.name} cannot be unpacked", error, total, folder) from error
        raise fault(archive, error) from error


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> Iterator[int]:
    """Write one file, which must not be there; the bytes of each piece."""
    left = info.file_size
    with opened.open(info) as packed, target.open("xb") as file:
        while chunk := packed.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                break
            file.write(chunk)
            yield len(chunk)
    if left:
        raise zipfile.BadZipFile(f"{info.orig_filename!r} is longer or shorter than it says")


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A new folder on the same disk; nothing is left of it, nor of those whose writers died."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for left in out.parent.glob(f"{storage.ASIDE}*{UNPACKED}"):
        if writers.gone(left):
            shutil.rmtree(left, ignore_errors=True)
    aside = out.with_name(f"{storage.ASIDE}{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}{UNPACKED}")
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _old(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.replaced")


def _swap(new: Path, out: Path) -> None:
    """Put a folder in the place of another, which is kept under another name until that is done."""
    if out.is_dir() and not any(out.iterdir()):
        out.rmdir()
    if not out.exists():
        new.rename(out)
        return
    out.rename(_old(out))
    try:
        new.rename(out)
    except OSError:
        _old(out).rename(out)
        raise
    shutil.rmtree(_old(out), ignore_errors=True)
