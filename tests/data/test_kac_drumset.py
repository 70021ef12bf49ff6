"""Folders that kac_drumset wrote are read as they are, in little memory, and what is wrong with one is said."""

import json
import shutil
import time
import tracemalloc
import uuid
from pathlib import Path

import numpy as np
import pytest

from corpora.kac_drumset import fabricate, labels
from tympan.component import AssumptionWarning
from tympan.data import kac_drumset, storage
from tympan.data.datasets import Dataset
from tympan.data.datasets.recorded import Recorded
from tympan.data.generate import generate
from tympan.data.split import Split, split
from tympan.features import Feature

ASSUMED = pytest.mark.filterwarnings("ignore::tympan.component.AssumptionWarning")


def source(configuration: dict, **changes: object) -> Recorded:
    found = Dataset.model_validate({**configuration, **changes})
    assert isinstance(found, Recorded)
    return found


def fdtd(index: int) -> dict:
    """As the sampler of finite differences labels: corners of the drum, and where it is struck and heard."""
    corners = [[0.0, 0.1 * (index // 5)], [1.0, 0.0], [0.5, 1.0]]
    places = {"strike_location": [0.5, 0.01 * index], "sample_location": [0.01 * index, 0.5]}
    return {"N": [3], "vertices": corners, **places}


def test_labels_and_sound_are_read(tmp_path: Path) -> None:
    read = source(fabricate(tmp_path))
    with pytest.warns(AssumptionWarning, match=r"neighbours with the same drum_size .*: 2 drums, 5 each"):
        assert len(read) == 10
    for i in range(10):
        example, theirs = read[i], labels(i)
        assert example.id == f"sample_{i:05d}" and example.groups == {"drum": str(i // 5)}
        r, theta = theirs["strike_location"]
        assert example.values == {
            "drum_size": theirs["drum_size"][0],
            "strike_location_0": r,
            "strike_location_1": theta,
        }
        assert example.waveform.shape == (1, 800) and read.describe(i).duration == 0.1
    assert read.units == {"drum_size": "m"} and read.group == "drum"
    assert read.about["source"]["kac_drumset"] == {"name": "BesselModel", "version": "2.0.0"}


@ASSUMED
def test_a_drum_is_in_one_part_of_a_split(tmp_path: Path) -> None:
    read = source(fabricate(tmp_path, size=60))
    parts = split(read, Split(), 0)
    drums = [{read.describe(i).groups["drum"] for i in part} for part in (parts.train, parts.validation, parts.test)]
    assert sum(map(len, drums)) == len(set().union(*drums)) == 12


def test_drums_are_found_by_their_labels_and_not_counted(tmp_path: Path) -> None:
    def three(index: int) -> dict:
        return {"drum_size": [0.1 * (1 + index // 3)], "strike_location": [0.01 * index, 0.0]}

    with pytest.warns(AssumptionWarning, match="4 drums, 3 each"):
        read = source(fabricate(tmp_path, size=10, label=three))
        assert [read.describe(i).groups["drum"] for i in range(10)] == list("0001112223")


def test_drums_of_which_nothing_is_said_are_counted(tmp_path: Path) -> None:
    with pytest.warns(AssumptionWarning, match="5 samples at a time"):
        read = source(fabricate(tmp_path, label=lambda i: {"strike_location": [0.01 * i, 0.0]}))
        assert [read.describe(i).groups["drum"] for i in range(10)] == list("0000011111")


def test_sounds_that_are_no_drums_have_no_groups(tmp_path: Path) -> None:
    read = source(fabricate(tmp_path, size=3, label=lambda i: {"f_0": [100.0 + i]}))
    assert read.group is None and read.describe(1).groups == {} and read.values(1) == {"f_0": 101.0}
    assert read.units == {"f_0": "Hz"}


@ASSUMED
def test_corners_stay_an_array(tmp_path: Path) -> None:
    read = source(fabricate(tmp_path, label=fdtd))
    assert read.values(7)["vertices"].shape == (3, 2) and read.values(7)["N"] == 3
    assert [read.describe(i).groups["drum"] for i in range(10)] == list("0000011111")


@ASSUMED
@pytest.mark.parametrize("kind", ["end2end", "mel", "fft"])
@pytest.mark.parametrize("old", [False, True])
def test_the_representation_is_ours_of_the_same_numbers(tmp_path: Path, kind: str, old: bool) -> None:
    representation = {"output_type": kind, "n_mels": 20, "normalise_input": False}
    configuration = fabricate(tmp_path, **representation)
    if old:  # the name of 2022
        text = (tmp_path / "metadata.json").read_text().replace("output_type", "representation_type")
        (tmp_path / "metadata.json").write_text(text)
    own = source(configuration).own_features
    feature = Feature.model_validate(own)
    assert feature.normalize == "none" and feature.standardize == "none"
    told = {"end2end": {"type": "waveform"}, "fft": {"type": "spectrogram", "window": "512 samples", "n_fft": 512}}
    told |= {"mel": {"type": "mel", "n_mels": 20, "f_min": 22.05, "hop": "256 samples", "scale": "linear"}}
    assert told[kind].items() <= (own or {}).items()
    assert source(configuration).values(9) == source(fabricate(tmp_path / "plain")).values(9)


@ASSUMED
def test_it_may_lie_in_data_and_anywhere(tmp_path: Path) -> None:
    configuration = fabricate(tmp_path / "drums" / "data")
    here = source(configuration, root=str(tmp_path / "drums"))
    uri = f"memory://{uuid.uuid4()}"
    for file in (tmp_path / "drums" / "data").iterdir():
        storage.write_bytes(storage.join(uri, file.name), file.read_bytes())
    for other in (source(configuration), source(configuration, root=uri)):
        assert [other.values(i) for i in range(10)] == [here.values(i) for i in range(10)]
        np.testing.assert_array_equal(other[3].waveform, here[3].waveform)


@ASSUMED
def test_it_can_be_generated_into_a_folder_of_ours(tmp_path: Path) -> None:
    theirs = source(fabricate(tmp_path / "theirs"))
    ours = source({**theirs.model_dump(), "type": "recorded"}, root=str(generate(theirs, tmp_path / "ours")))
    assert [ours.values(i) for i in range(10)] == [theirs.values(i) for i in range(10)]
    assert ours.describe(7) == theirs.describe(7)
    np.testing.assert_array_equal(ours[7].waveform, theirs[7].waveform)


@ASSUMED
@pytest.mark.parametrize("cut", [0.2, 0.5, 0.77, 0.999])
def test_a_text_that_is_cut_off_is_told(tmp_path: Path, cut: float) -> None:
    configuration = fabricate(tmp_path)
    text = (tmp_path / "metadata.json").read_bytes()
    (tmp_path / "metadata.json").write_bytes(text[: int(cut * len(text))])
    with pytest.raises(ValueError, match=r"metadata\.json is cut off after \d+ entries; copy or unpack"):
        len(source(configuration))


@ASSUMED
@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"dataset_size": 10', '"dataset_size": 11', "is of 11 samples and has 10"),
        ('"drum_size": [0.1]', '"drum_size": [NaN]', r"entry of sample_00000\.wav: label drum_size is nan"),
        ('"drum_size": [0.1]', '"drum_size": null', 'entry 0: "y" is not labels by name'),
        ('"y": {', '"labels": {', 'entry 0: "y" is not labels by name'),
        ('"drum_size": [0.1]', '"drum_size": {"m": 0.1}', 'entry 0: "y" is not labels by name'),
        ('"drum_size": [0.1]', '"drum_size": [[1, 2], [3]]', 'entry 0: "y" is not labels by name'),
        ('"drum_size": [0.1]', f'"drum_size": [1{"0" * 400}]', 'entry 0: "y" is not labels by name'),
        ('"drum_size": [0.1]', '"strike_location_0": [0.1]', 'entry 0: "y" is not labels by name'),
        ('"sampler_settings": {', '"sampler_settings": [1], "other": {', "is not settings by name"),
        ('"dataset_size"', f'"deep": {"[" * 99999}{"]" * 99999}, "dataset_size"', "nested too deeply"),
        ('"data": [', '"samples": [', 'has no "data" of entries'),
        ('"strike_location"', '"strike_location', "is no valid JSON: .* near"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, old: str, new: str, why: str) -> None:
    configuration = fabricate(tmp_path)
    text = (tmp_path / "metadata.json").read_text()
    assert old in text
    (tmp_path / "metadata.json").write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=why):
        len(source(configuration))


@ASSUMED
def test_samples_that_are_missing_are_named(tmp_path: Path) -> None:
    configuration = fabricate(tmp_path)
    (tmp_path / "sample_00003.wav").unlink()
    (tmp_path / "sample_00007.wav").unlink()
    with pytest.raises(ValueError, match=r"2 of the 10 samples .* are missing: sample_00003\.wav, sample_00007\.wav"):
        len(source(configuration))


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds neither dataset\.yaml.* nor kac_drumset's metadata\.json"):
        len(source({"type": "recorded", "root": str(tmp_path), "sample_rate": 8000, "duration": 0.1}))


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_blocks_change_nothing(tmp_path: Path, block: int) -> None:
    fabricate(tmp_path, size=3, seconds=0.01, output_type="mel")
    text = (tmp_path / "metadata.json").read_bytes()
    blocks = [text[i : i + block] for i in range(0, len(text), block)]
    whole, reduced = json.loads(text), json.loads(b"".join(kac_drumset._without_inputs(blocks, "x")))
    assert reduced == {**whole, "data": [{"x": None, "y": entry["y"]} for entry in whole["data"]]}


def large(folder: Path, entries: int) -> int:
    """A metadata.json of 1 MB an entry, with wav files; its size in bytes."""
    configuration = fabricate(folder, size=entries)
    shutil.copy(folder / "metadata.json", folder / "small.json")
    one = json.dumps(np.random.default_rng(0).uniform(-1, 1, 48_000).tolist())
    with (folder / "small.json").open() as small, (folder / "metadata.json").open("w") as file:
        for line in small:
            file.write(f'"x": {one},\n' if line.startswith('"x"') else line)
    assert configuration["root"] == str(folder)
    return (folder / "metadata.json").stat().st_size


@ASSUMED
@pytest.mark.parametrize("entries", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_text_and_it_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    size = large(tmp_path, entries)
    assert size > 0.9e6 * entries
    read = source({"type": "recorded", "root": str(tmp_path), "sample_rate": 8000, "duration": 0.1})
    began = time.process_time()
    tracemalloc.start()
    assert len(read) == entries
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * kac_drumset.BLOCK
    assert time.process_time() - began < 0.5 + size / 100e6  # 100 MB/s, on any machine
    monkeypatch.setattr(kac_drumset, "_without_inputs", None)
    assert len(source(read.model_dump())) == entries
