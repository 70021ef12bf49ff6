"""The official datasets of kac_drumset, from the record where they are published: fetched, checked, unpacked."""

import hashlib
import http.client
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..component import did_you_mean
from . import archive, cache, official, transfer
from .dataset_folder import DATASET
from .download import Refused
from .kac_drumset import METADATA, find

HOME = "https://zenodo.org"
"""The server that has the record."""
MAX_BYTES = 32 << 30
"""The most bytes of an archive."""
FETCHED = "fetched.json"
"""The file that says where a folder came from."""


@dataclass(frozen=True)
class _Listed:
    """What the record says of an archive."""

    name: str
    link: str
    size: int
    algorithm: str
    digest: str


def fetch(
    name: str,
    out: str | Path,
    *,
    replace: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    home: str | None = None,
) -> Path:
    """Download an official dataset and unpack it to a local folder, which the dataset `recorded` reads.

    What has come is kept in the cache until the folder is there, so that the same call goes on where it was stopped.
    The folder appears when it is complete; one that is there stays as it is until then.

    Args:
        name: one of `official.files()`.
        replace: whether a dataset that is there is replaced; a folder of anything else never is.
        progress: is told the stage, `fetch` or `unpack`, how many bytes are done, and of how many.
        home: the server that has the record, by default `HOME`; another one is for tests.

    Raises:
        ValueError: an unknown name; a folder that is there; a server that cannot be reached, or says what cannot be.
        OSError: there is no room for it.
    """
    names = list(official.files())
    if name not in names:
        raise ValueError(f"{name!r} is no official dataset; one of: {', '.join(names)}{did_you_mean(name, names)}")
    folder = archive.vacant(out, replace)
    ours = find(str(folder)) or any((folder / file).exists() for file in (DATASET, FETCHED))
    if folder.is_dir() and any(folder.iterdir()) and not ours:
        raise ValueError(
            f"{folder} holds no dataset: no {DATASET}, {METADATA} or {FETCHED}; it is not replaced, name another one "
            "or remove it yourself"
        )
    try:
        listed = _listed(name, home or HOME)
        part = cache.folder() / "archives" / f"{listed.digest}.zip"
        with _alone(part):
            _whole(listed, part, partial(progress, "fetch") if progress else None)
            told = {"name": name, "record": official.RECORD, "link": listed.link, listed.algorithm: listed.digest}
            notes = {FETCHED: json.dumps(told, indent=1) + "\n"}
            unpacked = partial(progress, "unpack") if progress else None
            archive.unpack(part, folder, METADATA, replace=replace, notes=notes, progress=unpacked)
            transfer.forget(part)
    except Refused as error:
        raise ValueError(
            f"{name} could not be fetched: {error}. Without a network `tympan generate {name} {out}` makes its like"
        ) from error
    return folder


def _listed(name: str, home: str) -> _Listed:
    """What the record says of the archive of a dataset."""
    about = f"{home}/api/records/{official.RECORD}"
    try:
        told = transfer.text(about)
    except (OSError, http.client.HTTPException) as error:
        raise Refused(f"{home} could not be reached ({getattr(error, 'strerror', None) or error})") from error
    try:
        file = next(file for file in json.loads(told)["files"] if file["key"] == f"{name}.zip")
        size, (algorithm, digest) = int(file["size"]), str(file["checksum"]).split(":")
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError) as error:
        raise Refused(f"{about} does not tell the size and the checksum of {name}.zip") from error
    if not 0 < size <= MAX_BYTES:
        raise Refused(f"{about} says that {name}.zip has {size:,} bytes, where {MAX_BYTES:,} are allowed")
    if algorithm not in ("md5", "sha256", "sha512") or not re.fullmatch(r"[0-9a-f]{32,128}", digest):
        raise Refused(f"{about} gives a checksum of {name}.zip that is none by md5, sha256 or sha512")
    return _Listed(name, f"{home}/records/{official.RECORD}/files/{name}.zip", size, algorithm, digest)


def _whole(listed: _Listed, part: Path, progress: archive.Progress | None) -> None:
    """Bring the archive to the cache, with the checksum that the record gives; of two versions pieced, once more."""
    pieced = transfer.transfer(listed.link, part, listed.size, progress)
    found = _digest(listed, part)
    if found != listed.digest and pieced:
        transfer.forget(part)
        transfer.transfer(listed.link, part, listed.size, progress)
        found = _digest(listed, part)
    if found != listed.digest:
        transfer.forget(part)
        raise Refused(
            f"{listed.link} is not what its record describes ({listed.algorithm} {found}, not {listed.digest}), and "
            "nothing of it was kept"
        )


def _digest(listed: _Listed, part: Path) -> str:
    with part.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(listed.algorithm, usedforsecurity=False)).hexdigest()


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """While it lasts, no other process has to do with the file."""
    try:
        import fcntl
    except ImportError:  # Windows, whose users must see to it
        yield
        return
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.with_name(f"{part.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("another process is fetching it; wait for that to end") from error
        yield
