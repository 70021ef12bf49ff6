"""Fetch once, decode once, read many: entries named by what they hold, put into place whole."""

import errno
import hashlib
import json
import mmap
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float

from . import storage
from .client import call, fault, split

FORMAT = 1
"""Of what `decoded` and `made` keep; another number makes everything again."""
VERSIONS = ("ETag", "etag", "md5Hash", "LastModified", "Last-Modified", "updated", "created", "mtime")
"""By what file systems tell the versions of a file apart."""
STALE = 86400.0
"""Seconds after which a half-written file of another machine has no writer any more."""
SHARED = "TYMPAN_VERSIONS"
"""The environment variable that names the folder with the versions of remote files that processes share."""

_HEADER = re.compile(rb"\x93NUMPY\x01\0v\0\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\), \} *\n")
"""The 128 bytes that numpy writes before a float32 array with two dimensions."""
_WRITER = re.compile(r"(.+)-(\d+)-[0-9a-f]+")
"""The machine and the process in the name of what is written aside."""

_known: dict[str, tuple[int | None, str]] = {}
_swept: set[tuple[int, Path]] = set()


def folder() -> Path:
    """Where the cache is: `TYMPAN_CACHE`, or `~/.cache/tympan`."""
    return Path(os.environ.get("TYMPAN_CACHE") or "~/.cache/tympan").expanduser()


def local(uri: str | Path) -> Path:
    """A path at which the file can be read: a local one as it is, a remote one after it is fetched, once.

    A process asks once which version of a remote file there is, and so do all processes of a run together
    (`asked_once`): a run does not see it change.

    Raises:
        OSError: it is missing, may not be read, cannot be reached, or does not fit on the disk; the message names it.
    """
    if not storage.is_remote(uri):
        return storage.local_path(uri)
    path, size = _place(uri)
    if not _whole(path, size):
        with room(uri, path, size or 0) as written:
            call(uri, lambda client, remote: _fetch(client, remote, written, size))
    return path


def held(uri: str | Path) -> bool:
    """Whether `local` has nothing to fetch."""
    return not storage.is_remote(uri) or _whole(*_place(uri))


def read_bytes(uri: str | Path) -> bytes:
    """All bytes of a file; of one in a bucket they are fetched once, as by `local`."""
    # An https server may not tell versions apart, and a small file must not stay as it was.
    return local(uri).read_bytes() if split(uri)[0] in ("s3", "gs") else storage.read_bytes(uri)


def read_text(uri: str | Path) -> str:
    """A UTF-8 text, as `storage.read_text` reads it; of one in a bucket it is fetched once."""
    return storage.text(read_bytes(uri), uri)


@contextmanager
def asked_once() -> Iterator[None]:
    """While it lasts, this process and all that it starts ask once together which version of a remote file there is."""
    if SHARED in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="tympan-") as place:
        os.environ[SHARED] = place
        try:
            yield
        finally:
            del os.environ[SHARED]


def decoded(
    uri: str | Path, sample_rate: int, channels: str, read: Callable[[], Float[np.ndarray, "channels samples"]]
) -> Float[np.ndarray, "channels samples"]:
    """The decoded sound of a file, mapped from the disk: float32, read-only; copy what is changed or given to torch.

    Args:
        sample_rate: samples per second (Hz) of what `read` returns; with `channels` and the version of the file it
            names the entry.
        read: decodes the file; called when there is no sound entry yet.

    Raises:
        OSError: there is no room for it; or as `local` does.
    """
    path = folder() / "decoded" / f"{_version(uri)[1]}-{sample_rate}-{channels}-{FORMAT}.npy"
    found = _mapped(path)
    if found is None:
        sound = np.ascontiguousarray(read(), np.float32)
        # Not by np.save, which loses the last bytes on a full disk without an error.
        with room(uri, path, sound.nbytes) as written, written.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(sound))
            file.write(sound.data)
        found = _mapped(path)
    if found is None:
        raise OSError(f"{path} cannot be read back; set TYMPAN_CACHE to a folder on another disk")
    return found


def made(uri: str | Path, what: str, make: Callable[[], bytes]) -> bytes:
    """What was made of a file, kept as bytes until there is another version of the file.

    Args:
        what: the folder of the cache to keep it in.
        make: makes it, when there is none yet.

    Raises:
        OSError: there is no room for it; or as `local` does.
    """
    path = folder() / what / f"{_version(uri)[1]}-{FORMAT}"
    if not path.is_file():
        data = make()
        with room(uri, path, len(data)) as written:
            written.write_bytes(data)
    return path.read_bytes()


def _version(uri: str | Path) -> tuple[int | None, str]:
    """Size (bytes) and a name that another version of the file would not have."""
    protocol, path = split(uri)
    if protocol == "file":  # asked for every clip
        try:
            found = os.stat(path)  # noqa: PTH116
        except OSError as error:
            raise fault(uri, error) from error
        version = f"{path}\n{found.st_size}\n{found.st_mtime_ns}\n{found.st_ctime_ns}"
        return found.st_size, hashlib.sha256(version.encode()).hexdigest()[:32]
    known = _known.get(str(uri))
    if known is None:
        place = Path(os.environ.get(SHARED, ""), hashlib.sha256(str(uri).encode()).hexdigest())
        shared = SHARED in os.environ and protocol != "memory"
        if shared and place.is_file():
            size, name = json.loads(place.read_bytes())
            known = size, name
        else:
            info = storage.info(uri)
            version = [protocol, path, info.get("size"), *(info[name] for name in VERSIONS if name in info)]
            known = info.get("size"), hashlib.sha256(repr(list(map(str, version))).encode()).hexdigest()[:32]
            if shared:
                with storage.aside(place) as written:
                    written.write_text(json.dumps(known))
        if protocol != "memory":  # which costs nothing to ask
            _known[str(uri)] = known
    return known


def _place(uri: str | Path) -> tuple[Path, int | None]:
    """Where a remote file is kept, and its size (bytes) where that is known."""
    size, name = _version(uri)
    return folder() / "files" / f"{name}{PurePosixPath(str(uri).partition('?')[0]).suffix[:16]}", size


def _whole(path: Path, size: int | None) -> bool:
    return path.is_file() and size in (None, path.stat().st_size)


def _fetch(client: Any, remote: str, written: Path, size: int | None) -> None:
    client.get_file(remote, str(written))
    if size not in (None, written.stat().st_size):
        raise ConnectionError(f"{written.stat().st_size} bytes came instead of {size}")


def _mapped(path: Path) -> np.ndarray | None:
    """The entry, if it is whole. Its header is read here: `np.load` takes three times as long as the rest of a clip."""
    try:
        with path.open("rb", buffering=0) as file:
            held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # there is none, or it is empty
        return None
    header = _HEADER.fullmatch(held[:128])
    shape = (int(header[1]), int(header[2])) if header else (0, 0)
    if not 0 < 4 * shape[0] * shape[1] == len(held) - 128:
        return None
    return np.frombuffer(held, np.float32, offset=128).reshape(shape)


@contextmanager
def room(uri: str | Path, path: Path, size: int) -> Iterator[Path]:
    """Where to write an entry aside, once there is room for it and nothing is left of writers that died."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
    except OSError as error:
        raise fault(path.parent, error) from error
    try:
        if size > shutil.disk_usage(path.parent).free:
            raise OSError(errno.ENOSPC, "the disk is full")
        with storage.aside(path) as written:
            yield written
    except OSError as error:
        if error.errno not in storage.FULL and type(error) is not OSError:
            raise
        mend = "make room, or set TYMPAN_CACHE to a folder on another disk"
        raise storage.no_room(f"{uri} could not be kept", error, size, path.parent, mend) from error


def _sweep(folder: Path) -> None:
    """Delete, once in a process, what writers that died have left."""
    if (os.getpid(), folder) in _swept:
        return
    _swept.add((os.getpid(), folder))
    for left in folder.glob(f"{storage.ASIDE}*"):
        with suppress(FileNotFoundError):
            if abandoned(left):
                left.unlink()


def abandoned(left: Path) -> bool:
    """Whether nobody writes any more at what was begun aside."""
    named = _WRITER.match(left.name.removeprefix(storage.ASIDE))
    if named is None:  # somebody else's
        return False
    if named[1] == socket.gethostname():
        return not _alive(int(named[2]))
    return time.time() - left.stat().st_mtime > STALE


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
