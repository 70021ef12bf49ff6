"""A test tone of known pitch: saw, sine, square or triangle, without aliases."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from ...acoustics.strike import to_peak, waveform
from ...signals import frames_within
from .. import Values
from . import Synthesizer
from ._range import Positive, draw, ends

_RATE = 100.0  # Hz


class Tone(Synthesizer):
    """Steady tones: the Fourier series of a waveshape below half the sample rate.

    The values are `f0`, the pitch (Hz), and `pitch`, the same 100 times a second, for targets over time.
    """

    waveshape: Literal["saw", "sine", "square", "triangle"] = "sine"
    """What one period looks like."""
    f0: Positive = (110.0, 880.0)
    """Pitch (Hz), or [low, high] to draw from."""
    amplitude: float = Field(default=0.95, gt=0, le=1)
    """Largest magnitude of every waveform."""

    @model_validator(mode="after")
    def _audible(self) -> "Tone":
        if ends(self.f0)[1] >= self.sample_rate / 2:
            raise ValueError(f"f0: {ends(self.f0)[1]} Hz is not below half the sample rate of {self.sample_rate} Hz")
        return self

    @property
    def units(self) -> dict[str, str]:
        return {"f0": "Hz", "pitch": "Hz"}

    @property
    def rates(self) -> dict[str, float]:
        return {"pitch": _RATE}

    def parameters(self, rng: np.random.Generator, index: int) -> dict[str, Any]:
        f0 = draw(rng, self.f0)
        return {"f0": f0, "pitch": np.full(frames_within(self.audio.duration, _RATE), f0)}

    def sound(self, rng: np.random.Generator, parameters: Values) -> Float[np.ndarray, "samples"]:
        f0 = parameters["f0"]
        count = 1 if self.waveshape == "sine" else int(self.sample_rate / 2 // f0)
        k = np.arange(1, count + 1)
        odd = k % 2
        series = {
            "sine": k == 1,
            "saw": 1 / k,
            "square": odd / k,
            "triangle": odd * np.sin(np.pi * k / 2) / k**2,
        }[self.waveshape].astype(np.float64)
        y = waveform(k * f0, series, np.zeros(count), self.audio.frames, self.sample_rate)
        return to_peak(y, self.amplitude)
