"""Small runs for tests."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from ruamel.yaml import YAML

from corpora.speech_folder import fabricate
from tympan.runs import trainer
from tympan.runs.configuration import load
from tympan.runs.run import Run
from tympan.runs.train import Result, train

DRUM: dict[str, Any] = {
    "name": "tiny",
    "data": {"type": "circular_membrane", "size": 60, "sample_rate": 16000, "duration": 0.1},
    "features": {"type": "mel", "n_mels": 16, "window": 0.02, "hop": 0.01},
    "model": {"type": "cnn", "width": 8},
    "target": {"type": "continuous", "quantities": {"diameter": "m"}},
    "optimizer": {"learning_rate": 0.01},
    "training": {"max_epochs": 2, "batch_size": 16},
    "loader": {"num_workers": 0},
    "logging": {"worst_examples": 0},  # pictures of sound take a second
}
ONE_EPOCH = {"max_epochs": 1, "batch_size": 16}


def write(path: Path, **sections: Any) -> Path:
    """A configuration file of a tiny run, with sections replaced or added; `None` takes one out."""
    config = {key: value for key, value in {**DRUM, **sections}.items() if value is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        YAML().dump(config, out)
    return path


def run_of(tmp_path: Path, **sections: Any) -> Run:
    """A tiny run of one epoch, whose folder is below `tmp_path`."""
    checkpoint = {"checkpoint_dir": str(tmp_path / "runs"), **sections.pop("checkpoint", {})}
    return load(write(tmp_path / "run.yaml", **{"training": ONE_EPOCH, **sections, "checkpoint": checkpoint}))


def trained(tmp_path: Path, **sections: Any) -> Result:
    """What training it left."""
    return train(run_of(tmp_path, **sections), console=Console(quiet=True))


def clinic(tmp_path: Path, **sections: Any) -> Result:
    """What training a tiny run on six speakers with a label leaves; sections are replaced or added."""
    data = {"type": "speech_folder", **fabricate(str(tmp_path / "clinic"))}
    few: dict[str, Any] = {
        "data": data,
        "split": {"validation": "none"},
        "target": {"type": "binary", "labels": ["dysarthria"]},
        "training": {"max_steps": 1, "batch_size": 4},
        "logging": {"worst_examples": 2, "tensorboard": True},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return trained(tmp_path, **{**few, **sections})


def log(result: Result) -> list[dict[str, float]]:
    """The lines of its log."""
    return [json.loads(line) for line in (result.folder / "log.jsonl").read_text().splitlines()]


def stopped(monkeypatch: pytest.MonkeyPatch, run: Run, step: int) -> Path:
    """The folder of a run that ctrl-C ended after a step."""

    class Stopped(trainer.Tracker):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == step:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "Tracker", Stopped)
        with pytest.raises(KeyboardInterrupt):
            train(run, console=Console(quiet=True))
    (folder,) = Path(run.checkpoint.checkpoint_dir).iterdir()
    return folder
