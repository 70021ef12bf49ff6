"""The datasets of kac_drumset by their published names: each file beside is a configuration that makes its like."""

from pathlib import Path
from typing import Any

RECORD = "7274474"
"""The record of Zenodo that has them."""


def files() -> dict[str, Path]:
    """The configurations, by name."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.yaml"))}


def summaries() -> dict[str, str]:
    """The first line of each."""
    texts = {name: path.read_text(encoding="utf-8") for name, path in files().items()}
    return {name: text.split("\n")[0].lstrip("# ") for name, text in texts.items()}


def source(name: str) -> dict[str, Any]:
    """The source that a name means, field by field."""
    from ruamel.yaml import YAML  # few configurations name one

    return YAML(typ="safe", pure=True).load(files()[name].read_text(encoding="utf-8"))["data"]
