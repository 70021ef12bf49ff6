"""A struck tom: two heads, the air around and between them, a stick, and a pitch that glides down."""

import math

import numpy as np
from jaxtyping import Float
from pydantic import Field, PositiveInt
from scipy.interpolate import CubicSpline

from ...acoustics.modes import circle_frequencies, circle_shapes
from ...acoustics.strike import decay_rates, spread, to_peak, waveform
from ...acoustics.two_heads import two_heads
from .. import Values
from ._membrane import Drum
from ._range import Fraction, Positive, Range, draw, ends


class Tom(Drum):
    """Toms as they are heard on a stage: what a membrane in vacuum lacks, each by a field.

    The values are `diameter`, `depth` (m), `resonance`, `detuning`, `tension` (N/m), `density` (kg/m²),
    `decay_time` (s), `strike_r` (in radii), `strike_theta` (rad), `glide`, `glide_time` (s), `click` (dB), and `f0`
    (Hz): the lowest mode of both heads and the air once the pitch has settled. How loud and how long each mode is,
    beyond what strike and damping say, is drawn anew for each stroke: shell, stand and microphone are not modelled.
    """

    modes: tuple[PositiveInt, PositiveInt] = (6, 5)
    """How many modes of a head are heard: orders of the Bessel functions, and zeros of each."""
    diameter: Positive = (0.2, 0.5)
    """Diameter (m), or [low, high] to draw from."""
    depth: Positive = (0.15, 0.45)
    """Distance between the heads (m), or [low, high]: the less air, the higher the modes that compress it."""
    resonance: Positive = (0.7, 1.4)
    """Wave speed in the lower head by that in the upper, or [low, high]."""
    detuning: Fraction = (0.0, 0.03)
    """How far an uneven tension moves the two modes of a pair apart, by their frequency, or [low, high]."""
    strike_r: Fraction = (0.0, 1.0)
    """Distance of a strike from the centre, in radii, or [low, high]; the first of a drum is nearer, by ten times."""
    strike_theta: Range = (0.0, math.pi)
    """Angle between strike and listening point (rad)."""
    listening_r: float = Field(default=0.5, ge=0, lt=1)
    """Distance of the listening point from the centre, in radii."""
    glide: Fraction = (0.0, 0.3)
    """How much higher the pitch begins than it ends, by its end, or [low, high]: a large swing stretches the head."""
    glide_time: Positive = (0.03, 0.2)
    """Time in which the glide falls to 1/e (s), or [low, high]."""
    click: Range = (-40.0, 0.0)
    """Level of the stick's noise by that of the tone (dB), or [low, high]; it is gone within some milliseconds."""
    mode_spread: float = Field(default=6.0, ge=0)
    """Standard deviation of each mode's level (dB), and in proportion of its decay: 6 dB is half or double."""

    @property
    def units(self) -> dict[str, str]:
        metres, seconds = dict.fromkeys(("diameter", "depth"), "m"), {"glide_time": "s"}
        ratios = dict.fromkeys(("resonance", "detuning", "strike_r", "glide"), "1")
        return {**super().units, **metres, **ratios, **seconds, "strike_theta": "rad", "click": "dB"}

    def drum(self, rng: np.random.Generator) -> dict[str, float]:
        return {name: draw(rng, getattr(self, name)) for name in ("diameter", "depth", "resonance", "detuning")}

    def strike(self, rng: np.random.Generator, drum: Values, first: bool) -> dict[str, float]:
        names = ("strike_r", "strike_theta", "glide", "glide_time", "click")
        drawn = {name: draw(rng, getattr(self, name)) for name in names}
        return {**drawn, "strike_r": drawn["strike_r"] / 10} if first else drawn

    def f0(self, drum: Values, speed: float) -> float:
        return float(self._heads(drum, speed)[0][0])

    def _highest_pitch(self) -> float:
        fastest = self.fastest() * max(ends(self.resonance)[1], 1)  # moving together, the heads share their stiffness
        return float(circle_frequencies(ends(self.diameter)[0], fastest, 1, 1)[0, 0])

    def sound(self, rng: np.random.Generator, parameters: Values) -> Float[np.ndarray, "samples"]:
        speed = self.speed(parameters)
        coupled, takes_part, higher = self._heads(parameters, speed)
        n = np.arange(1, self.modes[0])[:, None]
        axis = rng.uniform(0, np.pi)  # of the uneven tension, seen from the listening point
        r, theta = parameters["strike_r"], parameters["strike_theta"]
        struck, heard = (circle_shapes(at, 0.0, *self.modes)[0] for at in (r, self.listening_r))
        apart = struck[1:] * heard[1:]
        along = apart * np.cos(n * (theta - axis)) * np.cos(n * axis)
        across = -apart * np.sin(n * (theta - axis)) * np.sin(n * axis)
        a = np.concatenate([(struck[0] @ takes_part) * (heard[0] @ takes_part), along.ravel(), across.ravel()])
        split = (1 + parameters["detuning"] / 2, 1 - parameters["detuning"] / 2)
        f = np.concatenate([coupled, *(higher.ravel() * by for by in split)])
        a = a * spread(2 * np.pi * f / speed, self.strike_width) / f
        deviation = self.mode_spread * np.log(10) / 20
        a = a * np.exp(deviation * rng.standard_normal(len(f)))
        rates = decay_rates(f, parameters["decay_time"], self.high_decay_time)
        rates = rates * np.exp(deviation * rng.standard_normal(len(f)))
        x = to_peak(self._gliding(f, a, rates, parameters), 1.0)
        t = np.arange(len(x)) / self.sample_rate
        noise = rng.standard_normal(len(x)) * np.exp(-t / rng.uniform(0.001, 0.008)) / 3  # peaks near 1
        return to_peak(x + np.float32(10 ** (parameters["click"] / 20)) * noise.astype(np.float32), self.amplitude)

    def _heads(self, parameters: Values, speed: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p = parameters
        return two_heads(p["diameter"], speed, p["resonance"], p["density"], p["depth"], *self.modes)

    def _gliding(self, f: np.ndarray, a: np.ndarray, rates: np.ndarray, parameters: Values) -> np.ndarray:
        """The modes in a time that runs faster at first: all frequencies glide together."""
        below = f * (1 + parameters["glide"]) < self.sample_rate / 2  # also when it begins, lest it sound mirrored
        below[0] = True  # the lowest mode is always heard
        f, a, rates = f[below], a[below], rates[below]
        later = parameters["glide"] * parameters["glide_time"]
        t = np.arange(self.audio.frames) / self.sample_rate
        straight = waveform(f, a, rates, self.audio.frames + int(later * self.sample_rate) + 2, self.sample_rate)
        warped = t + later * (1 - np.exp(-t / parameters["glide_time"]))
        return CubicSpline(np.arange(len(straight)), straight)(warped * self.sample_rate).astype(np.float32)
