"""A folder that need not be there is loaded, else fetched, else generated; what was done is said, nobody is asked."""

# ruff: noqa: F811 (fixtures)

import shutil
import warnings

import numpy as np
import pytest
from pydantic import ValidationError

from corpora import kac_drumset
from servers.record import NAME, record  # noqa: F401
from tympan.component import AssumptionWarning
from tympan.data import fetch
from tympan.data.dataset_folder import read_about, write_about
from tympan.data.datasets import Dataset

pytestmark = pytest.mark.filterwarnings("ignore::tympan.component.AssumptionWarning")

DRUMS = {"type": "circular_membrane", "size": 6, "strikes_per_drum": 3}


def obtained(root, **fields):
    config = {"type": "obtained", "root": str(root), "sample_rate": 8000, "duration": 0.1, "otherwise": DRUMS, **fields}
    return Dataset.model_validate(config)


def contents(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


@pytest.fixture
def published(record, monkeypatch):
    """The server of official datasets."""
    monkeypatch.setattr(fetch, "HOME", record.address)
    return record


@pytest.fixture
def offline(monkeypatch):
    def nobody(*_, **__):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("socket.getaddrinfo", nobody)


def test_what_is_not_there_is_generated_with_the_sound_that_is_asked_for(tmp_path):
    data = obtained(tmp_path / "drums")
    assert not (tmp_path / "drums").exists()  # nothing happens before it is asked for
    with pytest.warns(AssumptionWarning, match="was not there, and 6 examples of circular_membrane were generated"):
        assert len(data) == 6
    assert len(data.remarks()) == 1 and data.remarks()[0].startswith(f"{tmp_path / 'drums'} was not there, and 6")
    assert data.group == "drum" and data.units["diameter"] == "m" and data[0].waveform.shape == (1, 800)
    about = read_about(str(tmp_path / "drums"))
    assert (about["sample_rate"], about["source"]["duration"]) == (8000, 0.1)


def test_what_is_there_is_loaded_and_never_touched(tmp_path):
    len(obtained(tmp_path / "drums"))
    before = contents(tmp_path / "drums")
    data = obtained(tmp_path / "drums", otherwise={**DRUMS, "size": 9, "seed": 3})
    assert len(data) == 6
    (said,) = data.remarks()
    assert "was loaded: 6 examples of circular_membrane, which differ from `otherwise` in size, seed" in said
    assert obtained(tmp_path / "drums").remarks()[0].endswith("was loaded: 6 examples of circular_membrane")
    assert contents(tmp_path / "drums") == before


def test_generation_that_was_stopped_goes_on(tmp_path):
    root = tmp_path / "drums"
    len(obtained(root))
    before = contents(root)
    about = read_about(str(root))
    del about["metadata_sha256"]
    write_about(root, about)
    (root / "sample_000004.wav").unlink()
    data = obtained(root, official=NAME)  # which is not fetched over what was begun
    assert len(data) == 6 and "was not complete, and 6 examples" in data.remarks()[0]
    assert contents(root) == before


def test_the_official_one_is_fetched_only_where_it_is_named(published, tmp_path):
    len(obtained(tmp_path / "generated"))
    assert not published.asked
    data = obtained(tmp_path / "drums", official=NAME)
    with pytest.warns(AssumptionWarning, match="is being fetched"):
        assert len(data) == 3
    assert data.remarks() == [f"{tmp_path / 'drums'} was not there, and {NAME} was fetched into it"]
    assert data.values(0)["drum_size"] == 0.3 and data[1].waveform.shape == (1, 2000)
    asked = len(published.asked)
    again = obtained(tmp_path / "drums", official=NAME)
    assert "was loaded: 3 examples of kac_drumset (BesselModel)" in again.remarks()[0]
    assert len(published.asked) == asked


def test_where_it_cannot_be_fetched_another_is_generated_and_why_is_said(offline, tmp_path):
    data = obtained(tmp_path / "drums", official=NAME)
    assert len(data) == 6
    assert "6 examples of circular_membrane were generated into it, since" in data.remarks()[0]
    assert "Network is unreachable" in data.remarks()[0]
    assert f"; {NAME} was not fetched, remove the folder to try" in obtained(data.root, official=NAME).remarks()[0]


def test_where_nothing_can_be_done_the_error_lists_what_can(offline, tmp_path):
    with pytest.raises(ValueError, match=rf"{NAME} could not be fetched.*tympan generate.*`otherwise`"):
        len(obtained(tmp_path / "drums", official=NAME, otherwise=None))
    assert not (tmp_path / "drums").exists()


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.wav").write_bytes(b"mine")
    with pytest.raises(
        ValueError, match=r"neither dataset\.yaml nor kac_drumset's metadata\.json; nothing was changed"
    ):
        len(obtained(tmp_path))
    assert contents(tmp_path) == {"mine.wav": b"mine"}


def test_a_folder_in_a_bucket_is_loaded_and_not_made(tmp_path):
    with pytest.raises(ValueError, match="only a local folder can be made"):
        len(obtained("memory://nothing-here"))


def test_a_folder_of_kac_drumset_is_loaded(tmp_path):
    kac_drumset.fabricate(tmp_path / "drums")
    data = obtained(tmp_path / "drums", renamed={"drum_size": "diameter"})
    assert "kac_drumset (BesselModel)" in data.remarks()[0]
    assert len(data) == 10 and data.values(0)["diameter"] == 0.1 and data.units == {"diameter": "m"}
    assert data.own_features["type"] == "waveform"


def test_one_name_serves_what_is_published_and_what_is_generated(tmp_path):
    data = obtained(tmp_path / "drums", renamed={"drum_size": "diameter"})
    assert data.values(0)["diameter"] > 0
    with pytest.raises(ValueError, match=r"renamed: .* has a value of the new name already"):
        len(obtained(tmp_path / "drums", renamed={"f0": "diameter"}))


def test_asking_for_features_obtains_nothing(tmp_path):
    assert obtained(tmp_path / "drums").own_features is None
    assert not (tmp_path / "drums").exists()


def test_what_was_obtained_goes_along_to_other_processes(tmp_path):
    import pickle

    data = obtained(tmp_path / "drums")
    first = data[2].waveform
    shutil.copytree(tmp_path / "drums", tmp_path / "kept")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = pickle.loads(pickle.dumps(data))  # noqa: S301
        np.testing.assert_array_equal(again[2].waveform, first)
        assert again.remarks() == data.remarks()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"otherwise": None}, "name `official`, `otherwise`, or both"),
        ({"official": "5000-circular-drums-of-varying-sise"}, "did you mean '5000-circular-drums-of-varying-size'"),
        ({"otherwise": {"type": "recorded", "root": "x"}}, "recorded makes no sound; name a synthesizer"),
        ({"otherwise": "circular_membran"}, "did you mean 'circular_membrane'"),
        ({"otherwise": {**DRUMS, "sise": 3}}, "sise"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, says, tmp_path):
    with pytest.raises(ValidationError, match=says):
        obtained(tmp_path / "x", **fields)


def test_a_published_name_is_a_synthesizer_too(tmp_path):
    data = obtained(tmp_path / "drums", otherwise={"type": NAME, "size": 2})
    assert len(data) == 2 and data.otherwise.type == "circular_membrane" and data.otherwise.sample_rate == 8000
