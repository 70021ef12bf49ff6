"""What damaged files have done once, and do no more."""

import json
import struct

import av
import fuzz
import numpy as np
import pytest
import soundfile
from pyarrow import parquet
from pyarrow import table as arrow

from corpora import tone
from tympan.data import Source, audio, table, yaml_file
from tympan.runs.configuration import ConfigurationError, load

RATE = 16000


def test_eight_channels_in_planes_are_read(tmp_path):
    """PyAV looks for the end of a list of planes that has none from eight on: every 7.1 file ended the process."""
    x = np.stack([tone(200 + 50 * n, 0.5, RATE) for n in range(8)])
    with av.open(str(tmp_path / "x.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="7.1", bit_rate=800_000)
        resampler = av.AudioResampler("fltp", "7.1", RATE, frame_size=1024)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(x.T).reshape(1, -1), format="flt", layout="7.1")
        frame.sample_rate = RATE
        for ready in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(ready))
        container.mux(stream.encode(None))
    found = audio.read(tmp_path / "x.m4a", channels="keep")
    peaks = np.abs(np.fft.rfft(found[:, :8000])).argmax(1) * RATE / 8000
    full = [n for n in range(8) if n != 3]  # the fourth is for low frequencies alone
    np.testing.assert_allclose(peaks[full], [200 + 50 * n for n in full], atol=4)


@pytest.mark.parametrize("value", [3e38, -1e30, 1e13])
def test_samples_that_overflow_are_refused(value, tmp_path):
    soundfile.write(tmp_path / "x.wav", np.array([0, value, 0] * 99), 8000, "DOUBLE")
    with pytest.raises(ValueError, match=r"x\.wav holds vast \(.*e\+.*\) samples, the first at 0\.000125 s; export"):
        audio.read(tmp_path / "x.wav", RATE)


def test_infinities_of_both_signs_are_refused_without_a_warning(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.array([[0, 0], [np.inf, -np.inf]] * 9), 8000, "FLOAT")
    with pytest.raises(ValueError, match=r"x\.wav holds NaN samples"):
        audio.read(tmp_path / "x.wav")


@pytest.mark.parametrize(
    ("suffix", "index"),
    [("opus", 35499), ("opus", 62782), ("m4a", 51396), ("m4a", 83587), ("ogg", 85782), ("aac", 15008)],
)
def test_a_mutation_that_failed_once_is_read_or_named(suffix, index, tmp_path):
    readers = fuzz.sounds(tmp_path)
    name, data = fuzz.mutant("sounds", index, {name: (tmp_path / name).read_bytes() for name in readers})
    (tmp_path / name).write_bytes(data)
    try:
        readers[name](tmp_path / name)
    except ValueError as error:
        assert str(tmp_path / name) in str(error)


def test_sound_in_an_unknown_coding_is_named(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.zeros(999), 8000)
    data = bytearray((tmp_path / "x.wav").read_bytes())
    data[20:22] = struct.pack("<H", 0x7777)
    (tmp_path / "x.wav").write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.wav is coded in a way that is not known here; convert it to wav or flac"):
        audio.read(tmp_path / "x.wav")


def test_a_parquet_file_whose_pages_are_damaged_is_named(tmp_path):
    parquet.write_table(arrow({"path": ["a.wav"] * 50, "size": list(range(50))}), tmp_path / "t.parquet")
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    data[4:60] = bytes(reversed(data[4:60]))
    (tmp_path / "t.parquet").write_bytes(data)
    with pytest.raises(ValueError, match=r"t\.parquet is no valid parquet file: "):
        table.read(str(tmp_path / "t.parquet"))


@pytest.mark.parametrize("cell", [[1], {"a": 1}, "text", None, True])
def test_a_cell_of_jsonl_may_be_anything(cell, tmp_path):
    (tmp_path / "t.jsonl").write_text(json.dumps({"path": "a.wav", "size": cell}) + "\n")
    rows = table.read(str(tmp_path / "t.jsonl"))
    assert table.numbers([row["size"] for row in rows], "size") == [cell]


def test_a_number_of_thousands_of_digits_is_refused_with_its_line(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"path": "a.wav"}\n{"path": ' + "9" * 5000 + "}\n")
    with pytest.raises(ValueError, match=r"t\.jsonl, line 2 is no valid JSON"):
        table.read(str(tmp_path / "t.jsonl"))


@pytest.mark.parametrize("name", ["..", "a..b", ".a", "a.", "os.path;id", "a. b"])
def test_a_dotted_path_is_one(name):
    with pytest.raises(ValueError, match="is no dotted path of a module or a class"):
        Source.find(name)


def test_an_endless_fraction_of_an_epoch_is_refused(tmp_path):
    (tmp_path / "run.yaml").write_text("training: {val_check_interval: .inf}\n")
    with pytest.raises(ConfigurationError, match="val_check_interval: inf is neither whole steps"):
        load(tmp_path / "run.yaml")


@pytest.mark.parametrize("number", ["9" * 30, "9" * 5000, "-" + "9" * 30])
def test_a_number_that_no_field_holds_is_refused_with_its_place(number):
    with pytest.raises(ValueError, match=r"^x\.yaml:2:4: .*number"):
        yaml_file.read(f"a: 1\nb: {number}\n", "x.yaml")


def test_half_a_character_is_refused_and_two_halves_are_one():
    assert yaml_file.read('{"a": "\\ud83d\\ude00"}', "x.json")[0] == {"a": "😀"}
    with pytest.raises(ValueError, match=r"^x\.json:1:7: "):
        yaml_file.read('{"a": "\\ud83d"}', "x.json")
