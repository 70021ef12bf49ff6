"""Buckets whose network fails: what passes is asked again, three times at most; what stays is named."""

import hashlib
import time

import numpy as np
import pytest

from servers.faulty import Fault, Faulty, faulty_gcs, faulty_s3  # noqa: F401
from servers.gcs import Gcs, gcs, gcs_server  # noqa: F401
from servers.s3 import s3, s3_server  # noqa: F401
from tympan.data import cache, client, storage

SOUND = np.random.default_rng(0).bytes(300_000)


@pytest.fixture(autouse=True)
def _quick(tmp_path, monkeypatch):
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_known", {})
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture(params=["s3", "gcs"])
def bucket(request) -> tuple[Faulty, str]:
    """The proxy, and a file behind it of which nothing was asked yet."""
    proxy, root = request.getfixturevalue(f"faulty_{request.param}")
    storage.write_bytes(f"{root}/song.wav", SOUND)
    proxy.asked.clear()
    return proxy, f"{root}/song.wav"


@pytest.mark.parametrize("kind", [503, "reset", "short"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_failure_that_passes_is_asked_again(bucket, kind, times):
    proxy, uri = bucket
    proxy.faults = [Fault(kind, r"song\.wav", times, ("GET",))]
    assert cache.local(uri).read_bytes() == SOUND
    assert proxy.faults[0].times == 0
    assert storage.read_bytes(uri) == SOUND


@pytest.mark.parametrize("kind", [503, "reset", "short"])
def test_a_failure_that_stays_is_named_after_three_more_requests(bucket, kind):
    proxy, uri = bucket
    proxy.faults = [Fault(kind, r"song\.wav", methods=("GET",))]
    with pytest.raises(ConnectionError, match=rf"{uri} could not be reached .*; try again later"):
        storage.read_bytes(uri)
    assert proxy.count(r"song\.wav", "GET") == 4


@pytest.mark.parametrize("status", [404, 403])
def test_what_is_forbidden_or_missing_is_asked_once_and_named(bucket, status):
    proxy, uri = bucket
    proxy.faults = [Fault(status, r"song\.wav", methods=("GET",))]
    error, told = {
        404: (FileNotFoundError, "does not exist; check its spelling"),
        403: (PermissionError, "may not be accessed .*; check its permissions and your credentials"),
    }[status]
    with pytest.raises(error, match=f"{uri} {told}"):
        storage.read_bytes(uri)
    assert proxy.count(r"song\.wav", "GET") == 1


def test_a_server_that_falls_silent_is_asked_again(request, monkeypatch):
    monkeypatch.setattr(client, "PATIENCE", 0.4)
    for kind in ("s3", "gcs"):
        proxy, root = request.getfixturevalue(f"faulty_{kind}")
        storage.write_bytes(f"{root}/song.wav", SOUND)
        proxy.faults = [Fault("silent", r"song\.wav", 2, ("GET",))]
        began = time.monotonic()
        assert storage.read_bytes(f"{root}/song.wav") == SOUND
        assert 0.8 <= time.monotonic() - began < 10


def test_a_slow_server_is_waited_for_longer_than_one_silence(request, monkeypatch):
    monkeypatch.setattr(client, "PATIENCE", 0.4)
    for kind, body in {"s3": r"song\.wav", "gcs": r"song\.wav\?alt=media"}.items():
        proxy, root = request.getfixturevalue(f"faulty_{kind}")
        storage.write_bytes(f"{root}/song.wav", SOUND)
        proxy.rate, proxy.asked = 3e5, []
        assert cache.local(f"{root}/song.wav").read_bytes() == SOUND
        assert proxy.count(body, "GET") == 1


@pytest.mark.parametrize("kind", [503, "reset"])
def test_an_upload_that_fails_is_made_again_whole(bucket, kind):
    proxy, uri = bucket
    proxy.faults = [Fault(kind, "", 2, ("PUT", "POST"))]
    storage.write_bytes(uri, SOUND[::-1])
    assert storage.read_bytes(uri) == SOUND[::-1]


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # gcsfs sends it so
def test_a_large_upload_in_parts_comes_whole_to_gcs(faulty_gcs, gcs_server):  # noqa: F811
    proxy, root = faulty_gcs
    data = SOUND * 20  # more than gcsfs sends at once
    storage.write_bytes(f"{root}/large.wav", data)
    assert proxy.count("uploadType=resumable") == 2
    held, told = gcs_server.buckets[root.removeprefix("gs://")]["large.wav"]
    assert hashlib.sha256(held).digest() == hashlib.sha256(data).digest() and told["size"] == str(len(data))


def test_parts_of_an_upload_to_gcs_are_joined(gcs, gcs_server):  # noqa: F811
    opened = client._client(gcs, "gs").open(f"{gcs}/parts.bin", "wb", block_size=1 << 18)
    data = SOUND * 3
    with opened:
        for place in range(0, len(data), 100_000):
            opened.write(data[place : place + 100_000])
    assert storage.read_bytes(f"{gcs}/parts.bin") == data and not gcs_server.sessions
