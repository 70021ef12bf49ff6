"""The clients behind storage: one for each process and protocol; requests made again; errors that name the file."""

import errno
import os
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from ..addresses import shown, without_secrets

EXTRAS = {"s3": "s3", "gs": "gcs"}
"""The optional dependencies that a protocol needs."""
LOCAL = {
    errno.EISDIR: ("it is a folder, not a file", "name a file in it"),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "correct the path"),
    errno.EEXIST: ("a file is in the way", "move it, or choose another path"),
    errno.ELOOP: ("it is a link that leads back to itself", "put the file itself in its place"),
    errno.ENAMETOOLONG: ("its name is longer than the disk allows", "shorten it"),
    errno.EROFS: ("the disk may only be read", "choose a folder on another one"),
    errno.EMFILE: ("too many files are open", "raise `ulimit -n`, or ask for fewer workers"),
}
"""What is wrong with a local file, and what to do."""
PAUSES = (0.5, 1.0, 2.0)
"""Seconds, at most doubled by chance, before a request that failed is made again."""
PATIENCE = 15.0
"""Seconds without a byte after which a request has failed."""

T = TypeVar("T")
_clients: dict[tuple[int, str], Any] = {}


def split(uri: str | Path) -> tuple[str, str]:
    """Protocol and path of a file: `file` and an absolute path for what is local, `~` expanded.

    Raises:
        ValueError: the protocol is none of file, memory, s3, gs and https.
    """
    if "\0" in str(uri):
        raise ValueError(f"{str(uri)!r} holds a NUL character, which no path may; write it anew")
    protocol, found, path = str(uri).partition("://")
    if not found or protocol == "file":
        return "file", os.path.abspath(os.path.expanduser(path if found else str(uri)))  # noqa: PTH100, PTH111
    if protocol == "http":
        raise ValueError(f"{shown(uri)} would travel unprotected over http; use its https address")
    if protocol not in ("memory", "s3", "gs", "https"):
        raise ValueError(
            f"{shown(uri)}: {protocol}:// is unknown; use a local path, memory://, s3://, gs:// or https://"
        )
    without_secrets(str(uri))
    return protocol, str(uri) if protocol == "https" else f"/{path.strip('/')}" if protocol == "memory" else path


def call(uri: str | Path, action: Callable[[Any, str], T]) -> T:
    """What this process's client answers about a file; a failure that may pass is asked again, three times at most.

    Raises:
        OSError: `FileNotFoundError`, `PermissionError`, `ConnectionError` or a local one; each names the URI.
    """
    protocol, path = split(uri)
    for pause in (*PAUSES, None):
        try:
            return action(_client(uri, protocol), path)
        except _failures() as error:
            named = fault(uri, error)
            if pause is None or not isinstance(named, ConnectionError):
                raise named from error
            time.sleep(pause * (1 + random.SystemRandom().random()))
    raise AssertionError("the last pause is None")


def fault(uri: str | Path, error: BaseException) -> OSError:
    """The error that says which file it is about, and what to do."""
    if isinstance(error, FileNotFoundError) and isinstance(error.__cause__, _failures()):
        error = error.__cause__  # fsspec calls every failure of https a missing file
    status = getattr(error, "status", None) or getattr(error, "code", None)
    if isinstance(error, FileNotFoundError) or status == 404:
        relative = "://" not in str(uri) and not Path(uri).is_absolute()
        where = f" (it was looked for in {Path.cwd()})" if relative else ""
        return FileNotFoundError(f"{uri} does not exist{where}; check its spelling")
    denied = isinstance(error, PermissionError) or status in (401, 403) or str(error).startswith("Forbidden")
    if denied or "Credentials" in type(error).__name__:
        said = " ".join(str(error).split())  # of several lines, from some servers
        return PermissionError(f"{uri} may not be accessed ({said}); check its permissions and your credentials")
    if isinstance(error, OSError) and (
        split(uri)[0] == "file" or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    ):
        what, mend = LOCAL.get(error.errno or 0, (error.strerror or str(error), "check the disk and the path"))
        return numbered(type(error)(f"{uri}: {what}; {mend}"), error.errno)
    return ConnectionError(f"{uri} could not be reached ({type(error).__name__}: {error}); try again later")


def numbered(error: OSError, errno: int | None) -> OSError:
    """The error with the system's number, which is for programs: `[Errno 28]` says nothing to people."""
    error.errno = errno
    return error


def _client(uri: str | Path, protocol: str) -> Any:
    key = os.getpid(), protocol  # a client inherited through fork talks over its parent's sockets, and fails
    if key not in _clients:
        try:
            client = fsspec.filesystem(
                protocol, skip_instance_cache=True, use_listings_cache=False, **_options(protocol)
            )
        except ImportError as error:
            raise ValueError(f"{uri} needs another package: pip install 'tympan[{EXTRAS[protocol]}]'") from error
        # `call` asks again; what clients do so themselves would multiply, and take minutes to fail.
        if protocol == "s3":
            client.retries = 1
        for name in ("_request", "_get_file_request", "_get_file_concurrent") if protocol == "gs" else ():
            once = getattr(getattr(type(client), name, None), "__wrapped__", None)
            if once is not None:
                setattr(client, name, partial(once, client))
        _clients[key] = client
    return _clients[key]


def _options(protocol: str) -> dict[str, Any]:
    """What a client is made with: patience in seconds without an answer, however long the whole takes."""
    if protocol == "s3":
        times = {"connect_timeout": PATIENCE, "read_timeout": PATIENCE}
        return {"config_kwargs": {**times, "retries": {"total_max_attempts": 1}}}
    if protocol not in ("gs", "https"):
        return {}
    try:
        from aiohttp import ClientTimeout
    except ImportError:  # fsspec will say so
        return {}
    times = ClientTimeout(total=None, sock_connect=PATIENCE, sock_read=PATIENCE)
    if protocol == "https":
        return {"client_kwargs": {"timeout": times}}
    if not os.environ.get("STORAGE_EMULATOR_HOST"):
        return {"requests_timeout": times}
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # it speaks gRPC, which no emulator does
    return {"requests_timeout": times, "token": "anon"}


def _failures() -> tuple[type[BaseException], ...]:
    """What clients raise: OSError, and classes that have been imported wherever one of them was raised."""
    classes = {
        "aiohttp": "ClientError",
        "botocore.exceptions": "BotoCoreError",
        "gcsfs.retry": "HttpError",
        "google.auth.exceptions": "GoogleAuthError",
        "requests.exceptions": "RequestException",
    }
    return OSError, *(getattr(sys.modules[module], name) for module, name in classes.items() if module in sys.modules)
