"""What users bring: each bad input has a message of its own, with its place and the mend; none loses a byte."""

import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from corpora import put_sound, recorded, speech_folder, tone
from runs_helpers import write as write_run
from tympan.cli import app
from tympan.component import AssumptionWarning
from tympan.data import audio, cache, storage
from tympan.data.datasets.manifest import Manifest
from tympan.data.datasets.recorded import Recorded
from tympan.data.datasets.speech_folder import SpeechFolder
from tympan.data.generate import generate
from tympan.data.synthesizers import Synthesizer
from tympan.runs.check import check
from tympan.runs.configuration import load

RATE = 8000
CLIP: dict[str, Any] = {"sample_rate": RATE, "duration": 0.25}


def contents(folder: Path) -> dict[str, str]:
    """What a folder holds: where each link leads, and the hash of each file."""
    return {
        str(p.relative_to(folder)): str(p.readlink())
        if p.is_symlink()
        else hashlib.sha256(p.read_bytes()).hexdigest()
        if p.is_file()
        else "other"
        for p in folder.rglob("*")
    }


def wav(data: bytes, channels: int = 1, rate: int = RATE, promised: int | None = None, floats: bool = False) -> bytes:
    bits = 32 if floats else 16
    width = channels * bits // 8
    header = struct.pack("<HHIIHH", 3 if floats else 1, channels, rate, rate * width, width, bits)
    size = len(data) if promised is None else promised
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", size + 36) + chunks


def noise(frames: int, channels: int = 1) -> bytes:
    return np.random.default_rng(0).integers(-9999, 9999, frames * channels, "<i2").tobytes()


def but(value: float) -> bytes:
    return wav(np.array([0, 0.5, value, 0], "<f4").tobytes(), floats=True)


def flac(path: Path, declared: int | None = None) -> None:
    soundfile.write(path, tone(300, 0.4, RATE), RATE, format="FLAC")
    if declared is not None:
        data = bytearray(path.read_bytes())
        data[21] = data[21] & 0xF0 | declared >> 32
        data[22:26] = struct.pack(">I", declared & 0xFFFFFFFF)
        path.write_bytes(data)


def holds(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


SOUNDS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing": ("x.wav", lambda path: None, r"recording {name}: {path} does not exist; add it, or correct its path$"),
    "windows path": (r"kit\x.wav", lambda path: None, r"{path} does not exist; .*path \(folders are separated by /"),
    "empty": ("x.wav", holds(b""), r"{path} is empty \(0 bytes\); record or copy it again"),
    "truncated": (
        "x.wav",
        holds(wav(noise(900), promised=6400)),
        r"{path} is truncated, or its header lies: 6,400 bytes of sound are promised, 1,800 are there; copy it again",
    ),
    "truncated in its header": ("x.wav", holds(wav(b"")[:30]), r"{path} begins like a recording but is .*; copy it"),
    "truncated inside": (
        "x.flac",
        lambda path: (flac(path), path.write_bytes(path.read_bytes()[:-900])),
        r"{path} is truncated or damaged, or its header lies; copy or encode it again",
    ),
    "header that promises more": (
        "x.flac",
        lambda path: flac(path, 2**36 - 1),
        r"{path}: its header lies about its length, 68,719,476,735 samples cannot be in [\d,]+ bytes; encode it again",
    ),
    "no samples": ("x.wav", holds(wav(b"")), r"{path} holds no sound \(0 samples\); record it again"),
    "text": ("x.wav", holds(b"a table, not a sound\n" * 9), r"{path} is no sound: it looks like a text; name the "),
    "zero bytes": ("x.wav", holds(bytes(6400)), r"{path} is no sound: it begins with nothing but zeros.*; copy it"),
    "something else": ("x.wav", holds(b"\x89PNG\r\n" + bytes(999)), r"{path} is no sound that is known here; convert"),
    "NaN": ("x.wav", holds(but(np.nan)), r"{path} holds NaN samples, the first at 0\.00025 s; export it again"),
    "infinity": ("x.wav", holds(but(-np.inf)), r"{path} holds infinite samples, the first at 0\.00025 s; export it"),
    "rate too low": ("x.wav", holds(wav(noise(99), rate=50)), r"{path} says 50 Hz, outside 100 to .*; its header"),
    "channels": ("x.wav", holds(wav(noise(9, 65), 65)), r"{path} has 65 channels, more than 64; split it"),
    "folder": ("x.wav", lambda path: path.mkdir(), r"{path}: it is a folder, not a file; name a file in it"),
    "pipe": ("x.wav", os.mkfifo, r"{path} is a pipe or a device; save the sound in a file"),
    "circle of links": ("x.wav", lambda path: path.symlink_to(path), r"{path}: it is a link that leads back .*; put"),
    "name too long": ("x" * 300 + ".wav", lambda path: None, r"{path}: its name is longer than .*; shorten it"),
    "file as folder": ("a.wav/x.wav", lambda path: None, r"{path}: a part of its path is a file, .*; correct the path"),
    "NUL in a path": ("x\0.wav", lambda path: None, r"x\\x00\.wav' holds a NUL character, which no path may; write"),
    "way out": ("../x.wav", lambda path: None, r"t\.jsonl, column 'path': '\.\./x\.wav' leads out of .*; write a path"),
    "protocol": ("ftp://host/x.wav", lambda path: None, r"ftp://host/x\.wav: ftp:// is unknown; use a local path"),
    "unprotected": ("http://host/x.wav", lambda path: None, r"http://host/x\.wav would travel unprotected .*; use its"),
}


def of_sounds(folder: Path, name: str, make: Callable[[Path], object], **options: Any) -> Manifest:
    """Three recordings, the second of which is what `make` makes."""
    for good in ("a.wav", "c.wav"):
        put_sound(str(folder / good), tone(300, 0.4, RATE), RATE)
    if not (folder / "t.jsonl").exists():
        make(folder / name)
        rows = [{"path": path, "drum": f"d{n}", "f0": 300 + n} for n, path in enumerate(("a.wav", name, "c.wav"))]
        (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return Manifest(path=str(folder / "t.jsonl"), **{**CLIP, **options})


@pytest.mark.parametrize("kind", SOUNDS)
@pytest.mark.parametrize("keep", [True, False])
def test_a_bad_recording_is_named_and_the_others_are_read(kind, keep, tmp_path):
    name, make, says = SOUNDS[kind]
    says = says.replace("{path}", re.escape(str(tmp_path / name))).replace("{name}", re.escape(name))
    source = of_sounds(tmp_path, name, make, cache=keep)
    before = contents(tmp_path)
    for ask in (lambda: source[1], lambda: source.clip(1, 0, 0)):
        with pytest.raises((ValueError, OSError), match=says):
            ask()
        if kind != "way out":  # which refuses the table
            assert source[0].waveform.any() and source.clip(2, 0, 0).waveform.any()
    assert contents(tmp_path) == before


GOOD_SOUNDS: dict[str, tuple[str, Callable[[Path], object], int, str | None]] = {
    "one sample": ("x.wav", holds(wav(noise(1))), 1, None),
    "one sample of a higher rate": ("x.wav", holds(wav(noise(1), rate=48000)), 1, None),
    "eight channels": ("x.wav", holds(wav(noise(3000, 8), 8)), 3000, None),
    "7,999 Hz": ("x.wav", holds(wav(noise(7999), rate=7999)), 8000, None),
    "unknown length": ("x.wav", holds(wav(noise(500), promised=0)), 500, None),
    "spaces and signs": ("a ü 音 😀 '\"%#?&.wav", holds(wav(noise(500))), 500, None),
    "link": ("x.wav", lambda path: path.symlink_to("a.wav"), 3200, None),
    "mis-named": ("x.wav", flac, 3200, r"x\.wav is called \.wav but holds FLAC: it is read as that; rename it"),
    "silence": ("x.wav", holds(wav(bytes(2000))), 1000, r"x\.wav is silent: all its samples are 0; it is kept, take"),
}


@pytest.mark.parametrize("kind", GOOD_SOUNDS)
@pytest.mark.parametrize("keep", [True, False])
def test_an_odd_recording_is_read(kind, keep, tmp_path):
    name, make, samples, warns = GOOD_SOUNDS[kind]
    source = of_sounds(tmp_path, name, make, cache=keep)
    before = contents(tmp_path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        whole, clip = source[1].waveform, source.clip(1, 0, 0).waveform
    assert whole.shape == (1, samples) and clip.shape == (1, min(samples, 2000)) and np.isfinite(whole).all()
    np.testing.assert_allclose(clip, whole[:, :2000], atol=1e-5)
    assert bool(said) == bool(warns)
    for warning in said:
        assert issubclass(warning.category, AssumptionWarning) and re.search(str(warns), str(warning.message))
    assert contents(tmp_path) == before


def test_eight_channels_are_mixed_down(tmp_path):
    data = np.frombuffer(noise(3000, 8), "<i2").reshape(3000, 8)
    source = of_sounds(tmp_path, "x.wav", holds(wav(data.tobytes(), 8)))
    np.testing.assert_allclose(source[1].waveform[0], data.mean(1) / 32768, atol=1e-6)


HOURS = 6


def six_hours(path: Path) -> None:
    """A wav of 345 MB, of which the disk holds the blocks that are not zero: 0.3 s of tone in each hour."""
    size = HOURS * 3600 * RATE * 2
    with path.open("wb") as file:
        file.write(wav(b"", promised=size))
        file.truncate(44 + size)
        for hour in range(HOURS):
            file.seek(44 + hour * 3600 * RATE * 2)
            file.write((tone(200 + 100 * hour, 0.3, RATE) * 32767).astype("<i2").tobytes())


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("crop", ["start", "random", "all"])
def test_of_hours_only_the_clip_is_decoded(keep, crop, tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "MAX_DECODED_BYTES", 64 << 20)
    source = of_sounds(tmp_path, "x.wav", six_hours, cache=keep, crop=crop)
    tracemalloc.start()
    clips = [source.clip(1, epoch, 0) for epoch in range(6)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6 and all(clip.waveform.shape == (1, 2000) for clip in clips)
    if crop == "start":
        assert np.abs(np.fft.rfft(clips[0].waveform[0])).argmax() == 50  # 200 Hz
    else:
        assert len({clip.start for clip in clips}) == 6
    before = contents(cache.folder())
    with pytest.raises(ValueError, match=r"x\.wav is longer than 64 MiB can hold .*; read a part of it .*, or split"):
        source[1]
    assert contents(cache.folder()) == before


def test_check_takes_what_training_takes_of_hours(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "MAX_DECODED_BYTES", 64 << 20)
    of_sounds(tmp_path, "x.wav", six_hours)
    data = {"type": "manifest", "path": str(tmp_path / "t.jsonl"), "columns": ["f0"], **CLIP}
    target = {"type": "continuous", "quantities": {"f0": "Hz"}, "mean": [300], "std": [1]}
    for crop, refused in (("start", []), ("random", ["x.wav"])):
        file = write_run(tmp_path / "run.yaml", data={**data, "crop": crop}, target=target)
        assert list(check(load(file)).refused) == refused


def test_every_place_of_six_hours_can_be_reached(tmp_path):
    six_hours(tmp_path / "x.wav")
    for hour in range(HOURS):
        part = audio.read(tmp_path / "x.wav", 16000, start=3600.0 * hour, duration=0.25)[0]
        assert np.abs(np.fft.rfft(part)).argmax() == (200 + 100 * hour) / 4


ROWS = "path,drum,size\na.wav,d0,0.3\nb.wav,d1,0.4\n"

TABLES: dict[str, tuple[str, bytes | None, str]] = {
    "missing": ("t.csv", None, r"{path} does not exist; check its spelling"),
    "no table": ("t.xlsx", ROWS.encode(), r"{path} is no table that can be read: its name must end in \.csv, \.tsv"),
    "empty": ("t.csv", b"\n\n", r"{path} is empty; its first line must name the columns"),
    "header without rows": ("t.csv", b"path,drum,size\n", r"{path} holds no rows; add one for each recording"),
    "missing column": (
        "t.csv",
        ROWS.replace("drum", "drums").encode(),
        r"{path} has no column 'drum'; add it, or name one of .*: path, drums, size; did you mean 'drums'\?",
    ),
    "column twice": (
        "t.csv",
        ROWS.replace("size", "drum").encode(),
        r"{path}: more than one column is called 'drum'; re",
    ),
    "nameless columns": (
        "t.csv",
        b"path,,\na.wav,d0,1\n",
        r"{path}: 2 columns have no name; name them in the first line",
    ),
    "longer row": (
        "t.csv",
        (ROWS + "c.wav,d2,0.5,9\n").encode(),
        r"{path}, line 4: 4 cells where the header has 3 columns; complete the row, or put quotes around",
    ),
    "open quote": ("t.csv", ROWS.replace("a.wav", '"a.wav').encode(), r"{path} is no valid CSV .*; look for a quote"),
    "another alphabet": (
        "t.csv",
        (ROWS + "ä.wav,d,1\n").encode("latin-1"),
        r"{path} is not UTF-8 text \(byte 42\); save",
    ),
    "UTF-16": ("t.csv", ROWS.encode("utf-16"), r"{path} is UTF-16 text, .*; save it again as UTF-8"),
    "NUL": (
        "t.csv",
        ROWS.replace("a.wav", "a\0.wav").encode(),
        r"{path} has a NUL in it \(byte 17\), .*; save it as UTF",
    ),
    "same id": ("t.csv", ROWS.replace("b.wav", "a.wav").encode(), r"{path}: 1 ids are not unique: a\.wav; give each"),
    "empty cell": (
        "t.csv",
        ROWS.replace("d1", "").encode(),
        r"{path}: column 'drum' is empty in the row b\.wav.*; fill",
    ),
    "vast number": (
        "t.csv",
        ROWS.replace("0.3", "1e999").encode(),
        r"column 'size' of {path}: 1e999 is too large for .*;",
    ),
    "broken JSON": ("t.jsonl", b'{"path": \n', r"{path}, line 1 is no valid JSON: "),
    "deep JSON": ("t.jsonl", b"[" * 10**5, r"{path}, line 1 is no valid JSON: maximum recursion depth"),
    "no object": ("t.jsonl", b'["a.wav"]\n', r"{path}, line 1 must be an object like"),
    "broken parquet": ("t.parquet", b"PAR1" + bytes(99), r"{path} is no valid parquet file: "),
}


def of_table(folder: Path, name: str, data: bytes | None) -> Manifest:
    for good in ("a.wav", "b.wav"):
        put_sound(str(folder / good), tone(300, 0.4, RATE), RATE)
    if data is not None:
        (folder / name).write_bytes(data)
    return Manifest(path=str(folder / name), group_column="drum", **CLIP)


@pytest.mark.parametrize("kind", TABLES)
def test_a_bad_table_is_named_with_line_and_column(kind, tmp_path):
    name, data, says = TABLES[kind]
    source = of_table(tmp_path, name, data)
    before = contents(tmp_path)
    with pytest.raises((ValueError, OSError), match=says.replace("{path}", re.escape(str(tmp_path / name)))):
        len(source)
    assert contents(tmp_path) == before


SEPARATOR = r"t\.csv was read with .* between its columns, not ','; save it so"
GOOD_TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "byte-order mark": ("\ufeff" + ROWS, ()),
    "CRLF": (ROWS.replace("\n", "\r\n"), ()),
    "no last line break": (ROWS.rstrip(), ()),
    "blank lines and spaces": ("\n" + ROWS.replace(",", " , "), ()),
    "quoted line break": (ROWS.replace("d0", '"d\n0"'), ()),
    "semicolons": (ROWS.replace(",", ";"), (SEPARATOR,)),
    "tabs": (ROWS.replace(",", "\t"), (SEPARATOR,)),
    "comma decimals": (
        ROWS.replace(",", ";").replace(".3", ",3").replace(".4", ",4"),
        (SEPARATOR, r"column 'size' of .*t\.csv: the comma in '0,3' was taken as a decimal one; write a point"),
    ),
    "index column": (
        "\n".join(f"{n},{row}" if n else f",{row}" for n, row in enumerate(ROWS.split())),
        (r"t\.csv: column 1 has no name and was left out; name it",),
    ),
}


@pytest.mark.parametrize("kind", GOOD_TABLES)
def test_an_odd_table_is_read_and_what_was_assumed_is_said(kind, tmp_path):
    text, warns = GOOD_TABLES[kind]
    source = of_table(tmp_path, "t.csv", text.encode())
    before = contents(tmp_path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert [dict(source.values(i)) for i in range(len(source))] == [{"size": 0.3}, {"size": 0.4}]
    assert all(issubclass(warning.category, AssumptionWarning) for warning in said)
    assert len(said) == len(warns)
    assert all(re.search(says, str(w.message)) for says, w in zip(warns, said, strict=True))
    assert source[1].waveform.any() and source[1].groups == {"drum": "d1"}
    assert contents(tmp_path) == before


def test_an_unknown_among_numbers_is_said(tmp_path):
    source = of_table(tmp_path, "t.csv", ROWS.replace("0.3", "NaN").encode())
    with pytest.warns(
        AssumptionWarning, match=r"column 'size' of .*t\.csv: NaN among numbers was taken as unknown; le"
    ):
        assert [dict(source.values(i)) for i in range(2)] == [{}, {"size": 0.4}]


def edit(name: str, old: str, new: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text((root / name).read_text().replace(old, new, 1))


def first(name: str) -> Callable[[Path], Path]:
    return lambda root: root / "recordings" / "clinic-ann-0" / name


def metadata(data: bytes) -> Callable[[Path], object]:
    return lambda root: first("metadata.json")(root).write_bytes(data)


UTTERANCES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no tables": (
        lambda r: [p.unlink() for p in r.glob("*.csv")],
        r"holds none of train\.csv, .*; name another folder",
    ),
    "no ids": (edit("train.csv", "uid,", "utterance,"), r"train\.csv has no column 'uid'; add it, or name one of"),
    "label that no column has": (
        edit("labels.txt", "rating", "raiting"),
        r"train\.csv has no column 'raiting', which .*labels\.txt lists; correct that, or add .*; did you mean 'r",
    ),
    "no label": (
        lambda r: (r / "labels.txt").write_text(" \n"),
        r"labels\.txt lists no labels; write one column's name",
    ),
    "no label file": (lambda r: (r / "labels.txt").unlink(), r"labels\.txt does not exist; check its spelling"),
    "same id in two tables": (
        edit("test.csv", "clinic-eve-0", "clinic-ann-0"),
        r": 1 ids are not unique: clinic-ann-0; ",
    ),
    "id that leads out": (
        edit("train.csv", "clinic-ann-0", "../ann"),
        r"train\.csv, column 'uid': id '\.\./ann' may hold 1 to 128 letters, digits.* no '\.\.', .*; rename it",
    ),
    "id of a device": (
        edit("train.csv", "clinic-ann-0", "CON"),
        r"train\.csv, column 'uid': id 'CON' is the name of a device on Windows, .*; rename it",
    ),
    "no folder": (
        lambda r: (r / "recordings").rename(r / "takes"),
        r"there is no folder .*recordings; `root` and `fold",
    ),
    "no metadata": (lambda r: first("metadata.json")(r).unlink(), r"metadata\.json does not exist, though .*; add it"),
    "unreadable metadata": (metadata(b'{"encoding": '), r"metadata\.json cannot be read as JSON .*; correct it there"),
    "empty metadata": (metadata(b"[]"), r"metadata\.json holds no JSON object; it must be one like"),
    "metadata without an encoding": (metadata(b"{}"), r"metadata\.json: `encoding` must name the type of .* not None"),
    "metadata that leads out": (metadata(b'{"encoding": "../x"}'), r"metadata\.json: `encoding` must name .*'\.\./x'"),
    "metadata in UTF-16": (
        metadata('{"encoding": "WAV"}'.encode("utf-16")),
        r"metadata\.json is UTF-16 text, .*; save",
    ),
    "metadata that is a folder": (
        lambda r: (first("metadata.json")(r).unlink(), first("metadata.json")(r).mkdir()),
        r"metadata\.json: it is a folder, not a file; name a file in it",
    ),
    "no waveform": (
        lambda r: first("waveform.wav")(r).rename(first("sound.wav")(r)),
        r"waveform\.wav does not exist, though .*metadata\.json names its encoding; correct .*: metadata\.json",
    ),
    "truncated waveform": (
        lambda r: first("waveform.wav")(r).write_bytes(first("waveform.wav")(r).read_bytes()[:999]),
        r"clinic-ann-0/waveform\.wav is truncated, or its header lies: .*; copy it again",
    ),
}


def of_utterances(root: Path, spoil: Callable[[Path], object], **options: Any) -> SpeechFolder:
    config = speech_folder.fabricate(str(root))
    spoil(root)
    return SpeechFolder(**config, label_file="labels.txt", **options)


@pytest.mark.parametrize("kind", UTTERANCES)
@pytest.mark.parametrize("keep", [True, False])
def test_a_bad_speech_folder_is_named(kind, keep, tmp_path):
    spoil, says = UTTERANCES[kind]
    source = of_utterances(tmp_path, spoil, cache=keep)
    before = contents(tmp_path)
    for ask in (lambda: source[0], lambda: source.clip(0, 0, 0)):
        with pytest.raises((ValueError, OSError), match=f"{re.escape(str(tmp_path))}.*{says}|^{says}"):
            ask()
    assert contents(tmp_path) == before


@pytest.mark.parametrize("uid", ["..", "a/b", "/etc/passwd", "a\\b", "C:x", "a\tb", "x" * 129, "end.", "é"])
@pytest.mark.parametrize("table", ["train.csv", "test.csv"])
def test_no_id_leads_out_of_its_folder(uid, table, tmp_path):
    source = of_utterances(tmp_path, lambda root: [edit(table, f"clinic-{n}-0", uid)(root) for n in ("ann", "eve")])
    with pytest.raises(ValueError, match=rf"{table}, column 'uid': id {re.escape(repr(uid))} may hold .*; rename it"):
        len(source)


@pytest.mark.parametrize("uid", ["con", "PRN", "Aux.take", "NUL.x", "com1", "LPT9.wav"])
def test_no_id_is_a_device(uid):
    with pytest.raises(ValueError, match=f"id '{uid}' is the name of a device"):
        storage.check_id(uid)
    assert storage.check_id(f"{uid}x".replace(".", "-")) and storage.check_id(f"a-{uid}")


GENERATED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no dataset.yaml": (lambda r: (r / "dataset.yaml").unlink(), r" holds neither dataset\.yaml.*; name such a folder"),
    "broken dataset.yaml": (
        lambda r: (r / "dataset.yaml").write_text("a: [1\n"),
        r"is no valid YAML.*; gen",
    ),
    "another's dataset.yaml": (
        lambda r: (r / "dataset.yaml").write_text("a: 1\n"),
        r"was not written by `tympan gen.*; n",
    ),
    "changed table": (
        lambda r: (r / "metadata.parquet").write_bytes(b"PAR1"),
        r"metadata\.parquet is not the one that was generated .*: generate it again",
    ),
    "lost sample": (lambda r: (r / "sample_000000.wav").unlink(), r"sample_000000\.wav does not exist; add it, or"),
    "empty sample": (
        lambda r: (r / "sample_000000.wav").write_bytes(b""),
        r"sample_000000\.wav is not as it was generated .*: run the same",
    ),
}


@pytest.mark.parametrize("kind", GENERATED)
def test_a_bad_generated_folder_is_named(kind, tmp_path):
    spoil, says = GENERATED[kind]
    config = recorded.fabricate(tmp_path)
    spoil(tmp_path)
    before = contents(tmp_path)
    source = Recorded(**{name: value for name, value in config.items() if name != "type"})
    with pytest.raises((ValueError, OSError), match=f"(?s){re.escape(str(tmp_path))}.*{says}"):
        source[0]
    assert contents(tmp_path) == before


def test_no_two_kinds_of_bad_input_share_a_message(tmp_path):
    said: dict[str, str] = {}

    def listen(kind: str, source: Manifest | SpeechFolder) -> None:
        with pytest.raises((ValueError, OSError)) as caught:
            source[1 if kind in SOUNDS else 0]
        text = re.sub(r"['\[]?[^ ]*(/|x\\|x\.|\.wav)[^ ;,:]*", "FILE", str(caught.value))
        said.setdefault(re.sub(r"\d[\d,.e]*", "N", text), kind)

    for n, (kind, (name, make, _)) in enumerate(SOUNDS.items()):
        (tmp_path / str(n)).mkdir()
        listen(kind, of_sounds(tmp_path / str(n), name, make))
    for n, (kind, (name, data, _)) in enumerate(TABLES.items(), 100):
        (tmp_path / str(n)).mkdir()
        listen(f"table: {kind}", of_table(tmp_path / str(n), name, data))
    assert len(said) == len(SOUNDS) + len(TABLES), {*SOUNDS, *(f"table: {k}" for k in TABLES)} - {*said.values()}


@pytest.fixture
def drums(tmp_path) -> Path:
    """The configuration of a run on nine good recordings and three bad ones."""
    bad = {"gone.wav": None, "empty.wav": b"", "nan.wav": but(np.nan)}
    lines = ["path,drum,size"]
    for n in range(12):
        name = f"drum-{n}.wav" if n % 4 else list(bad)[n // 4]
        data = bad.get(name, wav(noise(1600)))
        if data is not None:
            (tmp_path / name).write_bytes(data)
        lines.append(f"{name},d{n},{0.2 + 0.01 * n:.2f}")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    return write_run(
        tmp_path / "run.yaml",
        data={"type": "manifest", "path": str(tmp_path / "t.csv"), "group_column": "drum", **CLIP},
        target={"type": "continuous", "quantities": {"size": "m"}},
    )


def test_check_names_every_bad_file_and_goes_on(drums, tmp_path):
    before = contents(tmp_path)
    seen = []
    found = check(load(drums), lambda done, total: seen.append((done, total)))
    assert seen[-1] == (12, 12) and not found.sound
    assert found.seconds == pytest.approx(9 * 0.2)
    assert list(found.refused) == ["gone.wav", "empty.wav", "nan.wav"]
    for name, why in found.refused.items():
        assert str(tmp_path / name) in why and ("; " in why)
    assert contents(tmp_path) == before


def test_the_command_check_names_bad_files_and_ends_with_one(drums, tmp_path):
    before = contents(tmp_path)
    result = CliRunner().invoke(app, ["check", str(drums)])
    assert result.exit_code == 1 and "9 of 12 recordings are usable" in result.output
    for name in ("gone.wav", "empty.wav", "nan.wav"):
        assert name in result.output
    assert "drum-1.wav" not in result.output and "Traceback" not in result.output
    assert contents(tmp_path) == before
    for name in ("gone.wav", "empty.wav", "nan.wav"):
        (tmp_path / name).write_bytes(wav(noise(1600)))
    assert CliRunner().invoke(app, ["check", str(drums)]).exit_code == 0


DRUMS = {"type": "circular_membrane", "size": 4, "sample_rate": RATE, "duration": 0.1}


@pytest.fixture
def fill(monkeypatch) -> Callable[[int], None]:
    """Let the disk be full after some files."""

    def fill(after: int) -> None:
        written = []

        def write(self: Any, data: bytes) -> int:
            written.append(data)
            if len(written) > after:
                raise OSError(28, "No space left on device")
            return self.raw.write(data)

        monkeypatch.setattr(storage._Written, "write", write)

    return fill


FULL = (
    r"{name} could not be written \(No space left on device\): it needs {bytes} bytes in {folder}, "
    r"where [\d,]+ are free; make room"
)


@pytest.mark.parametrize("there", [True, False])
def test_a_full_disk_keeps_what_was_there_and_nothing_half(there, fill, tmp_path):
    if there:
        storage.write_text(tmp_path / "x.txt", "old")
    before = contents(tmp_path)
    fill(0)
    says = FULL.format(name=r"x\.txt", bytes="5,000", folder=re.escape(str(tmp_path)))
    for write in (storage.write_text, lambda path, text: storage.write_bytes(path, text.encode())):
        with pytest.raises(OSError, match=f"^/.*{says}") as raised:
            write(tmp_path / "x.txt", "x" * 5000)
        assert raised.value.errno == 28, "for programs; people are not told of numbers"
    with pytest.raises(OSError, match=r"x\.wav could not be written .*needs 2,044 bytes"):
        audio.write(tmp_path / "x.wav", np.zeros(1000, np.float32), RATE, "PCM_16")
    assert contents(tmp_path) == before


def test_generation_goes_on_once_there_is_room(fill, tmp_path, monkeypatch):
    source = Synthesizer.model_validate(DRUMS)
    whole = contents(generate(source, tmp_path / "whole"))
    with monkeypatch.context():
        fill(3)  # dataset.yaml and two samples
        with pytest.raises(OSError, match=r"sample_000002\.wav could not be written .*; make room"):
            generate(source, tmp_path / "new")
    there = contents(tmp_path / "new")
    assert sorted(there) == ["dataset.yaml", "sample_000000.wav", "sample_000001.wav", "unfinished.jsonl"]
    assert all(whole[name] == there[name] for name in there if name.endswith(".wav"))
    monkeypatch.undo()
    assert contents(generate(source, tmp_path / "new")) == whole


LIMITED = """
import json, resource, sys
from pathlib import Path
import numpy as np
from tympan.data import audio, storage
from tympan.data.datasets.manifest import Manifest
from tympan.data.generate import generate
from tympan.data.synthesizers import Synthesizer

folder = Path(sys.argv[1])
source = Manifest(path=str(folder / "t.csv"), sample_rate=8000, duration=0.25)
drums = Synthesizer.model_validate(json.loads(sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
for act in (
    lambda: storage.write_bytes(folder / "x.txt", bytes(5000)),
    lambda: audio.write(folder / "x.wav", np.zeros(5000, np.float32), 8000),
    lambda: audio.write(folder / "x.flac", np.random.default_rng(0).uniform(-1, 1, 5000), 8000),
    lambda: generate(drums, folder / "drums"),
    lambda: source[0],
):
    try:
        act()
    except OSError as error:
        print(json.dumps([type(error).__name__, str(error)]))
"""


def test_a_system_that_takes_no_more_bytes_loses_none(tmp_path):
    put_sound(str(tmp_path / "a.wav"), tone(300, 0.4, RATE), RATE)
    (tmp_path / "t.csv").write_text("path\na.wav\n")
    (tmp_path / "x.txt").write_text("old")
    (tmp_path / "drums").mkdir()
    before = contents(tmp_path)
    environment = {**os.environ, "TYMPAN_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", LIMITED, str(tmp_path), json.dumps(DRUMS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=60)
    assert done.stderr == ""
    said = [json.loads(line) for line in done.stdout.splitlines()]
    needs = {"x.txt": "5,000", "x.wav": "15,044", "x.flac": None, "sample_000000.wav": "2,444", "a.wav": "12,800"}
    assert len(said) == len(needs)
    for (name, size), (kind, message) in zip(needs.items(), said, strict=True):
        assert kind == "OSError" and re.search(
            rf"{re.escape(name)} could not be (written|kept) \(.*\): it needs {size or '[0-9,]+'} bytes in .*, "
            r"where [\d,]+ are free; make room, or ",
            message,
        ), message
    after = contents(tmp_path)
    new = {"cache", "cache/decoded", "drums/dataset.yaml", "drums/unfinished.jsonl"}
    assert {name: after[name] for name in after if name not in new} == before


def test_a_file_that_changes_is_decoded_anew(tmp_path):
    source = of_sounds(tmp_path, "x.wav", holds(wav(noise(900))))
    old = source[1].waveform
    (tmp_path / "x.wav").write_bytes(wav(noise(900)[::-1]))  # as long as before
    new = source[1].waveform
    assert new.shape == old.shape and not np.array_equal(new, old)
    np.testing.assert_array_equal(new, audio.read(tmp_path / "x.wav"))
