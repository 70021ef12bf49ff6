"""Files by URI: local paths, memory://, s3://, gs:// and https://, each process with clients of its own."""

import codecs
import errno
import io
import os
import re
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from .client import call, fault, numbered, split

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a system says where there is no room for a file."""
ASIDE = ".tmp-"
"""How the names of files that are not yet whole begin."""


def elsewhere(uri: str | Path) -> bool:
    """Whether it is on another machine, by its scheme alone, be it one that can be read or not."""
    return str(uri).partition("://")[0] not in (str(uri), "file")


def is_remote(uri: str | Path) -> bool:
    """Whether a file is not on a local disk.

    Raises:
        ValueError: the protocol is none of file, memory, s3, gs and https.
    """
    return split(uri)[0] != "file"


def local_path(uri: str | Path) -> Path:
    """The path of a local file, `~` expanded."""
    return Path(split(uri)[1])


def join(root: str | Path, *parts: str) -> str:
    """A file or folder below `root`, whether that is a path or a URI.

    Raises:
        ValueError: a part is absolute, a URI, or leads upwards.
    """
    for part in parts:
        if "://" in part or part.startswith(("/", "\\")) or ".." in part.replace("\\", "/").split("/"):
            raise ValueError(f"{part!r} leads out of {root}; write a path below it, without a leading slash or '..'")
    if "://" in str(root):
        return "/".join([str(root).rstrip("/"), *(p.strip("/") for p in parts if p.strip("/"))])
    return str(Path(root, *parts).expanduser())


def check_id(id: str) -> str:
    """The id, if it can be part of a file name without harm.

    Raises:
        ValueError: it has a slash, `..` or another character that a file name should not have.
    """
    if not re.fullmatch(r"[A-Za-z0-9 ._()-]{1,128}", id) or ".." in id or id[-1] in " .":
        raise ValueError(
            f"id {id!r} may hold 1 to 128 letters, digits, spaces and ._()- only, no '..', and no dot or space at its "
            "end; rename it"
        )
    if re.fullmatch(r"(con|prn|aux|nul|(com|lpt)[0-9])( *\..*)?", id.lower()):
        raise ValueError(f"id {id!r} is the name of a device on Windows, which can hold no such file; rename it")
    return id


def open_binary(uri: str | Path, mode: Literal["rb", "wb"] = "rb") -> io.IOBase:
    """Open a file; one that is written appears when it is closed without an error, whole, its folders made.

    What is read from one in a bucket is not asked for again after a failure, as `read_bytes` and the cache do.

    Raises:
        OSError: it does not exist, or may not be read or written; the message names the URI.
    """
    protocol, path = split(uri)
    if mode == "rb":
        return call(uri, lambda client, path: client.open(path, "rb"))
    place: AbstractContextManager[Path] = aside(Path(path)) if protocol == "file" else _uploaded(uri)
    try:
        with ExitStack() as stack:
            raw = io.FileIO(stack.enter_context(place), "w")
            return _Written(raw, stack.pop_all())
    except OSError as error:
        raise fault(uri, error) from error


def read_bytes(uri: str | Path) -> bytes:
    """All bytes of a file."""
    return call(uri, lambda client, path: client.cat_file(path))


def read_text(uri: str | Path) -> str:
    """A UTF-8 text; a byte-order mark is dropped.

    Raises:
        ValueError: it is not UTF-8.
    """
    return text(read_bytes(uri), uri)


def text(data: bytes, name: str | Path) -> str:
    """The UTF-8 text that the bytes of a file, called `name` in messages, hold.

    Raises:
        ValueError: it is not UTF-8.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"{name} is UTF-16 text, as its first two bytes say; save it again as UTF-8")
    if b"\0" in data:
        raise ValueError(f"{name} has a NUL in it (byte {data.index(0) + 1}), which no text has; save it as UTF-8 text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not UTF-8 text (byte {error.start + 1}); save it again as UTF-8") from error


def write_bytes(uri: str | Path, data: bytes | memoryview) -> None:
    """Write a file, whole or not at all.

    Raises:
        OSError: it may not be written, or there is no room for it; what was there stays.
    """
    try:
        with open_binary(uri, "wb") as file:
            file.write(data)
    except OSError as error:
        if error.errno not in FULL:
            raise
        folder = Path(tempfile.gettempdir()) if is_remote(uri) else local_path(uri).parent
        raise no_room(f"{uri} could not be written", error, len(data), folder) from error


def write_text(uri: str | Path, text: str) -> None:
    """Write a UTF-8 text, whole or not at all."""
    write_bytes(uri, text.encode())


def info(uri: str | Path) -> dict[str, Any]:
    """What the file system says of a file: `size`, `type`, and whatever tells its versions apart."""
    return call(uri, lambda client, path: client.info(path))


def exists(uri: str | Path) -> bool:
    """Whether there is such a file or folder."""
    try:
        info(uri)
    except FileNotFoundError:
        return False
    return True


def is_folder(uri: str | Path) -> bool:
    """Whether there is such a folder, or a file whose name begins so; https has none."""
    try:
        return split(uri)[0] != "https" and info(uri)["type"] == "directory"
    except FileNotFoundError:
        return False


def size(uri: str | Path) -> int:
    """Bytes of a file."""
    found = info(uri)
    if found["type"] == "directory" or found.get("size") is None:
        raise ValueError(f"{uri} has no known size: it is a folder, or its server does not tell")
    return int(found["size"])


def listing(uri: str | Path) -> list[str]:
    """All files below a folder, sorted, each beginning with the folder as it was given.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is an https address, which cannot be listed.
    """
    protocol, root = split(uri)
    if protocol == "https":
        raise ValueError(f"{uri} cannot be listed over https; name its files in a table")
    if not is_folder(uri):
        raise fault(uri, FileNotFoundError())
    found = call(uri, lambda client, path: client.find(path))
    prefix = root.strip("/") + "/" if root.strip("/") else ""
    names = (name.strip("/").removeprefix(prefix) for name in found if not name.endswith("/"))
    return sorted(join(uri, name) for name in names if not name.rpartition("/")[2].startswith(ASIDE))


def no_room(
    what: str, error: OSError, size: int, folder: Path, mend: str = "make room, or choose a folder on another disk"
) -> OSError:
    """The error that says what could not be written to a full disk, how many bytes it needs, and how many are free."""
    free = shutil.disk_usage(folder).free
    why = error.strerror or error
    told = f"{what} ({why}): it needs {size:,} bytes in {folder}, where {free:,} are free; {mend}"
    return numbered(OSError(told), errno.ENOSPC)


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` in one step; after an error nothing is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f"{ASIDE}{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}{path.suffix[-16:]}")
    try:
        yield written
        with written.open("rb+") as file:
            os.fsync(file.fileno())
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)


@contextmanager
def _uploaded(uri: str | Path) -> Iterator[Path]:
    if split(uri)[0] == "https":
        raise ValueError(f"{uri} cannot be written over https; write to a local path, s3:// or gs://")
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder, "file")
        call(uri, lambda client, path: client.put_file(str(Path(folder, "file")), path))


class _Written(io.BufferedWriter):
    """A file that is put into its place when it is closed, and is dropped after an error."""

    def __init__(self, raw: io.FileIO, place: ExitStack) -> None:
        self._place = place
        super().__init__(raw)

    def close(self) -> None:
        if not self.closed:
            with self._place:
                super().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.raw.close()
            self._place.__exit__(kind, error, trace)

    def __del__(self) -> None:
        if not self.closed:  # forgotten, perhaps after an error: it may be half a file
            self.__exit__(OSError, OSError("never closed"), None)
