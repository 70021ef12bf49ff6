"""Noise whose level is the signal to be measured, four values a second."""

from typing import Any

import numpy as np

from tympan.data import Values
from tympan.data.synthesizers import Synthesizer


class Envelope(Synthesizer):
    """One output with a rate."""

    @property
    def units(self) -> dict[str, str]:
        return {"level": "V"}

    def parameters(self, rng: np.random.Generator, index: int) -> dict[str, Any]:
        return {"level": rng.uniform(0.05, 1.0, round(4 * self.audio.duration)).astype(np.float32)}

    def sound(self, rng: np.random.Generator, parameters: Values) -> np.ndarray:
        at = np.arange(self.audio.frames) * 4 // self.sample_rate
        return (parameters["level"][at] * rng.normal(0, 0.3, self.audio.frames)).astype(np.float32)
