"""A large file from a public server: politely, in pieces where it breaks off, and never more than was promised."""

import errno
import http.client
import random
import re
import shutil
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from io import BufferedWriter
from pathlib import Path

from . import storage
from .client import PATIENCE
from .download import CHUNK, Refused, answered, shown

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds, at most doubled by chance, before a server is asked again that has failed or asks to be left in peace."""
MAX_WAIT = 120.0
"""The most seconds that a server may ask to wait; for longer ones it is given up."""
MAX_PIECES = 200
"""The most requests that one file may take."""
MAX_SECONDS = 24 * 3600.0
"""The most time (s) that one request may take, as long as bytes come."""
MAX_TEXT = 1 << 20
"""The most bytes of a text."""


class Later(ConnectionError):
    """A server asks to be left in peace for so many seconds."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        super().__init__(f"its server answers {answer.status} {answer.reason}")
        self.seconds = _asked(answer)


def text(link: str) -> bytes:
    """A short text.

    Raises:
        Refused: it may not be had, or its server asks to wait for long.
        OSError, http.client.HTTPException: its server cannot be reached, and is not asked again; or stays busy.
    """
    for pause in (*PAUSES, None):
        try:
            with answered(link, time.monotonic() + 4 * PATIENCE, patience=PATIENCE) as (answer, place):
                _accept(answer, place, 200)
                return answer.read(MAX_TEXT)
        except Later as error:
            if pause is None:
                raise
            _wait(link, error, pause)
    raise AssertionError("the last pause is None")


def transfer(link: str, part: Path, size: int, progress: Callable[[int, int], None] | None = None) -> bool:
    """Bring a file of known size to `part`, which may have its beginning; whether it came in more than one piece.

    What breaks off goes on by Range, as long as the server has the same version (If-Range); where it knows no Range, it
    begins anew. After statuses 403, 429 and 5xx it is asked again, after the pause that Retry-After asks for.

    Args:
        progress: is told how many bytes are there, and of how many.

    Raises:
        Refused: the server gives up, or has another file; what has come is kept.
        OSError: there is no room for it.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as file:
        if file.tell() > size:
            _anew(file)
        begun, pieces, stuck = file.tell(), 0, 0
        while (have := file.tell()) < size:
            try:
                if size - have > shutil.disk_usage(part.parent).free:
                    raise OSError(errno.ENOSPC, "the disk is full")
                pieces += 1
                _piece(link, file, _tag(part), size, progress)
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and error.errno in storage.FULL:
                    mend = "make room, or set TYMPAN_CACHE to a folder on another disk"
                    raise storage.no_room(f"{link} could not be kept", error, size - have, part.parent, mend) from error
                stuck = 0 if file.tell() > have else stuck + 1
                lasting = isinstance(error, socket.gaierror | ssl.SSLCertVerificationError)
                if lasting or stuck > len(PAUSES) or pieces == MAX_PIECES:
                    raise Refused(f"{shown(link)} broke off ({error}){_kept(file.tell(), size)}") from error
                _wait(link, error, PAUSES[max(stuck, 1) - 1], _kept(file.tell(), size))
    return bool(begun) or pieces > 1


def forget(part: Path) -> None:
    """Remove a file, and what is known of its version."""
    for path in (part, _tag(part)):
        path.unlink(missing_ok=True)


def _piece(link: str, file: BufferedWriter, tag: Path, size: int, progress: Callable[[int, int], None] | None) -> None:
    """Append what one answer has of the rest of a file."""
    have = file.tell()
    known = {"If-Range": tag.read_text(encoding="ascii")} if have and tag.is_file() else {}
    headers = {"Range": f"bytes={have}-", **known} if have else {}
    with answered(link, time.monotonic() + MAX_SECONDS, headers, PATIENCE) as (answer, place):
        _accept(answer, place, 200, 206, 416)
        told = str(answer.headers["Content-Range"])
        whole = answer.length if answer.status == 200 else told.rpartition("/")[2]
        if whole is not None and re.fullmatch(r"\d+", str(whole)) and int(whole) != size:
            raise Refused(f"{shown(place)} has {whole} bytes, and {size} were promised")
        if answer.status != 200 and not told.startswith(f"bytes {have}-"):
            _anew(file)
            raise ConnectionError(f"its server does not go on from byte {have:,}")
        if answer.status == 200:
            _anew(file)
            _remember(tag, answer.headers["ETag"] or "")
        while chunk := answer.read1(CHUNK):
            if file.tell() + len(chunk) > size:
                _anew(file)
                raise Refused(f"{shown(place)} sends more than the {size} bytes that were promised")
            file.write(chunk)
            if progress:
                progress(file.tell(), size)
        file.flush()
    if file.tell() < size:
        raise ConnectionError(f"{file.tell() - have:,} bytes came, and {size - have:,} were asked for")


def _remember(tag: Path, etag: str) -> None:
    if re.fullmatch(r'"[!#-~]{1,200}"', etag):  # a weak one does not promise the same bytes
        storage.write_text(tag, etag)
    else:
        tag.unlink(missing_ok=True)


def _accept(answer: http.client.HTTPResponse, place: str, *statuses: int) -> None:
    if answer.status in (403, 429) or answer.status >= 500:
        raise Later(answer)
    if answer.status not in statuses:
        raise Refused(f"{shown(place)} cannot be fetched: its server answers {answer.status} {answer.reason}")


def _asked(answer: http.client.HTTPResponse) -> float:
    """Seconds that a server asks to wait: in seconds, as a date, or as the time when it counts anew."""
    said, reset = answer.headers["Retry-After"] or "", answer.headers["X-RateLimit-Reset"] or ""
    if re.fullmatch(r"\d{1,9}", said.strip()):
        return float(said)
    until = float(reset) if re.fullmatch(r"\d{1,12}", reset.strip()) else 0.0
    with suppress(ValueError):
        until = parsedate_to_datetime(said).timestamp()
    return max(until - time.time(), 0.0)


def _wait(link: str, error: Exception, pause: float, kept: str = "") -> None:
    asked = error.seconds if isinstance(error, Later) else 0.0
    if asked > MAX_WAIT:
        raise Refused(f"{shown(link)}: {error} and asks to wait {asked:.0f} s{kept}") from error
    time.sleep(max(asked, pause * (1 + random.SystemRandom().random())))


def _kept(have: int, size: int) -> str:
    return f"; {have:,} of {size:,} bytes are kept, and the same command goes on from there" if have else ""


def _anew(file: BufferedWriter) -> None:
    file.seek(0)
    file.truncate()


def _tag(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")
