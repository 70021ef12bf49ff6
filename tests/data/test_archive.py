"""An archive becomes a folder whole or not at all; what would do harm is refused before a byte is written."""

import io
import os
import shutil
import stat
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tympan.data import archive, archive_list, storage

GOOD = {"drums/data/metadata.json": b"{}", "drums/data/sample_00000.wav": bytes(range(256)) * 50}


def packed(path, files, method=zipfile.ZIP_DEFLATED, **attributes):
    """A zip archive of files by name; attributes are set on each entry as it is written."""
    with zipfile.ZipFile(path, "w", method) as out:
        for name, data in files if isinstance(files, list) else files.items():
            info = zipfile.ZipInfo("x")
            info.filename = info.orig_filename = name  # as it is: the constructor would mend it
            info.compress_type = method
            for key, value in attributes.items():
                setattr(info, key, value)
            out.writestr(info, data)
    return path


def edited(path, old, new, count=-1):
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, count))
    return path


def tree(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in sorted(folder.rglob("*"))
    }  # fmt: skip


@pytest.fixture
def room(tmp_path):
    """A folder with something beside it; whatever is tried, all but the new folder stays as it is."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept.txt").write_bytes(b"kept")
    (tmp_path / "room").mkdir()
    return tmp_path / "room"


def refuse(room, file, says):
    before = tree(room.parent)
    with pytest.raises(ValueError, match=says) as caught:
        archive.unpack(file, room / "out", "metadata.json")
    assert "nothing of it was kept" in str(caught.value)
    assert tree(room.parent) == before


def test_an_archive_becomes_the_folder_that_holds_its_table(room, tmp_path):
    file = packed(tmp_path / "a.zip", {**GOOD, "drums/": b"", "drums/readme.txt": b"about", "__MACOSX/x": b""})
    done = []
    archive.unpack(
        file, room / "out", "metadata.json", notes={"n.txt": "é"}, progress=lambda n, of: done.append((n, of))
    )
    assert tree(room) == {
        "out": None,
        "out/metadata.json": b"{}",
        "out/sample_00000.wav": GOOD["drums/data/sample_00000.wav"],
        "out/n.txt": "é".encode(),
    }
    assert done[-1][0] == done[-1][1] == 12800 + 2 + 5
    assert not (room / "out" / "sample_00000.wav").stat().st_mode & 0o111


@pytest.mark.parametrize(
    "name",
    [
        "../outside/kept.txt",
        "a/../../outside/kept.txt",
        "/tmp/x",
        "//server/share/x",
        "C:/x",
        "C:x",
        "..\\outside\\kept.txt",
        "a\\b",
        "a/./b",
        "a//b",
        "./a",
        "a\0.wav",
        "a/\x1b[2J",
        "con",
        "nul.wav",
        "a.wav:stream",
        "a ",
        "a.",
        "x" * 129,
        "\u202egnp.wav",
        "/".join("a" * 17),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name, room, tmp_path):
    refuse(room, packed(tmp_path / "a.zip", {**GOOD, name: b"evil"}), r"no plain path|lies deeper")


def test_what_stands_behind_a_nul_does_not_hide(room, tmp_path):
    """Python's reader cuts a name at a NUL, and what it shows would be harmless."""
    file = packed(tmp_path / "a.zip", {**GOOD, "safe.wavX../../x": b"evil"})
    refuse(room, edited(file, b"safe.wavX", b"safe.wav\0"), "no plain path")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFDIR])
def test_a_link_or_a_device_is_refused(kind, room, tmp_path):
    file = packed(tmp_path / "a.zip", {"metadata.json": b"../outside/kept.txt"}, external_attr=(kind | 0o777) << 16)
    refuse(room, file, "link, a device")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a/metadata.json", "a/metadata.json"], "is there twice"),
        (["a/metadata.json", "a/Metadata.json"], "one name on some disks"),
        (["a/metadata.json", "A/x.wav"], "one name on some disks"),
        (["metadata.json", "x", "x/y"], "a file and a folder"),
        (["metadata.json", "x/y", "x"], "a file and a folder"),
        (["metadata.json", "x/", "x"], "a file and a folder"),
    ],
)
def test_names_that_clash_are_refused(names, says, room, tmp_path):
    refuse(room, packed(tmp_path / "a.zip", [(n, b"") for n in names]), says)


def test_too_many_files_are_refused(room, tmp_path, monkeypatch):
    monkeypatch.setattr(archive_list, "MAX_FILES", 3)
    refuse(room, packed(tmp_path / "a.zip", {f"{n}.wav": b"" for n in range(4)}), "4 files, where 3")


def test_a_list_that_would_fill_the_memory_is_never_read(room, tmp_path, monkeypatch):
    monkeypatch.setattr(archive_list, "MAX_LIST", 1 << 10)
    refuse(room, packed(tmp_path / "a.zip", {f"{n}.wav": b"" for n in range(100)}), r"list of files has [\d,]+ bytes")


def test_bombs_are_refused(room, tmp_path, monkeypatch):
    monkeypatch.setattr(archive_list, "SMALL", 1 << 10)
    zeros = bytes(1 << 20)
    refuse(room, packed(tmp_path / "a.zip", {"metadata.json": zeros}), "more than 200 times those")
    small = {f"{n}.wav": bytes(1 << 10) for n in range(100)} | {"metadata.json": b"{}"}
    monkeypatch.setattr(archive_list, "MAX_RATIO", 5)
    refuse(room, packed(tmp_path / "a.zip", small), "more than 5 times its own")
    monkeypatch.setattr(archive_list, "MAX_BYTES", 10_000)
    refuse(room, packed(tmp_path / "a.zip", small), "where 10,000 are allowed")


def test_files_that_share_their_bytes_are_refused(room, tmp_path):
    """Every entry of the list points to the first file's bytes."""
    file = packed(tmp_path / "a.zip", {f"{n}.wav": b"x" * 100 for n in range(3)}, zipfile.ZIP_STORED)
    data = bytearray(file.read_bytes())
    place = data.index(b"PK\x01\x02")
    while place != -1:
        data[place + 42 : place + 46] = struct.pack("<L", 0)  # where its bytes begin
        place = data.find(b"PK\x01\x02", place + 1)
    file.write_bytes(bytes(data))
    refuse(room, file, "shares bytes")


@pytest.mark.parametrize(("size", "says"), [(5000, "longer or shorter|no whole"), (20000, "longer or shorter")])
def test_a_file_that_lies_about_its_size_ends_it(size, says, room, tmp_path):
    file = packed(tmp_path / "a.zip", {"metadata.json": np.random.default_rng(0).bytes(12800)})
    refuse(room, edited(file, struct.pack("<L", 12800), struct.pack("<L", size)), says)


def test_a_stored_file_that_lies_about_its_size_is_refused(room, tmp_path):
    file = packed(tmp_path / "a.zip", {"metadata.json": b"x" * 12800}, zipfile.ZIP_STORED)
    data = file.read_bytes()
    place = data.index(b"PK\x01\x02") + 24  # in the list alone, the size unpacked
    file.write_bytes(data[:place] + struct.pack("<L", 99999) + data[place + 4 :])
    refuse(room, file, "another size")


def test_encrypted_files_and_other_compressions_are_refused(room, tmp_path):
    file = packed(tmp_path / "a.zip", GOOD)
    data = bytearray(file.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    file.write_bytes(bytes(data))
    refuse(room, file, "encrypted")
    refuse(room, packed(tmp_path / "b.zip", GOOD, zipfile.ZIP_LZMA), "by method 14, not by deflate")


def test_a_damaged_byte_and_a_torn_end_are_noticed(room, tmp_path):
    data = bytearray(packed(tmp_path / "a.zip", GOOD).read_bytes())
    data[120] ^= 0x55
    (tmp_path / "a.zip").write_bytes(bytes(data))
    refuse(room, tmp_path / "a.zip", "no whole zip archive")
    whole = packed(tmp_path / "b.zip", GOOD).read_bytes()
    (tmp_path / "b.zip").write_bytes(whole[:-30])
    refuse(room, tmp_path / "b.zip", "no whole zip archive")
    (tmp_path / "c.zip").write_bytes(b"<html>Please log in</html>")
    refuse(room, tmp_path / "c.zip", "no whole zip archive")


def test_an_archive_without_the_table_or_with_two_is_refused(room, tmp_path):
    refuse(room, packed(tmp_path / "a.zip", {"x.wav": b""}), "has 0 files metadata.json")
    refuse(room, packed(tmp_path / "a.zip", {"a/metadata.json": b"", "b/metadata.json": b""}), "has 2 files")


def test_without_room_nothing_is_written(room, tmp_path, monkeypatch):
    file = packed(tmp_path / "a.zip", GOOD)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 30, 1 << 30, 100))
    before = tree(tmp_path)
    with pytest.raises(OSError, match=r"a\.zip cannot be unpacked .*needs 12,802 bytes .* 100 are free"):
        archive.unpack(file, room / "out", "metadata.json")
    assert tree(tmp_path) == before


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_forged_archive_ends_in_a_sentence_and_never_outside(data):
    """Whatever bytes are changed, there is a folder or a ValueError, and nothing else on the disk."""
    import tempfile
    from pathlib import Path

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in GOOD.items():
            out.writestr(name, content[:700])
    forged = bytearray(made.getvalue())
    changes = st.tuples(st.integers(0, len(forged) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(changes, min_size=1, max_size=6)):
        forged[place] = value
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.zip")
        file.write_bytes(bytes(forged))
        try:
            archive.unpack(file, Path(folder, "out"), "metadata.json")
        except ValueError as error:
            assert "a.zip" in str(error)
            assert os.listdir(folder) == ["a.zip"]  # noqa: PTH208
        assert {p.name for p in Path(folder).iterdir()} <= {"a.zip", "out"}


def test_a_folder_is_replaced_only_where_that_is_asked_and_in_one_step(room, tmp_path, monkeypatch):
    file = packed(tmp_path / "a.zip", GOOD)
    out = room / "out"
    assert archive.vacant(out) == out
    out.mkdir()
    assert archive.vacant(str(out)) == out
    (out / "mine.wav").write_bytes(b"mine")
    with pytest.raises(ValueError, match="not empty; nothing was changed"):
        archive.vacant(out)
    with pytest.raises(ValueError, match="not empty"):
        archive.unpack(file, out, "metadata.json")
    refuse(room, packed(tmp_path / "b.zip", {"../x": b""}), "no plain path")
    assert tree(room) == {"out": None, "out/mine.wav": b"mine"}

    real = type(out).rename

    def fails(self, target):
        if self.name != "out" and "replaced" not in self.name:
            raise PermissionError("no")
        return real(self, target)

    monkeypatch.setattr(type(out), "rename", fails)
    with pytest.raises(PermissionError):
        archive.unpack(file, out, "metadata.json", replace=True)
    monkeypatch.undo()
    assert tree(room) == {"out": None, "out/mine.wav": b"mine"}
    archive.unpack(file, out, "metadata.json", replace=True)
    assert sorted(p.name for p in room.rglob("*")) == ["metadata.json", "out", "sample_00000.wav"]
    (room / "out.replaced").mkdir()
    with pytest.raises(ValueError, match=r"out\.replaced is in the way"):
        archive.vacant(out, replace=True)


def test_a_link_and_a_bucket_are_no_place_for_a_folder(room):
    (room / "link").symlink_to(room.parent / "outside")
    with pytest.raises(ValueError, match="a link or a file"):
        archive.vacant(room / "link", replace=True)
    with pytest.raises(ValueError, match="not a local folder"):
        archive.vacant("s3://bucket/drums")


def test_what_a_writer_that_died_left_is_removed(room, tmp_path):
    dead = room / f"{storage.ASIDE}{os.uname().nodename}-999999999-0123abcd{archive.UNPACKED}"
    dead.mkdir()
    (dead / "half.wav").write_bytes(b"")
    foreign = room / f"{storage.ASIDE}mine{archive.UNPACKED}"
    foreign.mkdir()
    archive.unpack(packed(tmp_path / "a.zip", GOOD), room / "out", "metadata.json")
    assert {p.name for p in room.iterdir()} == {"out", foreign.name}
