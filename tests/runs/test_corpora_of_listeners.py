"""PMEmo2019 and HKU956, with every fault in them: trained, stopped, resumed, evaluated and asked, on disk and in S3."""

import importlib
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from runs_helpers import stopped
from servers.s3 import s3, s3_server  # noqa: F401
from tympan.component import AssumptionWarning
from tympan.data import storage
from tympan.runs.again import evaluate_again
from tympan.runs.run import Run
from tympan.runs.train import resume
from tympan.serving.answer import predict
from tympan.serving.artifact import Artifact

QUIET = Console(quiet=True)


def made(name: str, root: Path) -> dict[str, Any]:
    """The corpus with every fault but a sound that cannot be decoded, at which training ends."""
    corpus = importlib.import_module(f"corpora.{name}")
    config = corpus.fabricate(str(root))
    corpus.spoil(str(root))
    for broken in [p for p in root.rglob("*") if p.stem.startswith("broken")]:
        broken.unlink()
    return {"type": name, **config, "sample_rate": 4000, "duration": 6.0, "crop": "random"}


def run_on(data: dict[str, Any], folder: Path) -> Run:
    return Run.model_validate(
        {
            "name": "listeners",
            "data": data,
            "split": {"protocol": "unseen_song", "ratios": [0.5, 0.25, 0.25]},
            "features": {"type": "mel", "n_mels": 8, "window": 0.1, "hop": 0.05},
            "model": {"type": "lstm", "width": 8, "layers": 1, "bidirectional": False},
            "target": {"type": "continuous", "quantities": {"eda": "z"}, "rate": 4},
            "metrics": ["rmse", "mae"],
            "optimizer": {"learning_rate": 0.01},
            "training": {"max_epochs": 3, "batch_size": 2},
            "hardware": {"device": "cpu", "precision": "fp32"},
            "loader": {"num_workers": 0},
            "logging": {"worst_examples": 0},
            "checkpoint": {"checkpoint_dir": str(folder), "save_every_n_steps": 3},
        }
    )


def gone_through(data: dict[str, Any], folder: Path, sound: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What all of it comes to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        left = stopped(monkeypatch, run_on(data, folder), 4)
        result = resume(left, console=QUIET)
        assert evaluate_again(left) == result.metrics
    rows = list(predict(Artifact.load(left), [sound]))
    answered = [{k: v for k, v in row.items() if k != "file"} for row in rows]
    split = json.loads((left / "split.json").read_text())
    return {"metrics": result.metrics, "ids": [split[part]["ids"] for part in ("train", "test")], "answers": answered}


@pytest.mark.parametrize("name", [pytest.param("pmemo2019", marks=pytest.mark.slow), "hku956"])
def test_a_corpus_is_gone_through_from_disk_and_from_s3_with_equal_results(
    name: str,
    tmp_path: Path,
    s3: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "corpus"
    root.mkdir()
    data = made(name, root)
    for file in root.rglob("*"):
        if file.is_file():
            storage.write_bytes(storage.join(s3, file.relative_to(root).as_posix()), file.read_bytes())
    there = json.loads(json.dumps(data).replace(str(root), s3))
    sound = next(str(p) for p in sorted(root.rglob("*.mp3")))
    one, other = (
        gone_through(data, tmp_path / "runs", sound, monkeypatch),
        gone_through(there, tmp_path / "runs in s3", sound.replace(str(root), s3), monkeypatch),
    )
    assert one == other
    assert len(one["answers"]) > 20 and set(one["answers"][0]) == {"time (s)", "eda (z)"}
    assert {"baseline/mean_curve", "baseline/lagged_ridge", "reference/persistence"} <= set(one["metrics"]["test"])
