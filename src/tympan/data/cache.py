"""Fetch once, decode once, read many: entries named by what they hold, put into place whole."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float

from . import arrays, once, storage, writers
from .client import call, fault, split

FORMAT = 1
"""Of what `decoded` and `made` keep; another number makes everything again."""
VERSIONS = ("ETag", "etag", "md5Hash", "LastModified", "Last-Modified", "updated", "created", "mtime")
"""By what file systems tell the versions of a file apart."""
SHARED = "TYMPAN_VERSIONS"
"""The environment variable that names the folder with the versions of remote files that processes share."""

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
            _fetch(uri, written, size)
    return path


def held(uri: str | Path) -> bool:
    """Whether `local` has nothing to fetch."""
    new = split(uri)[0] in once.BUCKETS and not _seen(uri).is_file()
    return not storage.is_remote(uri) or (not new and _whole(*_place(uri)))


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
    with tempfile.TemporaryDirectory(prefix="tympan-", ignore_cleanup_errors=True) as place:
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
    found = arrays.mapped(path)
    if found is None:
        sound = np.ascontiguousarray(read(), np.float32)
        with room(uri, path, sound.nbytes) as written:
            arrays.write(written, sound)
        found = arrays.mapped(path)
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
    if known is not None:
        return known
    shared = Path(os.environ[SHARED], _key(uri)) if SHARED in os.environ and protocol != "memory" else None
    if shared and shared.is_file():
        size, name = json.loads(shared.read_bytes())
        return size, name
    known = _of_bucket(uri) if protocol in once.BUCKETS else _told(uri, storage.info(uri))
    if shared:  # where it is looked up again: memory would grow with the corpus
        with storage.aside(shared) as written:
            written.write_text(json.dumps(known))
    elif protocol != "memory":  # which costs nothing to ask
        _known[str(uri)] = known
    return known


def _of_bucket(uri: str | Path) -> tuple[int | None, str]:
    """As `_version`; a file that was never seen here is fetched at once, and its version comes with its bytes."""
    seen = _seen(uri)
    if seen.is_file():
        return _told(uri, once.info(uri))
    came = folder() / "files" / f"{seen.name}-{os.getpid()}-{threading.get_ident()}"
    try:
        with room(uri, came, 0) as written:
            known = _told(uri, once.get(uri, written))
    except OSError as error:
        if error.errno not in storage.FULL:
            raise
        return _told(uri, once.info(uri))  # whose size is told where there is no room for it
    came.replace(_kept(uri, known[1]))
    seen.parent.mkdir(parents=True, exist_ok=True)
    seen.touch()
    return known


def _told(uri: str | Path, info: dict[str, Any]) -> tuple[int | None, str]:
    """Size and name of a version, from what a server says of the file."""
    of = once.version(info) if split(uri)[0] in once.BUCKETS else [info[name] for name in VERSIONS if name in info]
    version = [*split(uri), info.get("size"), *of]
    return info.get("size"), hashlib.sha256(repr(list(map(str, version))).encode()).hexdigest()[:32]


def _key(uri: str | Path) -> str:
    return hashlib.sha256(str(uri).encode()).hexdigest()


def _seen(uri: str | Path) -> Path:
    """The mark that some version of a file was fetched."""
    return folder() / "seen" / _key(uri)[:32]


def _place(uri: str | Path) -> tuple[Path, int | None]:
    """Where a remote file is kept, and its size (bytes) where that is known."""
    size, name = _version(uri)
    return _kept(uri, name), size


def _kept(uri: str | Path, name: str) -> Path:
    return folder() / "files" / f"{name}{PurePosixPath(str(uri).partition('?')[0]).suffix[:16]}"


def _whole(path: Path, size: int | None) -> bool:
    return path.is_file() and size in (None, path.stat().st_size)


def _fetch(uri: str | Path, written: Path, size: int | None) -> None:
    def check() -> None:
        if size not in (None, written.stat().st_size):
            raise ConnectionError(f"{written.stat().st_size} bytes came instead of {size}")

    def whole(client: Any, remote: str) -> None:
        client.get_file(remote, str(written))
        check()

    if split(uri)[0] in once.BUCKETS:
        once.get(uri, written)
        check()
    else:
        call(uri, whole)


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
            if writers.gone(left):
                left.unlink()
