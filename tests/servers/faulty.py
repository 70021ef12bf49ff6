"""A proxy that fails as it is told, in front of a bucket: statuses, resets, short bodies, silence, slowness."""

import http.client
import http.server
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest

from tympan.data import client

from .gcs import Gcs

BLOCK = 1 << 14
"""Bytes that are passed on at once where it is slow."""


@dataclass
class Fault:
    """What happens to the first `times` requests whose method and path fit: a status instead of an answer; a reset, an
    end, or silence in the middle of the body, whose length was told rightly."""

    kind: int | Literal["reset", "short", "silent"]
    path: str = ""
    """A regular expression that is looked for in path and query."""
    times: int = 1 << 30
    methods: tuple[str, ...] = ("GET", "HEAD", "PUT", "POST", "DELETE")


class Faulty(http.server.ThreadingHTTPServer):
    """The proxy; `asked` holds every request that came, in order."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target).netloc
        self.faults: list[Fault] = []
        self.asked: list[tuple[str, str]] = []
        self.rate: float | None = None
        """Bytes per second of all bodies together; as fast as it can by default."""
        self.lock, self.pace, self.ended = threading.Lock(), threading.Lock(), threading.Event()

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"

    def count(self, path: str, *methods: str) -> int:
        """How many requests came whose path and query hold this regular expression."""
        with self.lock:
            return sum(bool(re.search(path, p)) and (not methods or m in methods) for m, p in self.asked)

    def due(self, method: str, path: str) -> Fault | None:
        """Note a request; the fault that it meets."""
        with self.lock:
            self.asked.append((method, path))
            for fault in self.faults:
                if fault.times and method in fault.methods and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to tell."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Faulty

    def do_GET(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.due(self.command, self.path)
        if fault and isinstance(fault.kind, int):
            self.send_response(fault.kind)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        upstream = http.client.HTTPConnection(self.server.target, timeout=30)
        # The host stays the proxy's, so that what the server tells to ask next leads back here.
        upstream.request(self.command, self.path, data, dict(self.headers.items()))
        answer = upstream.getresponse()
        body = answer.read()
        upstream.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                self.send_header(name, value)
        head = self.command == "HEAD"
        self.send_header("Content-Length", answer.getheader("Content-Length", "0") if head else str(len(body)))
        self.end_headers()
        self._pass(body[: len(body) // 2] if fault else body)
        if fault is None:
            return
        self.close_connection = True
        self.wfile.flush()
        if fault.kind == "silent":
            self.server.ended.wait(30)
        elif fault.kind == "reset":
            time.sleep(0.05)  # what was sent arrives first
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def _pass(self, body: bytes) -> None:
        rate = self.server.rate
        for place in range(0, len(body), BLOCK if rate else max(len(body), 1)):
            if rate:
                with self.server.pace:
                    time.sleep(len(body[place : place + BLOCK]) / rate)
            self.wfile.write(body[place : place + BLOCK] if rate else body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def in_front_of(target: str) -> Iterator[Faulty]:
    """A proxy while a test runs."""
    with Faulty(target) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
        yield proxy
        proxy.ended.set()
        proxy.shutdown()


@pytest.fixture
def faulty_s3(s3: str, s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Faulty, str]]:
    """A proxy through which alone the bucket is reached, and the bucket's URI."""
    monkeypatch.setattr(client, "_clients", {})
    for proxy in in_front_of(s3_server):
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        yield proxy, s3


@pytest.fixture
def faulty_gcs(gcs: str, gcs_server: Gcs, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Faulty, str]]:
    """The same before the other server."""
    monkeypatch.setattr(client, "_clients", {})
    for proxy in in_front_of(gcs_server.address):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.address)
        yield proxy, gcs
