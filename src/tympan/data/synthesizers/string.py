"""A struck string of varying length, tension and mass: the modes between two fixed ends."""

from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field, PositiveInt, model_validator

from ...acoustics.modes import string_frequencies, string_shapes, wave_speed
from ...acoustics.strike import decay_rates, string_spread, to_peak, waveform
from .. import Values
from . import Synthesizer
from ._range import Across, Positive, draw, ends


class String(Synthesizer):
    """Strings that are struck once each.

    The values are `length` (m), `tension` (N), `density` (kg/m), `decay_time` (s), `strike_x` and `listening_x`
    (fractions of the length) and `f0` (Hz, the lowest mode).
    """

    length: Positive = (0.3, 1.2)
    """Length (m), or [low, high] to draw from."""
    tension: Positive = 70.0
    """Tension (N), or [low, high] to draw from."""
    density: Positive = 0.001
    """Mass per length (kg/m), or [low, high] to draw from."""
    inharmonicity: float = Field(default=0.0, ge=0)
    """How much stiffness raises high modes: mode n sounds sqrt(1 + B n²) higher. A guitar's B is near 1e-4."""
    decay_time: Positive = 2.0
    """Time in which low modes fall by 60 dB (s), or [low, high] to draw from."""
    high_decay_time: float | None = Field(default=None, gt=0)
    """The same at 1 kHz (s); losses grow with the square of the frequency. `None` is the same for all modes."""
    strike_x: Across = (0.0, 1.0)
    """Where it is struck, as a fraction of the length, or [low, high] to draw from."""
    strike_width: float = Field(default=0.0, ge=0)
    """Length that is struck, a raised cosine (m); 0 is a point."""
    listening_x: Across = 0.13
    """Where it is heard, as a fraction of the length, or [low, high] to draw from."""
    modes: PositiveInt = 40
    """How many modes are heard; those at or above half the sample rate never are."""
    amplitude: float = Field(default=1.0, gt=0, le=1)
    """Largest magnitude of every waveform."""

    @model_validator(mode="after")
    def _sounds(self) -> "String":
        if self.high_decay_time is not None and self.high_decay_time > ends(self.decay_time)[0]:
            raise ValueError("high_decay_time: high modes cannot ring longer than low ones; lower it to decay_time")
        speed = wave_speed(ends(self.tension)[1], ends(self.density)[0])
        highest = string_frequencies(ends(self.length)[0], speed, 1, self.inharmonicity)[0]
        if highest >= self.sample_rate / 2:
            raise ValueError(
                f"the shortest string's lowest mode, {highest:.0f} Hz, is not below half the sample rate of "
                f"{self.sample_rate} Hz: choose longer strings, less tension or a higher sample_rate"
            )
        return self

    @property
    def units(self) -> dict[str, str]:
        units = {"length": "m", "tension": "N", "density": "kg/m", "decay_time": "s", "f0": "Hz"}
        return {**units, "strike_x": "1", "listening_x": "1"}

    def frequencies(self, parameters: Values) -> Float[np.ndarray, "modes"]:
        """Frequencies of the modes (Hz)."""
        speed = wave_speed(parameters["tension"], parameters["density"])
        return string_frequencies(parameters["length"], speed, self.modes, self.inharmonicity)

    def parameters(self, rng: np.random.Generator, index: int) -> dict[str, Any]:
        names = ("length", "tension", "density", "decay_time", "strike_x", "listening_x")
        drawn = {name: draw(rng, getattr(self, name)) for name in names}
        return {**drawn, "f0": float(self.frequencies(drawn)[0])}

    def sound(self, rng: np.random.Generator, parameters: Values) -> Float[np.ndarray, "samples"]:
        f = self.frequencies(parameters)
        struck, heard = (string_shapes(parameters[name], self.modes) for name in ("strike_x", "listening_x"))
        wave_numbers = np.arange(1, self.modes + 1) * np.pi / parameters["length"]
        a = struck * heard * string_spread(wave_numbers, self.strike_width) / f
        rates = decay_rates(f, parameters["decay_time"], self.high_decay_time)
        return to_peak(waveform(f, a, rates, self.audio.frames, self.sample_rate), self.amplitude)
