"""Sound from the web addresses that a corpus lists: from public hosts alone, limited in size and time, fetched once."""

import hashlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urljoin, urlsplit

from ..addresses import shown
from . import cache, storage
from .client import PAUSES
from .decode import opened

MAX_BYTES = 256 << 20
"""The most bytes that are fetched from one address: two hours of mp3."""
MAX_SECONDS = 120.0
"""The most time (s) that one address may take, with all its redirects."""
MAX_REDIRECTS = 5
"""How often one address may lead to another."""
CHUNK = 1 << 16
"""Bytes that are asked for at once."""


class Refused(ValueError):
    """What asking again would not change."""


def sound(link: str) -> Path:
    """A path at which the sound behind an http or https address can be read.

    It is fetched once and kept by its address in the cache; only whole files that are sound are kept. The connection is
    made to the very address that was found to be public, by no proxy, and so is each that it is redirected to.

    Raises:
        ValueError: the address is not allowed, cannot be reached, is too large or too slow, or holds no sound.
        OSError: there is no room for it in the cache.
    """
    named = shown(link)
    name = hashlib.sha256(link.encode()).hexdigest()[:32]
    path = cache.folder() / "links" / f"{name}{PurePosixPath(urlsplit(link).path).suffix[:16]}"
    if not path.is_file():
        with cache.room(named, path, 0) as written:
            _fetch(link, written)
            with opened(written, named):  # which is no sound where the server answers with a page
                pass
    return path


def public(address: str) -> bool:
    """Whether an IP address is of the open internet: not of this machine, its network, or a cloud's services."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and (ip not in ipaddress.ip_network("2000::/3") or ip.sixtofour):
        return False  # IPv4 addresses in disguise among them
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _fetch(link: str, written: Path) -> None:
    end = time.monotonic() + MAX_SECONDS
    for pause in (*PAUSES, None):
        try:
            _follow(link, written, end)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in storage.FULL:
                raise
            lasting = isinstance(error, socket.gaierror | ssl.SSLCertVerificationError)
            if pause is None or lasting:
                raise Refused(f"{shown(link)} could not be reached ({type(error).__name__}: {error})") from error
            time.sleep(pause)
        else:
            return


_SAFE = "/%:@!$&'()*+,;=~?"  # what an address may hold as it is


@contextmanager
def answered(
    link: str, end: float, headers: Mapping[str, str] | None = None, patience: float | None = None
) -> Iterator[tuple[http.client.HTTPResponse, str]]:
    """The answer to a request, and the address that gave it, which others may have led to; it is cut at the time `end`.

    Args:
        headers: what is asked besides.
        patience: seconds without a byte after which it is given up; by default those until `end`.

    Raises:
        Refused: an address is none of a public host, they lead too far, or from https to http.
        OSError, http.client.HTTPException: a server could not be reached, or broke off.
    """
    place = link
    for _ in range(MAX_REDIRECTS + 1):
        with _connected(place, end, patience) as connection:
            parts = urlsplit(place)
            target = quote(parts.path or "/", safe=_SAFE) + (
                f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
            )
            always = {"User-Agent": "tympan", "Accept-Encoding": "identity"}
            connection.request("GET", target, headers={**always, **(headers or {})})
            answer = connection.getresponse()
            if answer.status in (301, 302, 303, 307, 308) and answer.headers["Location"]:
                place = urljoin(place, answer.headers["Location"])
                if parts.scheme == "https" and urlsplit(place).scheme == "http":
                    raise Refused(f"{shown(link)} leads to {shown(place)}, which is not protected by https")
                continue
            yield answer, place
            return
    raise Refused(f"{shown(link)} leads from one address to another more than {MAX_REDIRECTS} times")


def _follow(link: str, written: Path, end: float) -> None:
    with answered(link, end) as (answer, place):
        if answer.status == 429 or answer.status >= 500:
            raise ConnectionError(f"its server answers {answer.status} {answer.reason}")
        if answer.status != 200:
            raise Refused(f"{shown(place)} cannot be fetched: its server answers {answer.status} {answer.reason}")
        _save(answer, shown(place), written, end)


def _save(answer: http.client.HTTPResponse, named: str, written: Path, end: float) -> None:
    promised, got = answer.length, 0
    with written.open("wb") as file:
        while promised is None or promised <= MAX_BYTES:
            chunk = answer.read1(CHUNK)
            if time.monotonic() >= end:
                raise Refused(f"{named} takes longer than {MAX_SECONDS:g} s")
            if not chunk:
                break
            got += len(chunk)
            if got > MAX_BYTES:
                break
            file.write(chunk)
    if max(promised or 0, got) > MAX_BYTES:
        raise Refused(f"{named} is larger than {MAX_BYTES >> 20} MiB, too large for a song")
    if promised not in (None, got):
        raise ConnectionError(f"{got} bytes came instead of {promised}")


@contextmanager
def _connected(link: str, end: float, patience: float | None = None) -> Iterator[http.client.HTTPConnection]:
    """A connection to a public address of the link's host, cut at the time `end`, whatever the server does."""
    parts = urlsplit(link)
    secure = parts.scheme == "https"
    try:
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or (443 if secure else 80)
    except ValueError as error:
        raise Refused(f"{shown(link)} is no web address ({error})") from error
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise Refused(f"{shown(link)} is no http or https address of a public host")
    left = end - time.monotonic()
    if left <= 0:
        raise Refused(f"{shown(link)} takes longer than {MAX_SECONDS:g} s")
    sock = _reached(link, host, port, min(left, patience or left))
    try:
        if secure:
            context = ssl.create_default_context()
            sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        cut = threading.Timer(left, _cut, [sock])
        cut.daemon = True
        cut.start()
        try:
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            connection = kind(host, port)
            connection.sock = sock
            yield connection
            connection.close()
        finally:
            cut.cancel()
    finally:
        sock.close()


def _reached(link: str, host: str, port: int, timeout: float) -> socket.socket:
    """A socket to the first address of the host that answers, once all of them were found to be public."""
    found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not public(address):
            raise Refused(_private(link, address))
    for address in found:
        try:
            sock = socket.create_connection((address, port), timeout)
        except OSError:
            if address == found[-1]:
                raise
            continue
        reached = str(sock.getpeername()[0])
        if public(reached):
            return sock
        sock.close()
        raise Refused(_private(link, reached))
    raise OSError(f"{host} has no address")


def _private(link: str, address: str) -> str:
    return f"{shown(link)} leads to {address}, which is no address of the open internet; nothing is fetched from there"


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not TLS's own, which would go on in the clear
