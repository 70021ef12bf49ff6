"""Decaying tones of drums whose size is the inverse of their pitch."""

from typing import Any

import numpy as np

from tympan.data import Values
from tympan.data.synthesizers import Synthesizer


class Ping(Synthesizer):
    """A sine of 50 / diameter Hz that dies away."""

    @property
    def units(self) -> dict[str, str]:
        return {"diameter": "m"}

    def parameters(self, rng: np.random.Generator, index: int) -> dict[str, Any]:
        return {"diameter": rng.uniform(0.1, 0.5)}

    def sound(self, rng: np.random.Generator, parameters: Values) -> np.ndarray:
        t = np.arange(self.audio.frames) / self.sample_rate
        return (np.sin(2 * np.pi * 50 / parameters["diameter"] * t) * np.exp(-9 * t)).astype(np.float32)
