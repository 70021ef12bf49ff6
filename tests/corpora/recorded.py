"""A small folder as `tympan generate` writes it: six strikes of two drums."""

from pathlib import Path

from tympan.data.generate import generate
from tympan.data.synthesizers import Synthesizer

DRUMS = {"type": "circular_membrane", "size": 6, "strikes_per_drum": 3, "sample_rate": 8000, "duration": 0.1}


def fabricate(root: str | Path) -> dict:
    """Write it below `root`; return the configuration of a source on it."""
    generate(Synthesizer.model_validate(DRUMS), root)
    return {"type": "recorded", "root": str(root), "sample_rate": 8000, "duration": 0.1}
