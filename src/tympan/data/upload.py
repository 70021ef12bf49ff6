"""A local folder -> the same in a bucket: every file compared with what has come, and none sent that is there whole."""

import base64
import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import once, storage
from .client import call, split

MANIFEST = "upload.json"
"""The file in the bucket that says of each file what was sent: `{name: {size, sha256, version}}`."""
PART = 50 << 20
"""The bytes of a part of a large upload, from which S3 makes its checksum."""


@dataclass(frozen=True)
class Sent:
    """What came of it."""

    uri: str
    """The folder in the bucket."""
    sent: int
    """Files that were sent now."""
    there: int
    """Files that were there whole."""
    size: int
    """Bytes that were sent now."""
    kept: tuple[str, ...] = ()
    """Files that stay here."""


def send(
    folder: Path, to: str, progress: Callable[[int, int], None] | None = None, without: Collection[str] = ()
) -> Sent:
    """Copy every file below a folder to the same name below a URI; what else is there stays.

    Each file that is sent is compared with what the bucket then tells of it: its size, and its MD5, or its bytes where
    the server tells no MD5. Files that are there whole are not sent again, so a copy that broke off goes on.

    Args:
        folder: a local folder.
        to: a `gs://`, `s3://` or `memory://` folder, made by what is put into it.
        progress: is told how many files are done, and of how many.
        without: what files are called that stay here, in whichever folder.

    Raises:
        ValueError: `to` is no folder of a bucket.
        OSError: a file cannot be read, sent, or differs after it was sent; the message names it.
    """
    check_bucket(to)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: is no folder, and nothing was sent; name a run's folder")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not aside(path.relative_to(folder))]
    kept = tuple(path.relative_to(folder).as_posix() for path in files if path.name in without)
    files = [path for path in files if path.name not in without]
    there, manifest = _there(to), _manifest(storage.join(to, MANIFEST))
    sent, was, size = 0, 0, 0
    try:
        for done, path in enumerate(files):
            name = path.relative_to(folder).as_posix()
            if name == MANIFEST:  # of a copy that was brought here
                continue
            sums, uri = _sums(path), storage.join(to, name)
            if not _whole(there.get(name), sums, manifest.get(name)):
                call(uri, lambda client, remote, path=path: client.put_file(str(path), remote, chunksize=PART))
                told = once.info(uri)
                if not _whole(told, sums, None) and _bytes(uri) != sums["sha256"]:
                    raise OSError(f"{uri} differs from {path} after it was sent; send it again")
                sent, size, there[name] = sent + 1, size + sums["size"], told
            else:
                was += 1
            version = _version(there[name])
            manifest[name] = {"size": sums["size"], "sha256": sums["sha256"], "version": version}
            if progress:
                progress(done + 1, len(files))
    finally:  # what has come whole is not sent again, also where a part of it did not
        if manifest:
            storage.write_text(storage.join(to, MANIFEST), json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    return Sent(to, sent, was, size, kept)


def aside(name: Path) -> bool:
    """Whether a file below a folder is one that is not yet whole, or is in a folder that is not."""
    return any(part.startswith(storage.ASIDE) for part in name.parts)


def check_bucket(to: str) -> str:
    """The URI, if it names a folder of a bucket that can be written to.

    Raises:
        ValueError: it does not.
    """
    protocol, path = split(to)
    if protocol not in ("s3", "gs", "memory") or not path.strip("/"):
        raise ValueError(f"{to}: is no folder of a bucket; write gs://bucket/folder or s3://bucket/folder")
    return to


def _sums(path: Path) -> dict[str, Any]:
    """Size (bytes), SHA-256, MD5, and the checksum that S3 makes of an upload in parts."""
    sha, md5, parts, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), b"", 0
    with path.open("rb") as file:
        while part := file.read(PART):
            sha.update(part)
            md5.update(part)
            parts += hashlib.md5(part, usedforsecurity=False).digest()
            size += len(part)
    joined = f"{hashlib.md5(parts, usedforsecurity=False).hexdigest()}-{len(parts) // 16}"
    return {"size": size, "sha256": sha.hexdigest(), "md5": md5.hexdigest(), "joined": joined}


def _whole(told: dict[str, Any] | None, sums: dict[str, Any], known: dict[str, Any] | None) -> bool:
    """Whether a bucket's file has these bytes, as its own checksum says, or the manifest of its version."""
    if told is None or told["size"] != sums["size"]:
        return False
    if known and known["version"] and known["version"] == _version(told):
        return known["sha256"] == sums["sha256"]
    md5 = base64.b64decode(told["md5Hash"]).hex() if told.get("md5Hash") else str(told.get("ETag", "")).strip('"')
    return md5 in (sums["md5"], sums["joined"])


def _version(told: dict[str, Any]) -> str:
    """What another version of a bucket's file would not have."""
    return str(told.get("generation") or told.get("ETag") or "")


def _bytes(uri: str) -> str:
    """The SHA-256 of what is there, read again."""
    sha = hashlib.sha256()
    with storage.open_binary(uri) as file:
        while part := file.read(PART):
            sha.update(part)
    return sha.hexdigest()


def _there(to: str) -> dict[str, dict[str, Any]]:
    """What is below a folder of a bucket, by name, asked in one listing."""
    try:
        found = call(to, lambda client, path: client.find(path, detail=True))
    except FileNotFoundError:
        return {}
    prefix = split(to)[1].strip("/") + "/"
    return {name.strip("/").removeprefix(prefix): {**told, "size": int(told["size"])} for name, told in found.items()}


def _manifest(uri: str) -> dict[str, dict[str, Any]]:
    """What earlier copies said; nothing where there is none, or none that can be read."""
    try:
        told = json.loads(storage.read_text(uri))
    except (FileNotFoundError, ValueError):
        return {}
    fits = isinstance(told, dict) and all(isinstance(one, dict) and {"sha256", "version"} <= one.keys()
                                          for one in told.values())  # fmt: skip
    return told if fits else {}
