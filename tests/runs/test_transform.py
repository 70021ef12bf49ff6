"""A folder of samples records how it is to be represented; runs that name no features take that, and say so."""

import os
import warnings
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from corpora import kac_drumset
from runs_helpers import write
from tympan.cli import app
from tympan.component import AssumptionWarning
from tympan.data import storage
from tympan.data.dataset_folder import alone, read_about
from tympan.data.datasets import Dataset
from tympan.data.generate import generate
from tympan.data.synthesizers import Synthesizer
from tympan.features import Feature
from tympan.runs.check import check, show
from tympan.runs.configuration import load
from tympan.runs.folder import notes
from tympan.runs.resolved import dump
from tympan.runs.transform import brief, transform

MEL = {"type": "mel", "n_mels": 24, "window": 0.032, "hop": 0.01}
DRUMS = {"type": "circular_membrane", "size": 60, "sample_rate": 16000, "duration": 0.1}


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return generate(Synthesizer.model_validate(DRUMS), tmp_path / "drums")


def data(folder: Path) -> dict:
    return {"type": "recorded", "root": str(folder), "sample_rate": 16000, "duration": 0.1}


def said(*words: str) -> str:
    result = CliRunner().invoke(app, ["transform", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


def test_it_is_recorded_and_nothing_else_changes(folder: Path) -> None:
    before = contents(folder)
    assert "now records mel (window: 0.032, n_mels: 24)" in said(
        str(folder), "features.type=mel", "features.n_mels=24", "features.window=0.032"
    )
    after = contents(folder)
    assert [name for name in after if after[name] != before.get(name)] == ["dataset.yaml"]
    own = Dataset.model_validate(data(folder)).own_features
    assert Feature.model_validate(own) == Feature.model_validate(MEL)
    generate(Synthesizer.model_validate(DRUMS), folder)  # the folder is still of the same configuration
    assert contents(folder) == after


def test_twice_the_same_writes_nothing(folder: Path) -> None:
    words = (str(folder), "features.type=mel", "features.n_mels=24")
    said(*words)
    before = (folder / "dataset.yaml").stat()
    assert "already; nothing was written" in said(*words)
    after = (folder / "dataset.yaml").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert "now records spectrogram" in said(str(folder), "features=spectrogram")
    assert "now records mel (n_mels: 24)" in said(*words)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["features.type=mell"], r"unknown feature 'mell'.*did you mean 'mel'"),
        (["features.type=mel", "features.n_mel=64"], r"features\.n_mel: unknown field.*did you mean 'n_mels'"),
        (["feature.type=mel"], r"feature: unknown field; one of: features; did you mean 'features'"),
        (["features.n_mels=64"], r"needs a `type`"),
        (["features.type=mel", "features.n_mels=0"], r"features\.n_mels: .*greater than or equal to 1"),
        (["features.type=mel", "features.f_max=9000"], r"f_max 9000 Hz is above 8000 Hz"),
        (["mel"], r"write section\.field=value"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_written(folder: Path, words: list[str], why: str) -> None:
    before = contents(folder)
    with pytest.raises(ValueError, match=why):
        said(str(folder), *words)
    assert contents(folder) == before


def test_only_a_complete_folder_that_nobody_writes_is_taken(folder: Path, tmp_path: Path) -> None:
    mel = Feature.model_validate(MEL)
    with alone(folder), pytest.raises(ValueError, match="is being written by another"):
        transform(folder, mel)
    with pytest.raises(ValueError, match="holds neither"):
        transform(tmp_path, mel)
    text = (folder / "dataset.yaml").read_text()
    (folder / "dataset.yaml").write_text(text[: text.index("metadata_sha256")])
    with pytest.raises(ValueError, match="is not complete"):
        transform(folder, mel)


def test_a_death_leaves_the_old_or_the_new(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = (folder / "dataset.yaml").read_bytes()

    def die(*given: object) -> None:
        raise KeyboardInterrupt

    for owner, name in ((os, "fsync"), (Path, "replace")):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(owner, name, die)
            transform(folder, Feature.model_validate(MEL))
        assert (folder / "dataset.yaml").read_bytes() == old
    assert transform(folder, Feature.model_validate(MEL))


def test_a_folder_in_a_bucket_is_taken(folder: Path) -> None:
    uri = "memory://transformed"
    for file in folder.iterdir():
        storage.write_bytes(storage.join(uri, file.name), file.read_bytes())
    assert transform(uri, Feature.model_validate(MEL))
    assert not transform(uri, Feature.model_validate(MEL))
    assert read_about(uri)["features"]["n_mels"] == 24


def test_a_run_without_features_takes_those_of_the_folder(folder: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "run.yaml", data=data(folder), features=None)
    with pytest.raises(ValueError, match="features: is missing"):
        load(file)
    transform(folder, Feature.model_validate(MEL))
    with pytest.warns(AssumptionWarning, match=r"features are not named, and those that the data record.*'n_mels': 24"):
        run = load(file)
    assert run.features == Feature.model_validate(MEL)
    with pytest.warns(AssumptionWarning, match="those that the data record"):  # and rates are made of them
        rate = load(write(tmp_path / "run.yaml", data=data(folder), features=None, target={
            "type": "continuous", "quantities": {"diameter": "m"}, "rate": "features"})).target.rate  # fmt: skip
    assert rate == 100.0


def test_features_of_the_configuration_win_and_that_is_said(folder: Path, tmp_path: Path) -> None:
    transform(folder, Feature.model_validate(MEL))
    other = write(tmp_path / "run.yaml", data=data(folder))
    same = write(tmp_path / "same.yaml", data=data(folder), features=MEL)
    none = write(tmp_path / "none.yaml", data={**DRUMS})
    told = {}
    for file in (other, same, none):
        with warnings.catch_warnings():
            warnings.simplefilter("error", AssumptionWarning)
            run = load(file)
        out = StringIO()
        show(check(run), Console(width=400, file=out))
        told[file] = out.getvalue()
    assert load(other).features.model_dump()["n_mels"] == 16
    assert (
        "note: features are the configuration's, mel (window: 0.02, n_mels: 16); the data record others" in told[other]
    )
    assert "note: features are those that the data record: mel (window: 0.032, n_mels: 24)" in told[same]
    assert "features are" not in told[none]


def test_the_report_says_where_features_came_from(folder: Path, tmp_path: Path) -> None:
    transform(folder, Feature.model_validate(MEL))
    with pytest.warns(AssumptionWarning, match="those that the data record"):
        run = load(write(tmp_path / "run.yaml", data=data(folder), features=None))
    assert "Features are those that the data record: mel (window: 0.032, n_mels: 24)." in notes(run, run.divide())
    (tmp_path / "resolved.yaml").write_text(dump(run))
    assert load(tmp_path / "resolved.yaml").features == run.features  # written out, and so nothing is assumed


@pytest.mark.filterwarnings("ignore::tympan.component.AssumptionWarning")
def test_a_folder_of_kac_drumset_keeps_its_own_text(tmp_path: Path) -> None:
    configuration = kac_drumset.fabricate(tmp_path / "theirs", size=40)
    file = write(tmp_path / "run.yaml", data=configuration, features=None,
                 target={"type": "continuous", "quantities": ["drum_size", "strike_location_0"]})  # fmt: skip
    run = load(file)
    assert brief(run.features) == "waveform (normalize: min_max)"
    assert check(run).sound
    text = (tmp_path / "theirs" / "metadata.json").read_bytes()
    assert not transform(tmp_path / "theirs", run.features)
    assert not (tmp_path / "theirs" / "dataset.yaml").exists()
    assert transform(tmp_path / "theirs", Feature.model_validate({"type": "mel", "n_mels": 8}))
    assert load(file).features.type == "mel"
    assert (tmp_path / "theirs" / "metadata.json").read_bytes() == text
    assert load(file).data.group == "drum"
    ours = generate(load(file).data, tmp_path / "ours")
    assert (
        load(write(tmp_path / "run.yaml", data={**configuration, "root": str(ours)}, features=None)).features.type
        == "mel"
    )
