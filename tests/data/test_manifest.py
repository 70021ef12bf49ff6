"""Any table of paths: what it may name, and what is said when it may not."""

import json

import numpy as np
import pytest

from corpora import manifest, put_sound, tone
from tympan.component import AssumptionWarning
from tympan.data import storage
from tympan.data.datasets.manifest import Manifest
from tympan.data.recordings import Recording, Recordings
from tympan.data.split import Split, split


@pytest.fixture
def config(tmp_path):
    return manifest.fabricate(str(tmp_path))


def write(tmp_path, *lines):
    (tmp_path / "index.csv").write_text("\n".join(lines))


def test_rows_are_recordings(config):
    source = Manifest(**config)
    assert (len(source), source.group, source.units) == (12, "drum", {"diameter_m": "m"})
    assert source[5].id == source.describe(5).id == "kit 1/stroke-5.ogg"
    assert source[5].groups == {"drum": "d1"} and source.describe(5).part is None
    assert source[5].values == {"diameter_m": 0.35, "position": "edge"}
    assert {source.describe(i).groups["drum"] for i in split(source, Split(), 0).test} < {"d0", "d1", "d2"}


def test_columns_are_chosen_and_renamed(config):
    assert Manifest(**config, columns=["position"]).values(0) == {"position": "centre"}
    source = Manifest(**{**config, "value_units": {"size": "m"}}, columns={"size": "diameter_m", "which": "drum"})
    assert source.values(0) == {"size": 0.3, "which": "d0"}
    with pytest.raises(ValueError, match=r"index\.csv has no column 'diameter'.*did you mean 'diameter_m'"):
        len(Manifest(**config, columns=["diameter"]))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_table_says_the_same(suffix, tmp_path):
    put_sound(str(tmp_path / "a.wav"), tone(300, 0.4, 8000), 8000)
    rows = [{"path": "a.wav", "id": name, "f0": 300 + n, "note": "x"} for n, name in enumerate("ab")]
    table = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(rows), table)
    elif suffix == "jsonl":
        table.write_text("\n".join(map(json.dumps, rows)))
    else:
        separator = "," if suffix == "csv" else "\t"
        table.write_text("\n".join(separator.join(map(str, line)) for line in [rows[0], *(r.values() for r in rows)]))
    source = Manifest(path=str(table), id_column="id", sample_rate=8000, duration=0.1)
    assert [source[i].id for i in range(2)] == ["a", "b"]
    assert [dict(source[i].values) for i in range(2)] == [{"f0": 300, "note": "x"}, {"f0": 301, "note": "x"}]


def test_parts_are_those_of_the_table(config, tmp_path):
    rows = (tmp_path / "index.csv").read_text().splitlines()
    parts = ["train"] * 4 + ["val"] * 4 + ["test"] * 4
    write(tmp_path, rows[0], *(row + part for row, part in zip(rows[1:], parts, strict=True)))
    source = Manifest(**config)
    found = split(source, Split(), 0)
    assert [found.train, found.validation, found.test] == [list(range(k, k + 4)) for k in (0, 4, 8)]
    write(tmp_path, rows[0], rows[1] + "evaluation")
    with pytest.raises(
        ValueError, match=r"index\.csv, column 'split': 'evaluation' is no part of a split; one of: train"
    ):
        len(Manifest(**config))


def test_absolute_paths_are_for_local_tables(config, tmp_path):
    sound = tmp_path / "kit 0" / "stroke-0.wav"
    write(tmp_path, "path", str(sound), f"file://{sound}")
    source = Manifest(path=str(tmp_path / "index.csv"), sample_rate=8000, duration=0.1)
    np.testing.assert_array_equal(source[0].waveform, source[1].waveform)
    storage.write_text("memory://box/index.csv", f"path\n{sound}\n")
    with pytest.raises(ValueError, match="outside of the table's own bucket"):
        len(Manifest(path="memory://box/index.csv", sample_rate=8000, duration=0.1))
    put_sound("memory://box/far/a.wav", tone(300, 0.4, 8000), 8000)
    storage.write_text("memory://box/in/index.csv", "path\nmemory://box/far/a.wav\n")
    assert Manifest(path="memory://box/in/index.csv", sample_rate=8000, duration=0.1)[0].waveform.any()


class Stretches(Recordings):
    """Seconds (start, stop) of one file."""

    uri: str
    at: list[tuple[float, float | None]]

    def recordings(self):
        return [Recording(self.uri, f"{a}-{b}", start=a, stop=b) for a, b in self.at]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("crop", ["start", "random", "all"])
def test_stretches_of_one_file_are_recordings_of_their_own(keep, crop, tmp_path):
    ramp = np.arange(16000, dtype=np.float32) / 32768
    put_sound(str(tmp_path / "a.wav"), ramp, 8000)
    at = [(0.0, 0.5), (0.5, None), (0.50006, 1.0), (1.5, 9.0), (1.9, None)]
    source = Stretches(uri=str(tmp_path / "a.wav"), at=at, cache=keep, crop=crop, sample_rate=8000, duration=0.25)
    for i, (a, b) in enumerate(at):
        whole = (source[i].waveform[0] * 32768).round()
        np.testing.assert_array_equal(whole, np.arange(round(a * 8000), round(min(b or 2, 2) * 8000)))
        for epoch in range(3):
            clip = (source.clip(i, epoch, 0).waveform[0] * 32768).round()
            assert len(clip) == min(2000, len(whole)) and whole[0] <= clip[0] and clip[-1] <= whole[-1]
    assert source.describe(0).duration == 0.5
    late = source.model_copy(update={"at": [(2.0, 3.0)]})
    late.__dict__.pop("rows")
    for read in (lambda: late[0], lambda: late.clip(0, 0, 0)):
        with pytest.raises(ValueError, match=r"recording 2\.0-3\.0: .*a\.wav ends before 2\.0 s"):
            read()


@pytest.mark.parametrize("path", ["../secret.wav", "a/../../secret.wav"])
def test_a_relative_path_stays_in_the_folder_of_its_table(path, config, tmp_path):
    write(tmp_path, "path", path)
    with pytest.raises(ValueError, match=r"index\.csv, column 'path': .*leads out of"):
        len(Manifest(path=str(tmp_path / "index.csv"), sample_rate=8000, duration=0.1))


def test_what_is_wrong_is_named(config, tmp_path):
    write(tmp_path, "path,f0", "a.wav,1", ",2")
    with pytest.raises(ValueError, match=r"index\.csv: column 'path' is empty in the row None, 2"):
        len(Manifest(path=config["path"], sample_rate=8000, duration=0.1))
    write(tmp_path, "path,f0", "a.wav,1", "a.wav,2")
    with pytest.raises(ValueError, match=r"1 ids are not unique: a\.wav"):
        len(Manifest(path=config["path"], sample_rate=8000, duration=0.1))
    write(tmp_path, "path,f0", "a.wav,1")
    for keep in (True, False):
        with pytest.raises(ValueError, match=r"recording a\.wav: .*a\.wav does not exist"):
            Manifest(path=config["path"], sample_rate=8000, duration=0.1, cache=keep)[0]


def test_what_was_assumed_is_said(config, tmp_path):
    write(tmp_path, "path;f0", "a.wav;1,5", "b.wav;NA")
    with pytest.warns(AssumptionWarning) as said:
        source = Manifest(path=config["path"], sample_rate=8000, duration=0.1)
        assert [dict(source.values(i)) for i in range(2)] == [{"f0": 1.5}, {}]
    assert len(said) == 3 and all("index.csv" in str(s.message) for s in said)


def test_real_corpora_load(shared_data):
    drums = Manifest(
        path=str(shared_data / "drums" / "index.csv"),
        path_column="file",
        group_column="kit",
        columns={"diameter": "diameter_m"},
        value_units={"diameter": "m"},
        sample_rate=48000,
        duration=0.25,
        crop="onset",
        padding="right",
    )
    assert len(drums) == 103 and len({drums.describe(i).groups["kit"] for i in range(103)}) == 4
    for i in range(0, 103, 10):
        clip = drums.clip(i, 0, 0)
        assert 0.1 < clip.values["diameter"] < 1 and clip.waveform.shape[1] <= 12000
    notes = Manifest(
        path=str(shared_data / "tuned_percussion" / "index.csv"), path_column="file", sample_rate=16000, duration=0.5
    )
    assert len(notes) > 20
    for i in range(0, len(notes), 7):
        sound = notes[i].waveform[0]
        peak = np.abs(np.fft.rfft(sound)).argmax() * 16000 / len(sound)
        assert abs(12 * np.log2(peak / notes.values(i)["f0_hz"])) < 0.5  # semitones
