"""What is generated is the same for any number of workers, goes on where it stopped, and is read back as it was."""

import json
import shutil

import numpy as np
import pytest

from corpora.recorded import fabricate
from tympan.data.datasets import Dataset
from tympan.data.generate import generate
from tympan.data.synthesizers import Synthesizer

DRUMS = {"type": "circular_membrane", "size": 7, "sample_rate": 8000, "duration": 0.1, "seed": 5}


def source(**changes):
    return Synthesizer.model_validate({**DRUMS, **changes})


def contents(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def recorded(folder):
    return Dataset.model_validate({"type": "recorded", "root": str(folder), "sample_rate": 8000, "duration": 0.1})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return generate(source(), tmp_path_factory.mktemp("drums") / "new")


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_byte(folder, tmp_path, workers):
    done = []
    generate(source(), tmp_path, workers=workers, progress=lambda n, of: done.append((n, of)))
    assert contents(tmp_path) == contents(folder)
    assert done == [(n, 7) for n in range(1, 8)]


def test_what_was_drawn_is_read_back(folder):
    drums, read = source(), recorded(folder)
    assert len(read) == 7 and read.units == drums.units and read.group == "drum"
    for i in range(7):
        a, b = drums[i], read[i]
        assert (a.id, a.groups, a.values) == (b.id, b.groups, b.values)
        assert np.abs(a.waveform - b.waveform).max() <= 2**-23
        assert read.describe(i) == drums.describe(i)


def test_interrupted_generation_goes_on(folder, tmp_path):
    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(source(), tmp_path, progress=stop)
    with pytest.raises(ValueError, match="not complete"):
        len(recorded(tmp_path))
    (tmp_path / "sample_000001.wav").write_bytes((folder / "sample_000001.wav").read_bytes()[:500])
    kept = (tmp_path / "sample_000000.wav").stat().st_mtime_ns
    generate(source(), tmp_path)
    assert contents(tmp_path) == contents(folder)
    assert (tmp_path / "sample_000000.wav").stat().st_mtime_ns == kept


@pytest.mark.parametrize("change", [{"seed": 6}, {"diameter": 0.5}, {"size": 8}])
def test_another_configuration_is_refused_and_nothing_touched(folder, tmp_path, change):
    copy = shutil.copytree(folder, tmp_path / "copy")
    with pytest.raises(ValueError, match=f"another configuration.*{next(iter(change))}"):
        generate(source(**change), copy)
    with pytest.raises(ValueError, match="subtype"):
        generate(source(), copy, subtype="FLOAT")
    assert contents(copy) == contents(folder)


def test_foreign_samples_are_left_alone(tmp_path):
    (tmp_path / "mine.wav").write_bytes(b"mine")
    with pytest.raises(ValueError, match="choose an empty folder"):
        generate(source(), tmp_path)
    assert contents(tmp_path) == {"mine.wav": b"mine"}


def test_changed_metadata_is_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "metadata.parquet").write_bytes((copy / "metadata.parquet").read_bytes() + b"\0")
    with pytest.raises(ValueError, match="sha256"):
        len(recorded(copy))


def test_float_samples_are_exact(tmp_path):
    generate(source(size=2), tmp_path, subtype="FLOAT")
    assert np.array_equal(recorded(tmp_path)[1].waveform, source()[1].waveform)


def test_a_recorded_folder_can_be_generated_again(folder, tmp_path):
    again = recorded(generate(recorded(folder), tmp_path))
    assert [again[i].values for i in range(7)] == [recorded(folder)[i].values for i in range(7)]


def test_sounds_without_values_are_read_back(tmp_path):
    sweep = Synthesizer.model_validate({"type": "sweep", "size": 2, "sample_rate": 8000, "duration": 0.1})
    generate(sweep, tmp_path)
    assert recorded(tmp_path)[1].values == {} and recorded(tmp_path).group == "example"


def test_remote_output_is_refused():
    with pytest.raises(ValueError, match="local folder"):
        generate(source(), "s3://bucket/drums")


def test_fabricated_corpus_is_small_and_whole(tmp_path):
    configuration = fabricate(tmp_path / "corpus")
    read = Dataset.model_validate(json.loads(json.dumps(configuration)))
    assert len(read) == 6 and len({read.describe(i).groups["drum"] for i in range(6)}) == 2
