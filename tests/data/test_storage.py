"""Files by URI behave alike on a disk, in memory and on S3, and errors name them."""

import http.server
import multiprocessing
import threading
from pathlib import Path

import fsspec
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from servers.gcs import Gcs, gcs, gcs_server  # noqa: F401
from servers.s3 import s3, s3_server  # noqa: F401
from tympan.data import client, storage


@pytest.fixture(params=["path", "file", "memory", "s3", "gcs"])
def root(request, tmp_path) -> str:
    if request.param in ("s3", "gcs"):
        return request.getfixturevalue(request.param) + "/corpus"
    return {
        "path": str(tmp_path),
        "file": f"file://{tmp_path}",
        "memory": f"memory://{tmp_path.name}-{id(request)}",
    }[request.param]


def test_what_is_written_is_read_listed_and_measured(root):
    one, two = storage.join(root, "a", "één.bin"), storage.join(root, "b c.txt")
    storage.write_bytes(one, b"\x00\xff" * 50)
    storage.write_text(two, "skin")
    assert storage.read_bytes(one) == b"\x00\xff" * 50
    assert storage.read_text(two) == "skin"
    assert storage.size(one) == 100
    assert storage.listing(root) == sorted([one, two])
    assert storage.exists(one) and storage.exists(storage.join(root, "a"))
    assert storage.is_folder(storage.join(root, "a")) and not storage.is_folder(one)
    assert not storage.exists(storage.join(root, "none")) and not storage.is_folder(storage.join(root, "none"))
    with storage.open_binary(one) as file:
        file.seek(98)
        assert file.read() == b"\x00\xff"


def test_a_missing_file_is_named(root):
    missing = storage.join(root, "missing.wav")
    for ask in (storage.read_bytes, storage.open_binary, storage.size, storage.listing):
        with pytest.raises(FileNotFoundError, match=r"missing\.wav does not exist.*; check its spelling"):
            ask(missing)


def test_a_text_loses_its_byte_order_mark_and_must_be_utf8(root):
    uri = storage.join(root, "table.csv")
    storage.write_bytes(uri, b"\xef\xbb\xbfid,label\n")
    assert storage.read_text(uri) == "id,label\n"
    storage.write_bytes(uri, "id,größe\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"table\.csv is not UTF-8 text \(byte 6\); save it"):
        storage.read_text(uri)


def test_an_error_while_writing_leaves_what_was_there(root):
    uri = storage.join(root, "x.bin")
    storage.write_bytes(uri, b"old")
    with pytest.raises(RuntimeError), storage.open_binary(uri, "wb") as file:
        file.write(b"half of the new")
        raise RuntimeError
    assert storage.read_bytes(uri) == b"old"
    forgotten = storage.open_binary(uri, "wb")
    forgotten.write(b"half of the new")
    del forgotten
    assert storage.read_bytes(uri) == b"old"
    assert storage.listing(root) == [uri]


def test_a_local_file_is_not_there_before_it_is_closed(tmp_path):
    with storage.open_binary(tmp_path / "new" / "x.bin", "wb") as file:
        file.write(b"1234")
        assert storage.listing(tmp_path) == []
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["x.bin"]


@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_a_bucket_of_more_than_a_page_is_listed_and_read(kind, request):
    root = request.getfixturevalue(kind)
    bucket = root.partition("://")[2]
    for i in range(1099):
        if kind == "s3":
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket, f"many/{i:04d}", b"x")
        else:
            request.getfixturevalue("gcs_server").put(bucket, f"many/{i:04d}", b"x")
    last = storage.join(root, "many", "last", "of all.bin")
    storage.write_bytes(last, b"written")
    found = storage.listing(storage.join(root, "many"))
    assert found == sorted([last, *(f"{root}/many/{i:04d}" for i in range(1099))])
    assert storage.read_bytes(found[1098]) == b"x" and storage.read_bytes(last) == b"written"
    assert storage.exists(found[0]) and not storage.exists(f"{root}/many/1099")
    assert storage.is_folder(f"{root}/many/last") and storage.size(last) == 7


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_worker_reads_s3_after_its_parent_did(s3):  # noqa: F811
    storage.write_bytes(f"{s3}/x", b"sound")
    assert storage.read_bytes(f"{s3}/x") == b"sound"
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(storage.read_bytes, [f"{s3}/x"] * 4).get(timeout=20) == [b"sound"] * 4


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    storage.write_text("~/x.txt", "here")
    assert (tmp_path / "x.txt").read_text() == "here"
    assert storage.join("~", "x.txt") == str(tmp_path / "x.txt")


@pytest.mark.parametrize("uri", ["http://host/x.wav", "ftp://host/x", "simplecache::s3://b/x", "gcs://b/x"])
def test_other_protocols_are_refused_by_name(uri):
    with pytest.raises(ValueError, match=rf"{uri.split('//')[0]}.*(https|s3)"):
        storage.exists(uri)


def test_https_is_read_only_and_has_no_folders():
    assert storage.is_remote("https://host/x.wav") and not storage.is_folder("https://host/x/")
    with pytest.raises(ValueError, match="cannot be listed over https"):
        storage.listing("https://host/x")
    with pytest.raises(ValueError, match="cannot be written over https"):
        storage.open_binary("https://host/x", "wb")


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    def missing(*args, **kwargs):
        raise ImportError("no module")

    monkeypatch.setattr(client, "_clients", {})
    monkeypatch.setattr(fsspec, "filesystem", missing)
    for uri, extra in {"s3://b/x": "s3", "gs://b/x": "gcs"}.items():
        with pytest.raises(ValueError, match=rf"{uri} needs .*pip install 'tympan\[{extra}\]'"):
            storage.exists(uri)


@pytest.mark.parametrize("id", ["a/b", "..", "a..b", "", " ", ".", "/etc", "a\\b", "a\0", "C:x", "é", "x" * 129, "a\n"])
def test_an_id_that_could_leave_its_folder_is_refused(id):
    with pytest.raises(ValueError, match="id "):
        storage.check_id(id)


@pytest.mark.parametrize("id", ["S01", "minsk-ALS008-a", "take 3 (b).x", "_", "x" * 128])
def test_an_ordinary_id_passes(id):
    assert storage.check_id(id) == id


@pytest.mark.parametrize("part", ["/etc/passwd", "../x", "a/../../x", "s3://b/x"])
@pytest.mark.parametrize("root", ["/data", "s3://bucket/data"])
def test_a_part_that_leads_out_is_refused(root, part):
    with pytest.raises(ValueError, match="leads out of"):
        storage.join(root, part)


def test_failures_of_a_web_server_are_told_apart():
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(int(self.path[1:]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        web = fsspec.filesystem("http", skip_instance_cache=True)
        for status, kind in {
            401: PermissionError,
            403: PermissionError,
            404: FileNotFoundError,
            503: ConnectionError,
        }.items():
            for ask in (web.info, web.cat_file):
                with pytest.raises(client._failures()) as caught:
                    ask(f"http://127.0.0.1:{server.server_port}/{status}")
                named = client.fault("https://host/x.wav", caught.value)
                assert type(named) is kind and str(named).startswith("https://host/x.wav ")
        server.shutdown()


def test_a_missing_bucket_is_named(s3):  # noqa: F811
    with pytest.raises(FileNotFoundError, match="s3://no-such-bucket/x does not exist"):
        storage.read_bytes("s3://no-such-bucket/x")
    with pytest.raises(FileNotFoundError, match="s3://no-such-bucket/x does not exist"):
        storage.write_bytes("s3://no-such-bucket/x", b"")


def test_a_path_object_is_a_path(tmp_path):
    storage.write_text(Path(tmp_path, "x"), "y")
    assert storage.read_text(tmp_path / "x") == "y"
