"""The cache gives right bytes or an error, whoever reads, dies or fills the disk meanwhile."""

import hashlib
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from servers.s3 import s3, s3_server  # noqa: F401
from tympan.data import cache, client, storage

forked = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
URI = "https://host/corpus/song.flac?take=1"
SOUND = bytes(range(256)) * 4000


@pytest.fixture(autouse=True)
def _empty(tmp_path, monkeypatch):
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_known", {})
    monkeypatch.setattr(cache, "_swept", set())
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0, 0.0))


class Server:
    """A file system of one file, which fails as it is told."""

    def __init__(self, data: bytes = SOUND, faults: tuple = (), hang: bool = False) -> None:
        self.data, self.faults, self.hang, self.fetched = data, list(faults), hang, 0

    def info(self, path):
        return {"name": path, "size": len(self.data), "type": "file", "ETag": hashlib.md5(self.data).hexdigest()}

    def get_file(self, remote, written):
        self.fetched += 1
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        with Path(written).open("wb") as file:
            file.write(self.data[: fault or None] if not self.hang else self.data[:100_000])
            file.flush()
            while self.hang:
                time.sleep(0.01)


@pytest.fixture
def serve(monkeypatch):
    def start(*args, **kwargs) -> Server:
        server = Server(*args, **kwargs)
        monkeypatch.setattr(client, "_client", lambda uri, protocol: server)
        return server

    return start


def left_aside() -> list[Path]:
    return list(cache.folder().rglob(f"{storage.ASIDE}*"))


def _digest(uri: str) -> str:
    return hashlib.sha256(cache.local(uri).read_bytes()).hexdigest()


def test_a_local_file_is_read_where_it_is(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"x")
    assert cache.local(tmp_path / "x.wav") == tmp_path / "x.wav"
    assert cache.local(f"file://{tmp_path}/x.wav") == tmp_path / "x.wav"
    assert not cache.folder().exists()


@pytest.mark.parametrize("protocol", ["memory", "s3"])
def test_a_remote_file_is_fetched_once_and_again_when_it_changed(protocol, request, monkeypatch):
    root = request.getfixturevalue("s3") if protocol == "s3" else f"memory://{request.node.name}"
    storage.write_bytes(f"{root}/x.wav", SOUND)
    path = cache.local(f"{root}/x.wav")
    assert path.read_bytes() == SOUND and path.suffix == ".wav"
    inode = path.stat().st_ino
    assert cache.local(f"{root}/x.wav").stat().st_ino == inode
    storage.write_bytes(f"{root}/x.wav", SOUND[::-1])
    cache._known.clear()  # another process
    assert cache.local(f"{root}/x.wav").read_bytes() == SOUND[::-1]
    assert left_aside() == []


def test_a_run_does_not_see_a_file_change_and_the_next_one_does(s3):  # noqa: F811
    storage.write_bytes(f"{s3}/x.csv", b"\xef\xbb\xbfold")
    with cache.asked_once():
        assert cache.read_text(f"{s3}/x.csv") == "old"
        storage.write_bytes(f"{s3}/x.csv", b"newer")
        cache._known.clear()  # another process of the run
        with cache.asked_once():
            assert cache.read_text(f"{s3}/x.csv") == "old"
        shared = Path(os.environ[cache.SHARED])
    assert cache.SHARED not in os.environ and not shared.exists()
    cache._known.clear()
    assert cache.read_text(f"{s3}/x.csv") == "newer"
    assert left_aside() == []


@forked
def test_eight_processes_read_one_file_that_nobody_has_fetched(s3):  # noqa: F811
    data = os.urandom(3_000_000)
    storage.write_bytes(f"{s3}/x.wav", data)
    with multiprocessing.get_context("fork").Pool(8) as pool:
        digests = pool.map_async(_digest, [f"{s3}/x.wav"] * 8, chunksize=1).get(timeout=60)
    assert digests == [hashlib.sha256(data).hexdigest()] * 8
    assert left_aside() == []


@forked
def test_a_reader_that_is_killed_leaves_nothing_that_is_read(serve):
    serve(hang=True)
    child = multiprocessing.get_context("fork").Process(target=cache.local, args=(URI,))
    child.start()
    deadline = time.monotonic() + 10
    while not any(p.stat().st_size for p in left_aside()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(left_aside()) == 1
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert len(left_aside()) == 1
    serve()
    assert cache.local(URI).read_bytes() == SOUND
    assert left_aside() == []


def test_only_writers_that_died_are_swept(serve):
    files = cache.folder() / "files"
    files.mkdir(parents=True)
    host = socket.gethostname()
    living, dead = files / f".tmp-{host}-{os.getpid()}-aa.wav", files / f".tmp-{host}-{2**22 + 1}-bb.wav"
    recent, old = files / ".tmp-other-host-1-cc.wav", files / ".tmp-other-host-2-dd.wav"
    for path in (living, dead, recent, old):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    serve()
    cache.local(URI)
    assert sorted(left_aside()) == sorted([living, recent])


def test_a_truncated_entry_is_fetched_again(serve):
    server = serve()
    path = cache.local(URI)
    path.write_bytes(SOUND[:100])
    assert cache.local(URI).read_bytes() == SOUND
    assert server.fetched == 2


@pytest.mark.parametrize(
    "faults", [(ConnectionResetError(), TimeoutError()), (OSError(5, "slow down"),) * 3, (1000, 7)]
)
def test_a_failure_that_passes_is_asked_again(serve, faults):
    server = serve(faults=faults)
    assert cache.local(URI).read_bytes() == SOUND
    assert server.fetched == len(faults) + 1


def test_a_failure_that_stays_is_named_after_three_more_requests(serve):
    server = serve(faults=(1000,) * 9)
    with pytest.raises(ConnectionError, match=r"https://host/corpus/song.*1000 bytes came instead of 1024000"):
        cache.local(URI)
    assert server.fetched == 4
    assert list((cache.folder() / "files").iterdir()) == []


@pytest.mark.parametrize("fault", [PermissionError("403"), FileNotFoundError("404")])
def test_what_is_forbidden_or_missing_is_not_asked_again(serve, fault):
    server = serve(faults=(fault,))
    with pytest.raises(type(fault), match="https://host/corpus/song"):
        cache.local(URI)
    assert server.fetched == 1


def test_pauses_grow():
    assert list(client.PAUSES) == sorted(client.PAUSES) and len(client.PAUSES) == 3


def test_a_full_disk_is_told_before_the_download(serve, monkeypatch):
    server = serve()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "total used free")(9, 9, 1000))
    with pytest.raises(OSError, match=r"song.*needs 1,024,000 bytes in .*1,000 are free; .*TYMPAN_CACHE"):
        cache.local(URI)
    assert server.fetched == 0


def _fill(uri: str, samples: int, most: int) -> tuple[str, int]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    kind = "decoded" if samples else "files"
    try:
        cache.decoded(__file__, 9, "mean", lambda: np.ones((1, samples), "f4")) if samples else cache.local(uri)
    except OSError as error:
        return str(error), len(list((cache.folder() / kind).iterdir()))
    return "no error", 0


@forked
@pytest.mark.parametrize(("samples", "most"), [(0, 50_000), (1_000_000, 50_000), (2000, 6000)])
def test_a_disk_that_fills_up_leaves_nothing_half(serve, samples, most):
    serve()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        message, left = pool.apply_async(_fill, (URI, samples, most)).get(timeout=20)
    assert "could not be kept" in message and "it needs" in message and "are free" in message
    assert left == 0


def _sound(calls: list, value: float = 0.5):
    def read():
        calls.append(value)
        return np.full((2, 100), value, np.float32)

    return read


def test_a_sound_is_decoded_once_for_each_rate_mix_and_version(tmp_path):
    file, calls = tmp_path / "x.wav", []
    file.write_bytes(b"one")
    for _ in range(2):
        sound = cache.decoded(file, 16000, "mean", _sound(calls))
        assert sound.dtype == np.float32 and not sound.flags.writeable and not sound.flags.owndata
        np.testing.assert_array_equal(sound, np.full((2, 100), 0.5))
    assert len(calls) == 1
    cache.decoded(file, 8000, "mean", _sound(calls))
    cache.decoded(file, 16000, "keep", _sound(calls))
    assert len(calls) == 3
    file.write_bytes(b"another")
    assert cache.decoded(file, 16000, "mean", _sound(calls, 0.25))[0, 0] == 0.25
    assert left_aside() == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: b"\x93NUMPY",
        lambda whole: whole[:-4],
        lambda whole: whole[:20] + b"(((" + whole[23:],
        lambda whole: whole.replace(b"<f4", b"<f2"),
        lambda whole: whole.replace(b"(2, 100)", b"(200,)  "),
        lambda whole: b"\x80\x04K\x01.",
    ],
)
def test_a_damaged_entry_is_made_again(tmp_path, damage):
    file, calls = tmp_path / "x.wav", []
    file.write_bytes(b"one")
    cache.decoded(file, 16000, "mean", _sound(calls))
    (entry,) = (cache.folder() / "decoded").iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    np.testing.assert_array_equal(cache.decoded(file, 16000, "mean", _sound(calls)), np.full((2, 100), 0.5))
    assert len(calls) == 2 and entry.read_bytes() == whole


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.wav does not exist"):
        cache.decoded(tmp_path / "none.wav", 16000, "mean", _sound([]))


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("TYMPAN_CACHE", "~/sounds")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "sounds"
    monkeypatch.delenv("TYMPAN_CACHE")
    assert cache.folder() == tmp_path / ".cache" / "tympan"
