"""A small Google Cloud Storage on this machine, as far as its JSON API is used here, and an empty bucket for each test.

Objects lie in memory. It lists in pages, answers ranges, and takes whole, multipart and resumable uploads.
"""

import base64
import hashlib
import http.server
import itertools
import json
import re
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

PAGE = 1000
"""The most objects and prefixes in one page."""


class Gcs(http.server.ThreadingHTTPServer):
    """The server; `buckets` holds the bytes of every object with what is told of it."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets: dict[str, dict[str, tuple[bytes, dict[str, Any]]]] = {}
        self.sessions: dict[str, tuple[str, str, str, bytearray]] = {}
        self.pages = 0
        """How many pages were listed."""
        self.lock = threading.Lock()
        self._generations = itertools.count(1)

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, bucket: str, name: str, data: bytes, kind: str = "application/octet-stream") -> dict[str, Any]:
        """Store an object; returns what is told of it."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        with self.lock:
            generation = str(next(self._generations))
            md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
            told = {
                "kind": "storage#object", "id": f"{bucket}/{name}/{generation}", "name": name, "bucket": bucket,
                "generation": generation, "metageneration": "1", "contentType": kind,
                "storageClass": "STANDARD", "size": str(len(data)), "md5Hash": md5, "etag": f"E{generation}",
                "timeCreated": now, "updated": now,
            }  # fmt: skip
            self.buckets[bucket][name] = data, told
        return told

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to tell."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gcs

    def do_GET(self) -> None:
        path, query = self._asked()
        if found := re.fullmatch(r"(?:/download)?/storage/v1/b/([^/]+)/o/(.+)", path):
            self._object(unquote(found[1]), unquote(found[2]), query)
        elif found := re.fullmatch(r"/storage/v1/b/([^/]+)/o", path):
            self._list(unquote(found[1]), query)
        elif (found := re.fullmatch(r"/storage/v1/b/([^/]+)", path)) and unquote(found[1]) in self.server.buckets:
            self._json({"kind": "storage#bucket", "name": unquote(found[1])})
        else:
            self._error(404, "Not Found")

    def do_POST(self) -> None:
        path, query = self._asked()
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/storage/v1/b":
            self.server.buckets.setdefault(json.loads(data)["name"], {})
            self._json({"kind": "storage#bucket", **json.loads(data)})
            return
        found = re.fullmatch(r"/upload/storage/v1/b/([^/]+)/o", path)
        bucket = unquote(found[1]) if found else ""
        if bucket not in self.server.buckets:
            self._error(404, "The specified bucket does not exist.")
        elif "upload_id" in query:
            self._chunk(query["upload_id"], data)
        elif query["uploadType"] == "media":
            self._json(self.server.put(bucket, query["name"], data))
        elif query["uploadType"] == "multipart":
            mark = b"--" + re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])[1].encode()  # type: ignore
            _, told, rest = data.split(mark, 2)
            told, content = (part.split(b"\n\n", 1)[1] for part in (told, rest[: rest.rindex(mark) - 1]))
            self._json(self.server.put(bucket, json.loads(told)["name"], content))
        else:
            name = query.get("name") or json.loads(data)["name"]
            session = secrets.token_hex(8)
            kind = self.headers.get("X-Upload-Content-Type", "application/octet-stream")
            self.server.sessions[session] = bucket, name, kind, bytearray()
            place = f"http://{self.headers['Host']}{path}?uploadType=resumable&upload_id={session}"
            self._send(200, b"", {"Location": place})

    do_PUT = do_POST

    def do_DELETE(self) -> None:
        path, query = self._asked()
        if self.server.sessions.pop(query.get("upload_id", ""), None):
            self._send(499, b"")
            return
        found = re.fullmatch(r"/storage/v1/b/([^/]+)/o/(.+)", path)
        if found and self.server.buckets.get(unquote(found[1]), {}).pop(unquote(found[2]), None):
            self._send(204, b"")
        else:
            self._error(404, "Not Found")

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        return parts.path, {key: values[-1] for key, values in parse_qs(parts.query).items()}

    def _object(self, bucket: str, name: str, query: dict[str, str]) -> None:
        data, told = self.server.buckets.get(bucket, {}).get(name, (None, {}))
        if data is None:
            self._error(404, f"No such object: {bucket}/{name}")
        elif query.get("alt") != "media":
            self._json(told)
        elif not (asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))):
            self._send(200, data, {"x-goog-hash": f"md5={told['md5Hash']}"})
        elif int(asked[1]) >= len(data):
            self._error(416, "Requested range not satisfiable")
        else:
            first, last = int(asked[1]), min(int(asked[2] or len(data) - 1), len(data) - 1)
            self._send(206, data[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(data)}"})

    def _list(self, bucket: str, query: dict[str, str]) -> None:
        """Objects below a prefix; with a delimiter, what is deeper is one prefix. A page goes on behind its token."""
        if bucket not in self.server.buckets:
            self._error(404, "The specified bucket does not exist.")
            return
        self.server.pages += 1
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        with self.server.lock:
            names = sorted(name for name in self.server.buckets[bucket] if name.startswith(prefix))
        entries: dict[str, bool] = {}
        for name in names:
            head, mark, _ = name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            entries[prefix + head + mark if mark else name] = bool(mark)
        after, first, end = query.get("pageToken", ""), query.get("startOffset", ""), query.get("endOffset")
        left = [e for e in entries if e > after and e >= first and (end is None or e < end)]
        page = left[: min(int(query.get("maxResults", PAGE)), PAGE)]
        items = [self.server.buckets[bucket][e][1] for e in page if not entries[e]]
        answer = {"kind": "storage#objects", "items": items, "prefixes": [e for e in page if entries[e]]}
        self._json(answer | ({"nextPageToken": page[-1]} if len(page) < len(left) else {}))

    def _chunk(self, session: str, data: bytes) -> None:
        """A part of a resumable upload; 308 says how much there is until it is whole."""
        bucket, name, kind, held = self.server.sessions[session]
        found = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", self.headers.get("Content-Range", ""))
        if found is None or (found[1] and int(found[1]) != len(held)):
            self._error(400, "Invalid Content-Range")
            return
        held += data
        if found[3] != "*" and len(held) == int(found[3]):
            del self.server.sessions[session]
            self._json(self.server.put(bucket, name, bytes(held), kind))
        elif len(data) % (1 << 18):
            self._error(400, "a part that is not the last must have a multiple of 256 KiB")
        else:
            self._send(308, b"", {"Range": f"bytes=0-{len(held) - 1}"} if held else {})

    def _json(self, answer: dict[str, Any]) -> None:
        self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _error(self, code: int, message: str) -> None:
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        self._send(code, body, {"Content-Type": "application/json"})

    def _send(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[Gcs]:
    """A server that lives as long as the tests."""
    with Gcs() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def gcs(gcs_server: Gcs, monkeypatch: pytest.MonkeyPatch) -> str:
    """`gs://<a new bucket>`; the environment leads every client to the server."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.address)
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    bucket = f"bucket-{secrets.token_hex(4)}"
    gcs_server.buckets[bucket] = {}
    return f"gs://{bucket}"
