"""Whole folders between this machine and a bucket: each file of them is brought or sent once, and verified."""

import base64
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from . import cache, storage
from .client import call, split

THREADS = 8
"""Files that travel at once."""
TRIES = 3
"""How often a file is sent that does not arrive as it is."""

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def bring(uri: str | Path, wanted: Callable[[str], bool] = lambda name: True) -> Path:
    """A path at which a folder can be read: a local one as it is, one in a bucket after it is copied into the cache.

    The copy appears when it is whole. It holds the versions that one listing tells of; other versions have their own.

    Args:
        uri: the folder.
        wanted: which files to bring, by their paths below the folder; all by default.

    Raises:
        FileNotFoundError: the bucket holds nothing there that is wanted.
        ValueError: a file is called so that it would lie outside of the folder.
    """
    if not storage.elsewhere(uri):
        return storage.local_path(uri)
    uri = str(uri).rstrip("/")
    there = {name: info for name, info in _objects(uri).items() if wanted(name)}
    if not there:
        raise FileNotFoundError(f"{uri} does not exist, or holds nothing that is needed here; check its spelling")
    told = [(name, *(str(info.get(key)) for key in ("size", *cache.VERSIONS))) for name, info in sorted(there.items())]
    version = hashlib.sha256(repr((uri, told)).encode()).hexdigest()[:32]
    parent, last = cache.folder() / "folders", storage.check_id(uri.rpartition("/")[2])
    if (parent / version).is_dir():
        return parent / version / last
    size = sum(int(info.get("size") or 0) for info in there.values())
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{storage.ASIDE}*"):
        if cache.abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    if size > (free := shutil.disk_usage(parent).free):
        raise OSError(f"{uri} has {size:,} bytes, and {free:,} are free in {parent}; set TYMPAN_CACHE to another disk")
    written = parent / f"{storage.ASIDE}{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        _all(lambda n: _fetch(storage.join(uri, n), Path(storage.join(written / last, n)), there[n]), sorted(there))
        written.rename(parent / version)
    except OSError:
        if not (parent / version).is_dir():  # else another process was sooner
            raise
    finally:
        shutil.rmtree(written, ignore_errors=True)
    return parent / version / last


def send(folder: Path, uri: str) -> tuple[int, int]:
    """Copy a folder's files below a URI: those that are missing there, or different; each is seen to have arrived.

    Returns:
        How many files were sent, and how many there are.

    Raises:
        OSError: a file could not be sent, or did not arrive as it is.
        ValueError: the URI is not in a bucket.
    """
    check_bucket(uri)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and storage.ASIDE not in str(path)]
    there = _objects(uri)

    def one(path: Path) -> bool:
        name = path.relative_to(folder).as_posix()
        to = storage.join(uri, name)
        if name in there and _same(path, to, there[name]):
            return False
        for _ in range(TRIES):
            call(to, lambda client, remote: client.put_file(str(path), remote))
            if _same(path, to, storage.info(to)):
                return True
        raise ConnectionError(f"{to} does not hold what was sent, after {TRIES} tries; try again later")

    return sum(_all(one, files)), len(files)


def check_bucket(uri: str) -> str:
    """The URI, if it names a place in a bucket.

    Raises:
        ValueError: it does not.
    """
    if not storage.elsewhere(uri) or split(uri)[0] == "https":
        raise ValueError(f"{uri} is in no bucket; name a place that begins with gs:// or s3://")
    return uri


def _objects(uri: str) -> dict[str, dict[str, Any]]:
    """What one listing tells of the files below a URI, by their paths below it."""
    if split(uri)[0] == "https":
        raise ValueError(f"{uri} cannot be listed over https; copy the folder here, or into a bucket")
    try:
        found = call(uri, lambda client, path: client.find(path, detail=True))
    except FileNotFoundError:
        return {}
    root = split(uri)[1].strip("/") + "/"
    plain = {name.lstrip("/"): info for name, info in found.items() if not name.endswith("/")}
    return {name.removeprefix(root): info for name, info in plain.items() if name.startswith(root)}


def _fetch(uri: str, path: Path, info: dict[str, Any]) -> None:
    def fetched(client: Any, remote: str) -> None:
        client.get_file(remote, str(path))
        if path.stat().st_size != info.get("size") or _told(info) not in (None, _md5(path)):
            raise ConnectionError("what came is not what the listing tells of")

    path.parent.mkdir(parents=True, exist_ok=True)
    call(uri, fetched)


def _same(path: Path, uri: str, info: dict[str, Any]) -> bool:
    """Whether a file in a bucket has the bytes of a local one; read again where the bucket gives no checksum."""
    if info.get("size") != path.stat().st_size:
        return False
    own, told = _md5(path), _told(info)
    if told is not None or _etag(info) == own:
        return told in (None, own)
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder, "file")
        call(uri, lambda client, remote: client.get_file(remote, str(again)))
        return _md5(again) == own


def _told(info: dict[str, Any]) -> str | None:
    """The MD5 of a file by its bucket, where it tells one for certain."""
    return base64.b64decode(info["md5Hash"]).hex() if "md5Hash" in info else None


def _etag(info: dict[str, Any]) -> str:
    """What S3 calls a file's version: its MD5, but for a file that came in parts or is encrypted with a key."""
    return str(info.get("ETag", "")).strip('"')


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _all(one: Callable[[_Item], _Made], items: Sequence[_Item]) -> list[_Made]:
    """What is made of each item, several at once; the first error ends it."""
    pool = ThreadPoolExecutor(THREADS, "exchange")
    try:
        return list(pool.map(one, items))
    finally:
        pool.shutdown(cancel_futures=True)
