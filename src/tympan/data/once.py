"""What a bucket tells of one file, and its bytes, by one request each and never by a listing."""

import re
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from fsspec.asyn import sync

from .client import call, split

BUCKETS = ("gs", "s3")
"""The protocols of which this holds."""
BLOCK = 1 << 16
"""Bytes that are written at once."""


def info(uri: str | Path) -> dict[str, Any]:
    """What the server says of a file that is no folder: `size`, and what tells its versions apart.

    Raises:
        FileNotFoundError: there is no such file; whether there is a folder of this name is not asked.
        OSError: as `client.call` does.
    """
    ask = {"gs": _gs_info, "s3": _s3_info}.get(split(uri)[0], lambda client, path: client.info(path))
    return call(uri, ask)


def exists(uri: str | Path) -> bool:
    """Whether there is such a file."""
    try:
        return info(uri)["type"] == "file"
    except FileNotFoundError:
        return False


def get(uri: str | Path, written: Path) -> dict[str, Any]:
    """Write the bytes of a file in `gs://` or `s3://` to a local path; what came with them is as `info` says.

    Raises:
        OSError: as `client.call` does; also where fewer bytes come than were told.
    """
    fetch = _gs_get if split(uri)[0] == "gs" else _s3_get
    return call(uri, lambda client, path: fetch(client, path, written))


def version(told: dict[str, Any]) -> tuple[str, ...]:
    """What another version of a file in a bucket would not have, alike from `info` and from `get`."""
    if "ETag" in told:
        return str(told["ETag"]), str(told.get("LastModified"))
    return (str(told.get("md5Hash") or told.get("generation")),)  # an object that was composed has no MD5


def _done(client: Any, asked: Coroutine[Any, Any, Any]) -> Any:
    """What comes of a request, made on the client's own thread."""

    async def done() -> Any:
        return await asked

    return sync(client.loop, done)


def _gs_info(client: Any, path: str) -> dict[str, Any]:
    return _done(client, client._get_object(path))  # `info` lists what may be below it at the same time


def _gs_get(client: Any, path: str, written: Path) -> dict[str, Any]:
    _, headers, *_ = _done(client, client._get_file_request(path, str(written)))
    sums = ",".join(headers.getall("x-goog-hash", ()))
    md5, generation = re.search(r"md5=([\w+/]+=*)", sums), headers.get("x-goog-generation")
    if md5 is None and generation is None:
        return _gs_info(client, path)
    return {"size": written.stat().st_size, "md5Hash": md5 and md5[1], "generation": generation}


def _s3_info(client: Any, path: str) -> dict[str, Any]:
    bucket, key, _ = client.split_path(path)
    told = client.call_s3("head_object", Bucket=bucket, Key=key)
    return {**told, "size": told["ContentLength"], "type": "file"}


def _s3_get(client: Any, path: str, written: Path) -> dict[str, Any]:
    bucket, key, _ = client.split_path(path)

    async def fetch() -> dict[str, Any]:
        told = await client._call_s3("get_object", Bucket=bucket, Key=key)
        with written.open("wb") as file:
            try:
                while block := await told["Body"].read(BLOCK):
                    file.write(block)
            finally:
                told["Body"].close()
        return told

    told = _done(client, fetch())
    if written.stat().st_size != told["ContentLength"]:
        raise ConnectionError(f"{written.stat().st_size} bytes came instead of {told['ContentLength']}")
    return {"size": told["ContentLength"], "ETag": told.get("ETag"), "LastModified": told.get("LastModified")}
