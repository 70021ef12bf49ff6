"""A user's own part of every kind, one file outside of the package, trains from YAML and from Python."""

import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from ruamel.yaml import YAML

from runs_helpers import DRUM, write
from tympan.component import Component
from tympan.runs.configuration import ConfigurationError, load
from tympan.runs.run import Run
from tympan.runs.train import train
from tympan.serving.artifact import Artifact

FILES = Path(__file__).parents[1] / "user_files"
SECTIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "my_model": ("model", "OneConvolution", {"width": 5}),
    "my_loss": ("loss", "LogCosh", {}),
    "my_metric": ("metrics", "MedianError", {}),
    "my_target": ("target", "Half", {}),
    "my_feature": ("features", "Level", {"normalize": "none"}),
    "my_synthesizer": ("data", "Ping", {"size": 60, "sample_rate": 8000, "duration": 0.1}),
    "my_dataset": ("data", "NamedAfterSize", {"root": "drums", "sample_rate": 8000, "duration": 0.1}),
    "my_augmentation": ("augmentations", "Upside", {"p": 0.5}),
}
QUICK = {"loader": {"num_workers": 0}, "training": {"max_epochs": 1, "batch_size": 16}}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of the user's with nothing but the file and some sounds, in which they work."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("drums").mkdir()
    rng = np.random.default_rng(0)
    for size in range(100, 300, 10):
        for stroke in range(2):
            soundfile.write(f"drums/{size}mm-{stroke}.wav", rng.normal(0, 0.1, 900), 8000)
    yield
    for name in SECTIONS:
        sys.modules.pop(name, None)


def section(name: str) -> dict[str, Any]:
    field, choice, options = SECTIONS[name]
    part = {"type": f"{name}.{choice}", **options}
    several = field in ("metrics", "augmentations")
    return {field: [part] if several else part}


def test_there_is_a_file_for_every_kind() -> None:
    kinds = {
        choice.kind().__name__
        for path in FILES.glob("*.py")
        for choice in vars(importlib.import_module(f"user_files.{path.stem}")).values()
        if isinstance(choice, type) and issubclass(choice, Component) and choice.__module__ == f"user_files.{path.stem}"
    }
    assert kinds == {"Source", "Augmentation", "Feature", "Model", "Target", "Loss", "Metric"}
    assert {path.stem for path in FILES.glob("*.py")} == set(SECTIONS)


@pytest.mark.parametrize("name", SECTIONS)
def test_it_trains_from_yaml_and_its_artifact_is_loaded_with_trust_alone(name: str, tmp_path: Path) -> None:
    shutil.copy(FILES / f"{name}.py", tmp_path)
    changed = {key: value for key, value in {**QUICK, **section(name)}.items()}
    result = train(load(write(tmp_path / "run.yaml", **changed)))
    resolved = (result.folder / "run.yaml").read_text()
    assert f"type: {name}.{SECTIONS[name][1]}" in resolved
    assert result.metrics["test"]["model"]["diameter"]
    heard = name in ("my_model", "my_loss", "my_metric", "my_target", "my_feature")
    if heard:
        with pytest.raises(ValueError, match=f"trust=\\['{name}.{SECTIONS[name][1]}'\\]"):
            Artifact.load(result.folder)
    artifact = Artifact.load(result.folder, trust=[f"{name}.{SECTIONS[name][1]}"] if heard else [])
    rows = list(artifact.hear([np.zeros((1, 1600), np.float32)]))
    assert np.isfinite(rows[0]["target"].numpy()).all()
    assert json.loads((result.folder / "model" / "config.json").read_text())["provenance"]["data"]
    assert load(result.folder / "run.yaml"), "a run's own configuration can be read again"


@pytest.mark.parametrize(
    "name", ["my_model", *(pytest.param(n, marks=pytest.mark.slow) for n in SECTIONS if n != "my_model")]
)
def test_it_trains_from_python(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(FILES / f"{name}.py", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    field, choice, options = SECTIONS[name]
    part = getattr(importlib.import_module(name), choice)(**options)
    several = field in ("metrics", "augmentations")
    run = Run.model_validate({**DRUM, **QUICK, field: (part,) if several else part})
    result = train(run)
    assert result.metrics["test"]["model"]["diameter"]


def test_a_file_that_is_not_found_says_where_it_may_lie(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="beside the configuration"):
        load(write(tmp_path / "run.yaml", model={"type": "nowhere.Model"}))


def test_a_class_that_the_file_does_not_hold_is_named(tmp_path: Path) -> None:
    shutil.copy(FILES / "my_model.py", tmp_path)
    with pytest.raises(ConfigurationError, match="did you mean 'OneConvolution'"):
        load(write(tmp_path / "run.yaml", model={"type": "my_model.OneConvolutions"}))


def test_a_class_inside_of_a_function_is_refused() -> None:
    from tympan.objectives.losses.l1 import L1

    class Local(L1):
        """Cannot be found again."""

    with pytest.raises(ValueError, match="inside of a function"):
        Run.model_validate({**DRUM, "loss": Local()})


def test_overrides_reach_the_fields_of_a_users_part(tmp_path: Path) -> None:
    shutil.copy(FILES / "my_model.py", tmp_path)
    run = load(write(tmp_path / "run.yaml", **section("my_model")), ["model.width=3"])
    assert YAML(typ="safe").load(run.model_dump_json())["model"]["width"] == 3
