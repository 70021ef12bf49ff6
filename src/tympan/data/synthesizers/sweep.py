"""A test sweep: one sine that rises from the lowest audible pitch to half the sample rate."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from .. import Values
from . import Synthesizer


class Sweep(Synthesizer):
    """A sine whose frequency goes from `start` to half the sample rate; nothing is drawn, so nothing is known of it."""

    curve: Literal["quadratic", "linear", "logarithmic"] = "quadratic"
    """How the frequency rises with time."""
    start: float = Field(default=20.0, gt=0)
    """Frequency at the beginning (Hz)."""
    amplitude: float = Field(default=0.95, gt=0, le=1)
    """Largest magnitude of the waveform."""

    @model_validator(mode="after")
    def _rises(self) -> "Sweep":
        if self.start >= self.sample_rate / 2:
            raise ValueError(f"start: {self.start} Hz is not below half the sample rate of {self.sample_rate} Hz")
        return self

    def parameters(self, rng: np.random.Generator, index: int) -> dict[str, Any]:
        return {}

    def sound(self, rng: np.random.Generator, parameters: Values) -> Float[np.ndarray, "samples"]:
        frames, low, high = self.audio.frames, self.start, self.sample_rate / 2
        duration, x = frames / self.sample_rate, np.arange(frames) / frames
        # Cycles so far: the integral of the frequency over time.
        if self.curve == "logarithmic":
            ratio = np.log(high / low)
            cycles = duration * low * np.expm1(ratio * x) / ratio
        else:
            power = 2 if self.curve == "quadratic" else 1
            cycles = duration * (low * x + (high - low) * x ** (power + 1) / (power + 1))
        return (self.amplitude * np.sin(2 * np.pi * cycles)).astype(np.float32)
