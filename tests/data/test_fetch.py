"""An official dataset is fetched whole, whatever its server does, or the sentence says why not and what to do."""

# ruff: noqa: F811 (fixtures)

import hashlib
import json
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from servers.faulty import Fault, in_front_of
from servers.record import NAME, kac_archive, record  # noqa: F401
from tympan.data import cache, download, fetch, official, transfer


@pytest.fixture
def faulty(record):
    """A proxy before the server, which breaks off as it is told."""
    yield from in_front_of(record.address)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def kept():
    """What is in the cache but locks and files without a byte."""
    folder = cache.folder() / "archives"
    return sorted(p.suffix for p in folder.iterdir() if p.stat().st_size) if folder.exists() else []


def test_the_folder_of_the_table_is_what_comes(record, tmp_path):
    told = []
    out = fetch.fetch(NAME, tmp_path / "new" / "drums", home=record.address, progress=lambda *t: told.append(t))
    assert names(out) == ["fetched.json", "metadata.json", *(f"sample_0000{n}.wav" for n in range(3))]
    assert json.loads((out / "metadata.json").read_text())["dataset_size"] == 3
    came = json.loads((out / "fetched.json").read_text())
    assert came["name"] == NAME and came["md5"] == hashlib.md5(record.archive).hexdigest()
    size = len(record.archive)
    assert {stage for stage, _, _ in told} == {"fetch", "unpack"} and ("fetch", size, size) in told
    assert kept() == [] and names(tmp_path / "new") == ["drums"]
    assert [path for path, _ in record.asked] == [f"/api/records/{official.RECORD}", record.link]


def test_an_unknown_name_asks_nobody(record, tmp_path):
    with pytest.raises(ValueError, match=r"is no official dataset; one of: .*did you mean '5000-circular"):
        fetch.fetch("5000-circular-drums-of-varying-sise", tmp_path / "o", home=record.address)
    assert not record.asked


def test_a_folder_that_is_there_is_said_before_anything_is_asked(record, tmp_path):
    (tmp_path / "mine.wav").write_bytes(b"mine")
    with pytest.raises(ValueError, match="nothing was changed"):
        fetch.fetch(NAME, tmp_path, home=record.address)
    assert not record.asked and (tmp_path / "mine.wav").read_bytes() == b"mine"


def test_a_folder_is_replaced_when_the_other_is_whole(record, tmp_path):
    out = tmp_path / "drums"
    out.mkdir()
    (out / "old.wav").write_bytes(b"old")
    (out / "metadata.json").write_bytes(b"{}")
    record.publish(record.archive[:-40])
    with pytest.raises(ValueError, match="no whole zip archive"):
        fetch.fetch(NAME, out, replace=True, home=record.address)
    assert names(out) == ["metadata.json", "old.wav"]
    record.publish(kac_archive())
    fetch.fetch(NAME, out, replace=True, home=record.address)
    assert "old.wav" not in names(out) and "metadata.json" in names(out) and names(tmp_path) == ["cache", "drums"]


def test_a_folder_of_something_else_is_never_replaced(record, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_bytes(b"mine")
    with pytest.raises(ValueError, match="holds no dataset"):
        fetch.fetch(NAME, home, replace=True, home=record.address)
    assert not record.asked and names(home) == ["thesis.tex"]


def test_an_empty_folder_is_filled_whatever_is_beside(record, tmp_path):
    for name in ("drums", "drums.replaced"):
        (tmp_path / name).mkdir()
    (tmp_path / "drums.replaced" / "mine").write_bytes(b"mine")
    assert "metadata.json" in names(fetch.fetch(NAME, tmp_path / "drums", home=record.address))
    assert names(tmp_path / "drums.replaced") == ["mine"]


@pytest.mark.parametrize("kind", ["short", "reset"])
def test_what_breaks_off_goes_on_where_it_stopped(kind, faulty, record, tmp_path):
    faulty.faults.append(Fault(kind, r"\.zip", times=3))
    out = fetch.fetch(NAME, tmp_path / "drums", home=faulty.address)
    assert (out / "metadata.json").is_file()
    first, *others = record.ranged()
    assert first == "" and len(others) == 3 and all(others)
    begins = [int(one.removeprefix("bytes=").removesuffix("-")) for one in others]
    assert begins == sorted(set(begins))
    assert all(headers["if-range"] == '"one"' for path, headers in record.asked if "range" in headers)


def test_another_process_goes_on_with_what_has_come(faulty, record, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "MAX_PIECES", 1)
    faulty.faults.append(Fault("short", r"\.zip", times=1))
    with pytest.raises(ValueError, match=r"bytes are kept, and the same command goes on from there"):
        fetch.fetch(NAME, tmp_path / "drums", home=faulty.address)
    assert kept() == [".etag", ".zip"] and not (tmp_path / "drums").exists()
    fetch.fetch(NAME, tmp_path / "drums", home=faulty.address)
    assert record.ranged() == ["", f"bytes={len(record.archive) // 2}-"] and kept() == []


def test_a_server_without_range_begins_anew(faulty, record, tmp_path):
    record.ranges = False
    faulty.faults.append(Fault("short", r"\.zip", times=1))
    assert (fetch.fetch(NAME, tmp_path / "drums", home=faulty.address) / "metadata.json").is_file()


def test_another_version_is_never_pieced_together_with_the_first(faulty, record, tmp_path):
    """The archive changes while it is fetched: If-Range brings the whole of the new one."""
    faulty.faults.append(Fault("short", r"\.zip", times=1))
    new = kac_archive(extra={"note.txt": b"new"})
    record.publish(new)
    record.archive = old = bytes(len(new))

    def progress(stage, done, total):
        if record.archive is old:
            record.archive, record.etag = new, '"two"'

    out = fetch.fetch(NAME, tmp_path / "drums", home=faulty.address, progress=progress)
    assert (out / "note.txt").read_bytes() == b"new"


def test_versions_that_were_pieced_are_fetched_once_more(faulty, record, tmp_path):
    """A server that tells no versions apart: the checksum notices, and all of it is fetched anew."""
    faulty.faults.append(Fault("short", r"\.zip", times=1))
    right, record.etag = record.archive, ""
    record.archive = bytes(len(right))

    def progress(stage, done, total):
        record.archive = right

    out = fetch.fetch(NAME, tmp_path / "drums", home=faulty.address, progress=progress)
    assert (out / "metadata.json").is_file() and record.ranged()[-1] == ""


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_busy_server_is_asked_again(status, record, tmp_path):
    record.before = [(status, {}), (status, {"Retry-After": "0"})]
    assert fetch.fetch(NAME, tmp_path / "drums", home=record.address).is_dir()
    assert len(record.asked) == 4


@pytest.mark.parametrize("form", ["seconds", "date", "reset"])
def test_a_server_that_asks_for_a_pause_gets_it(form, record, tmp_path, monkeypatch):
    slept = []
    monkeypatch.setattr(transfer.time, "sleep", slept.append)
    at = datetime.now(UTC) + timedelta(seconds=20)
    headers = {
        "seconds": {"Retry-After": "19"},
        "date": {"Retry-After": format_datetime(at, usegmt=True)},
        "reset": {"X-RateLimit-Reset": str(int(at.timestamp()))},
    }
    record.before = [(429, headers[form])]
    fetch.fetch(NAME, tmp_path / "drums", home=record.address)
    assert len(slept) == 1 and 15 < slept[0] <= 20


def test_a_server_that_asks_for_a_long_pause_is_not_waited_for(record, tmp_path):
    record.before = [(429, {"Retry-After": "86400"})]
    with pytest.raises(ValueError, match=r"answers 429 .*asks to wait 86400 s"):
        fetch.fetch(NAME, tmp_path / "drums", home=record.address)


@pytest.mark.parametrize("wait", ["soon", "-5", "9" * 5000, "Wed, 99 Foo 2026"])
def test_what_is_no_time_is_no_pause(wait, record, tmp_path):
    record.before = [(503, {"Retry-After": wait})]
    assert fetch.fetch(NAME, tmp_path / "drums", home=record.address).is_dir()


def test_a_server_that_stays_busy_ends_it(record, tmp_path):
    record.before = [(503, {})] * 20
    with pytest.raises(ValueError, match="503"):
        fetch.fetch(NAME, tmp_path / "drums", home=record.address)
    assert len(record.asked) == len(transfer.PAUSES) + 1


def test_a_silent_server_is_given_up(faulty, record, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "PATIENCE", 0.2)
    faulty.faults.append(Fault("silent", r"\.zip", times=1))
    begin = time.monotonic()
    assert fetch.fetch(NAME, tmp_path / "drums", home=faulty.address).is_dir()
    assert time.monotonic() - begin < 10 and record.ranged()[1].startswith("bytes=")
    faulty.faults.append(Fault("silent", r"/api/"))
    with pytest.raises(ValueError, match="could not be reached"):
        fetch.fetch(NAME, tmp_path / "other", home=faulty.address)


def test_a_slow_server_is_waited_for(faulty, record, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "PATIENCE", 1.0)
    faulty.rate = len(record.archive) / 1.5
    assert fetch.fetch(NAME, tmp_path / "drums", home=faulty.address).is_dir()
    assert len(record.ranged()) == 1


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"checksum": "md5:" + "0" * 32}, r"is not what its record describes \(md5 [0-9a-f]{32}, not 0{32}\)"),
        ({"checksum": "crc32:" + "0" * 32}, "none by md5"),
        ({"checksum": "0" * 32}, "does not tell the size"),
        ({"checksum": "md5:../../x"}, "none by md5"),
        ({"size": 12}, "were promised"),
        ({"size": 10**9}, "were promised"),
        ({"size": 10**15}, "are allowed"),
        ({"size": -1}, "are allowed"),
        ({"size": "many"}, "does not tell the size"),
        ({"key": "other.zip"}, "does not tell the size"),
    ],
)
def test_a_record_that_lies_is_not_believed(told, says, record, tmp_path):
    record.told |= told
    with pytest.raises(ValueError, match=rf"could not be fetched: .*{says}.*tympan generate"):
        fetch.fetch(NAME, tmp_path / "drums", home=record.address)
    assert names(tmp_path) in (["cache"], []) and kept() == []


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"Content-Length": ""}, "sends more than"),
        ({"Content-Length": "10000"}, "10000 bytes, and"),
    ],
)
def test_a_server_that_sends_more_than_was_promised_is_cut_off(extra, says, record, tmp_path):
    record.archive += bytes(1 << 20)
    record.extra = extra
    with pytest.raises(ValueError, match=says):
        fetch.fetch(NAME, tmp_path / "drums", home=record.address)
    assert ".zip" not in kept()


@pytest.mark.parametrize("told", ["bytes 0-9/10", "bytes 1-9999/999999", "items", ""])
def test_a_range_that_lies_is_not_appended(told, faulty, record, tmp_path):
    faulty.faults.append(Fault("short", r"\.zip", times=1))
    record.extra = {"Content-Range": told}
    try:
        out = fetch.fetch(NAME, tmp_path / "drums", home=faulty.address)
    except ValueError as error:
        assert "broke off" in str(error) or "were promised" in str(error)
    else:
        assert (out / "metadata.json").is_file()  # it began anew


def test_an_archive_that_would_do_harm_is_not_unpacked(record, tmp_path):
    record.publish(kac_archive(extra={"../../../../evil.txt": b"evil"}))
    with pytest.raises(ValueError, match="no plain path"):
        fetch.fetch(NAME, tmp_path / "drums", home=record.address)
    assert names(tmp_path) == ["cache"] and not list(tmp_path.rglob("evil*"))


def test_a_redirect_to_a_private_host_is_refused(record, tmp_path, monkeypatch):
    record.before = [(302, {"Location": f"http://127.0.0.2:{record.server_port}{record.link}"})]
    with pytest.raises(ValueError, match=r"leads to 127\.0\.0\.2, which is no address of the open internet"):
        fetch.fetch(NAME, tmp_path / "drums", home=record.address)
    assert len(record.asked) == 1


def test_a_private_host_is_refused(record, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "public", lambda _: False)
    with pytest.raises(ValueError, match="no address of the open internet"):
        fetch.fetch(NAME, tmp_path / "drums", home=record.address)
    assert not record.asked


def test_https_never_leads_to_http(monkeypatch):
    from contextlib import contextmanager
    from types import SimpleNamespace

    answer = SimpleNamespace(status=302, headers={"Location": "http://zenodo.org/x"})
    connection = SimpleNamespace(request=lambda *_, **__: None, getresponse=lambda: answer)

    @contextmanager
    def connected(*_):
        yield connection

    monkeypatch.setattr(download, "_connected", connected)
    with (
        pytest.raises(ValueError, match="not protected by https"),
        download.answered("https://zenodo.org/y", time.monotonic() + 9),
    ):
        pass


def test_without_a_network_it_says_so_at_once(tmp_path, monkeypatch):
    def nobody(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    begin = time.monotonic()
    with pytest.raises(ValueError, match=r"zenodo\.org could not be reached \(Name or service not known\)") as caught:
        fetch.fetch(NAME, tmp_path / "drums")
    assert time.monotonic() - begin < 1 and f"tympan generate {NAME}" in str(caught.value)


def test_two_at_once_do_not_write_one_file(record, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    folder = cache.folder() / "archives"
    folder.mkdir(parents=True)
    digest = hashlib.md5(record.archive).hexdigest()
    with (folder / f"{digest}.zip.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="another process is fetching it"):
            fetch.fetch(NAME, tmp_path / "drums", home=record.address)
    assert fetch.fetch(NAME, tmp_path / "drums", home=record.address).is_dir()


def test_without_room_nothing_is_asked_for(record, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: transfer.shutil._ntuple_diskusage(10, 10, 9))
    with pytest.raises(OSError, match=r"could not be kept .*set TYMPAN_CACHE"):
        fetch.fetch(NAME, tmp_path / "drums", home=record.address)
    assert record.ranged() == []
