"""A server that publishes one archive as Zenodo does: an API with size and checksum, and Range; it lies if told."""

import hashlib
import http.server
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soundfile

from tympan.data import download, official, transfer

NAME = "5000-circular-drums-of-varying-size"


def kac_archive(strokes: int = 3, extra: dict[str, bytes] | None = None) -> bytes:
    """An archive with the layout of the official ones, of a few strokes."""
    rows, files = [], {}
    for n in range(strokes):
        sound = np.exp(-np.arange(2000) / 400) * np.sin(0.2 * (n + 1) * np.arange(2000))
        made = io.BytesIO()
        soundfile.write(made, sound, 8000, format="WAV", subtype="PCM_24")
        files[f"sample_{n:05d}.wav"] = made.getvalue()
        labels = {"drum_size": [0.3], "strike_location": [0.1 * n, 0.0]}
        rows.append("\t\t" + json.dumps({"x": sound.round(4).tolist(), "y": labels}))
    head = {
        "dataset_size": strokes,
        "representation_settings": {"output_type": "end2end", "normalise_input": True},
        "sampler": {"name": "BesselModel", "version": "1.0.0"},
        "sampler_settings": {"duration": 0.25, "sample_rate": 8000},
    }
    lines = [f'\t"{key}": {json.dumps(value)},\n' for key, value in head.items()]
    table = "{\n" + "".join(lines) + '\t"data": [\n' + ",\n".join(rows) + "\n\t]\n}\n"
    files["metadata.json"] = table.encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in {**files, **(extra or {})}.items():
            packed.writestr(f"{NAME}/data/{name}", data)
    return out.getvalue()


class Record(http.server.ThreadingHTTPServer):
    """The server; `asked` holds path and headers of every request, in order."""

    daemon_threads = True

    def __init__(self, archive: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.publish(archive)
        self.etag = '"one"'
        self.ranges = True
        """Whether it knows Range."""
        self.extra: dict[str, str] = {}
        """Headers of the archive, in place of those that would be right."""
        self.before: list[tuple[int, dict[str, str]]] = []
        """Statuses and headers that the next requests get instead."""
        self.asked: list[tuple[str, dict[str, str]]] = []

    def publish(self, archive: bytes) -> None:
        """Have this archive, and tell the truth of it."""
        self.archive = archive
        self.told: dict[str, Any] = {"size": len(archive), "checksum": f"md5:{hashlib.md5(archive).hexdigest()}"}
        """What the API says of the archive."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def link(self) -> str:
        return f"/records/{official.RECORD}/files/{NAME}.zip"

    def ranged(self) -> list[str]:
        """The Range headers of the requests for the archive; `""` where there was none."""
        return [headers.get("range", "") for path, headers in self.asked if path == self.link]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to tell."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Record

    def do_GET(self) -> None:
        record = self.server
        record.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        if record.before:
            status, headers = record.before.pop(0)
            return self._send(status, b"", headers)
        if self.path == f"/api/records/{official.RECORD}":
            return self._send(200, json.dumps({"files": [{"key": f"{NAME}.zip", **record.told}]}).encode(), {})
        if self.path != record.link:
            return self._send(404, b"", {})
        body, headers = record.archive, {"ETag": record.etag, **record.extra}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if record.ranges and wanted and self.headers["If-Range"] in (None, record.etag):
            begin = int(wanted[1])
            if begin >= len(body):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            told = {"Content-Range": f"bytes {begin}-{len(body) - 1}/{len(body)}"}
            return self._send(206, body[begin:], {**told, **headers})
        return self._send(200, body, headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def record(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    """The server, for whom this machine counts as public, as it may in tests alone; pauses are short."""
    real = download.public
    monkeypatch.setattr(download, "public", lambda address: address == "127.0.0.1" or real(address))
    monkeypatch.setattr(transfer, "PAUSES", (0.01, 0.02, 0.03))
    monkeypatch.setattr(transfer, "PATIENCE", 5.0)
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    with Record(kac_archive()) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()
