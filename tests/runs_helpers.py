"""Small runs for tests."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

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


def write(path: Path, **sections: Any) -> Path:
    """A configuration file of a tiny run, with sections replaced or added; `None` takes one out."""
    config = {key: value for key, value in {**DRUM, **sections}.items() if value is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        YAML().dump(config, out)
    return path
