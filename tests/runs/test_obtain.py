"""A run obtains its data, records its features with them, and its report says how the data came."""

import json
from pathlib import Path

import pytest

from runs_helpers import run_of, trained
from tympan.data.dataset_folder import read_about
from tympan.runs.obtain import obtain, told

pytestmark = pytest.mark.filterwarnings("ignore::tympan.component.AssumptionWarning")

MEL = {"type": "mel", "n_mels": 16, "window": 0.02, "hop": 0.01}


def data(tmp_path: Path) -> dict:
    drums = {"type": "circular_membrane", "size": 40, "seed": 1}
    return {
        "type": "obtained",
        "root": str(tmp_path / "drums"),
        "sample_rate": 8000,
        "duration": 0.1,
        "otherwise": drums,
    }


def test_a_run_makes_its_data_and_the_next_one_loads_them_with_the_features_recorded(tmp_path: Path) -> None:
    run = run_of(tmp_path, data=data(tmp_path))
    assert not (tmp_path / "drums").exists()  # a configuration that is read brings nothing
    first = trained(tmp_path, data=data(tmp_path))
    notes = " ".join(json.loads((first.folder / "summary.json").read_text())["notes"])
    assert "was not there, and 40 examples of circular_membrane were generated into it." in notes
    assert "records the features mel (window: 0.02, n_mels: 16)" in notes
    assert "40 examples of circular_membrane" in (first.folder / "report" / "index.html").read_text()
    assert read_about(str(tmp_path / "drums"))["features"]["n_mels"] == 16

    again = run_of(tmp_path, data=data(tmp_path), features=None)
    assert again.features == run.features

    changed = trained(tmp_path, data=data(tmp_path), features={**MEL, "n_mels": 20})
    notes = " ".join(json.loads((changed.folder / "summary.json").read_text())["notes"])
    assert "was loaded: 40 examples" in notes
    assert "records the features mel (window: 0.02, n_mels: 20)" in notes
    assert "in place of mel (window: 0.02, n_mels: 16)" in notes
    assert read_about(str(tmp_path / "drums"))["features"]["n_mels"] == 20


def test_features_of_what_is_not_there_yet_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="features: is missing"):
        run_of(tmp_path, data=data(tmp_path), features=None)


def test_a_folder_that_may_only_be_read_is_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise PermissionError("drums/dataset.yaml may not be written")

    monkeypatch.setattr("tympan.runs.obtain.transform", refuse)
    run = run_of(tmp_path, data=data(tmp_path))
    assert obtain(run) is run
    assert told(run)[-1].endswith("does not record the features of the run: drums/dataset.yaml may not be written")
