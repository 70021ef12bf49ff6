"""A struck tom: two heads, the air around and between them, a stick, and a pitch that glides down."""

from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field
from scipy.interpolate import CubicSpline

from ...acoustics.modes import circle_shapes, wave_speed
from ...acoustics.strike import decay_rates, spread, to_peak, waveform
from ...acoustics.two_heads import two_heads
from .. import Example, Values
from ._range import Positive, Range, draw
from .circular_membrane import CircularMembrane

_SHELL = 2  # the stream of random numbers of what a drum has beside its head


class Tom(CircularMembrane):
    """Toms as they are heard on a stage: what a membrane in vacuum lacks, each by a field.

    Beside the values of `circular_membrane` there are `depth` (m), `resonance`, `glide`, `glide_time` (s) and `click`
    (dB). `f0` is the lowest mode once the pitch has settled, with both heads and the air. No stroke is in the very
    centre unless `strike_r` says so. How loud and how long each mode is, beyond what strike and damping say, is drawn
    anew for each stroke: shell, stand, microphone and room are not modelled.
    """

    diameter: Positive = (0.2, 0.5)
    """Diameter (m), or [low, high] to draw from."""
    depth: Positive = (0.15, 0.45)
    """Distance between the heads (m), or [low, high]: the less air, the higher the modes that compress it."""
    resonance: Positive = (0.7, 1.4)
    """Wave speed in the lower head by that in the upper, or [low, high]."""
    detuning: Range = (0.0, 0.03)
    """How far an uneven tension moves the two modes of a pair apart, by their frequency, or [low, high]."""
    glide: Range = (0.0, 0.3)
    """How much higher the pitch begins than it ends, by its end, or [low, high]: a large swing stretches the head."""
    glide_time: Positive = (0.03, 0.2)
    """Time in which the glide falls to 1/e (s), or [low, high]."""
    click: Range = (-40.0, 0.0)
    """Level of the stick's noise by that of the tone (dB), or [low, high]; it is gone within some milliseconds."""
    mode_spread: float = Field(default=6.0, ge=0)
    """Standard deviation of each mode's level (dB), and in proportion of its decay: 6 dB is half or double."""

    @property
    def units(self) -> dict[str, str]:
        own = {"depth": "m", "resonance": "1", "detuning": "1", "glide": "1", "glide_time": "s", "click": "dB"}
        return {**super().units, **own}

    def strike(self, rng: np.random.Generator, first: bool) -> dict[str, float]:
        return {"strike_r": draw(rng, self.strike_r), "strike_theta": draw(rng, self.strike_theta)}

    def parameters(self, rng: np.random.Generator, index: int) -> dict[str, Any]:
        drawn = super().parameters(rng, index)
        once = self.generator(_SHELL, index // self.strikes_per_drum)
        drawn |= {name: draw(once, getattr(self, name)) for name in ("depth", "resonance", "detuning")}
        drawn |= {name: draw(rng, getattr(self, name)) for name in ("glide", "glide_time", "click")}
        return {**drawn, "f0": float(self._heads(drawn)[0][0])}

    def sound(self, rng: np.random.Generator, parameters: Values) -> Float[np.ndarray, "samples"]:
        coupled, takes_part, higher = self._heads(parameters)
        n = np.arange(1, self.modes[0])[:, None]
        axis = rng.uniform(0, np.pi)  # of the uneven tension, seen from the listening point
        r, theta = parameters["strike_r"], parameters["strike_theta"]
        struck, heard = (circle_shapes(at, 0.0, *self.modes)[0] for at in (r, self.listening_r))
        apart = struck[1:] * heard[1:]
        pair = apart * np.cos(n * (theta - axis)) * np.cos(n * axis), -apart * np.sin(n * (theta - axis)) * np.sin(n * axis)
        a = np.concatenate([(struck[0] @ takes_part) * (heard[0] @ takes_part), *(p.ravel() for p in pair)])
        split = (1 + parameters["detuning"] / 2, 1 - parameters["detuning"] / 2)
        f = np.concatenate([coupled, *(higher.ravel() * by for by in split)])
        speed = wave_speed(parameters["tension"], parameters["density"])
        a = a * spread(2 * np.pi * f / speed, self.strike_width) / f
        deviation = self.mode_spread * np.log(10) / 20
        a = a * np.exp(deviation * rng.standard_normal(len(f)))
        rates = decay_rates(f, parameters["decay_time"], self.high_decay_time)
        rates = rates * np.exp(deviation * rng.standard_normal(len(f)))
        x = to_peak(self._gliding(f, a, rates, parameters), 1.0)
        t = np.arange(len(x)) / self.sample_rate
        noise = rng.standard_normal(len(x)) * np.exp(-t / rng.uniform(0.001, 0.008)) / 3  # peaks near 1
        return to_peak(x + np.float32(10 ** (parameters["click"] / 20)) * noise.astype(np.float32), self.amplitude)

    def references(self, example: Example) -> dict[str, Values]:
        """None: the inverse of a membrane in vacuum does not hold here."""
        return {}

    def _heads(self, parameters: Values) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        speed = wave_speed(parameters["tension"], parameters["density"])
        told = (parameters[name] for name in ("resonance", "density", "depth"))
        return two_heads(parameters["diameter"], speed, *told, *self.modes)

    def _gliding(self, f: np.ndarray, a: np.ndarray, rates: np.ndarray, parameters: Values) -> np.ndarray:
        """The modes in a time that runs faster at first: all frequencies glide together."""
        later = parameters["glide"] * parameters["glide_time"]
        t = np.arange(self.audio.frames) / self.sample_rate
        straight = waveform(f, a, rates, self.audio.frames + int(later * self.sample_rate) + 2, self.sample_rate)
        warped = t + later * (1 - np.exp(-t / parameters["glide_time"]))
        return CubicSpline(np.arange(len(straight)), straight)(warped * self.sample_rate).astype(np.float32)
