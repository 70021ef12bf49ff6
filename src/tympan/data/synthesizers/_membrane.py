"""What drums of every shape share: material, damping, several strikes of each; and how modes become sound."""

from abc import abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from ...acoustics.modes import wave_speed
from ...acoustics.strike import amplitudes, decay_rates, to_peak, waveform
from .. import Values
from . import Synthesizer
from ._range import Positive, draw, ends

_DRUM = 1  # the stream of random numbers that all strikes of a drum share; stream 0 is each example's own


class Drum(Synthesizer):
    """An ideal membrane with a fixed edge: what is drawn once per drum, and what with each strike.

    A drum writes `drum`, `strike`, `f0`, `sound` and `_highest_pitch`. One whose modes are known is a `Membrane`.
    """

    tension: Positive = 2000.0
    """Tension (N/m), or [low, high] to draw from."""
    density: Positive = 0.2
    """Mass per area (kg/m²), or [low, high] to draw from."""
    decay_time: Positive = 2.0
    """Time in which low modes fall by 60 dB (s), or [low, high] to draw from."""
    high_decay_time: float | None = Field(default=None, gt=0)
    """The same at 1 kHz (s); losses grow with the square of the frequency. `None` is the same for all modes."""
    strike_width: float = Field(default=0.0, ge=0)
    """Diameter of the struck area, a raised cosine (m); 0 is a point."""
    strikes_per_drum: int = Field(default=5, ge=1)
    """Strikes of each drum, one after the other; the first is in the centre."""
    amplitude: float = Field(default=1.0, gt=0, le=1)
    """Largest magnitude of every waveform."""

    @model_validator(mode="after")
    def _sounds(self) -> "Drum":
        if self.high_decay_time is not None and self.high_decay_time > ends(self.decay_time)[0]:
            raise ValueError("high_decay_time: high modes cannot ring longer than low ones; lower it to decay_time")
        if self._highest_pitch() >= self.sample_rate / 2:
            raise ValueError(
                f"the smallest drum's lowest mode, {self._highest_pitch():.0f} Hz, is not below half the sample rate "
                f"of {self.sample_rate} Hz: choose larger drums, less tension or a higher sample_rate"
            )
        return self

    @abstractmethod
    def _highest_pitch(self) -> float:
        """The lowest mode (Hz) of the drum that sounds highest."""

    @abstractmethod
    def drum(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the shape of a drum, and where it is heard."""

    @abstractmethod
    def strike(self, rng: np.random.Generator, drum: Values, first: bool) -> dict[str, float]:
        """Draw where the drum is struck: in the centre at first."""

    @abstractmethod
    def f0(self, drum: Values, speed: float) -> float:
        """The drum's lowest mode (Hz) at a wave speed (m/s)."""

    def speed(self, parameters: Values) -> float:
        """The wave speed (m/s) that was drawn."""
        return wave_speed(parameters["tension"], parameters["density"])

    def fastest(self) -> float:
        """The highest wave speed (m/s) that may be drawn."""
        return wave_speed(ends(self.tension)[1], ends(self.density)[0])

    @property
    def units(self) -> dict[str, str]:
        return {"tension": "N/m", "density": "kg/m²", "decay_time": "s", "f0": "Hz"}

    def groups(self, index: int) -> dict[str, str]:
        return {"drum": str(index // self.strikes_per_drum)}

    def parameters(self, rng: np.random.Generator, index: int) -> dict[str, Any]:
        number, stroke = divmod(index, self.strikes_per_drum)
        once = self.generator(_DRUM, number)
        drawn = self.drum(once)
        for name in ("tension", "density", "decay_time"):
            drawn[name] = draw(once, getattr(self, name))
        return {**drawn, **self.strike(rng, drawn, stroke == 0), "f0": self.f0(drawn, self.speed(drawn))}


class Membrane(Drum):
    """A drum whose modes are known: it writes `drum`, `strike`, `frequencies`, `shapes` and `_highest_pitch`.

    Frequencies and shapes are arrays of one shape, whichever suits the modes' numbering.
    """

    @abstractmethod
    def frequencies(self, parameters: Values, speed: float) -> Float[np.ndarray, "*modes"]:
        """Frequencies of the modes (Hz) at a wave speed (m/s)."""

    @abstractmethod
    def shapes(self, parameters: Values) -> tuple[Float[np.ndarray, "*modes"], Float[np.ndarray, "*modes"]]:
        """The modes' shapes where the drum is struck, and where it is heard."""

    def f0(self, drum: Values, speed: float) -> float:
        return float(self.frequencies(drum, speed).min())

    def sound(self, rng: np.random.Generator, parameters: Values) -> Float[np.ndarray, "samples"]:
        speed = self.speed(parameters)
        f = self.frequencies(parameters, speed).ravel()
        struck, heard = (shape.ravel() for shape in self.shapes(parameters))
        a = amplitudes(f, struck, heard, speed, self.strike_width)
        rates = decay_rates(f, parameters["decay_time"], self.high_decay_time)
        return to_peak(waveform(f, a, rates, self.audio.frames, self.sample_rate), self.amplitude)
