"""A struck circular drum: the modes of an ideal membrane, whose pitch tells its diameter."""

import math

import numpy as np
from jaxtyping import Float
from pydantic import Field, PositiveInt

from ...acoustics.inverse import fundamental
from ...acoustics.modes import bessel_zeros, circle_frequencies, circle_shapes, wave_speed
from ...acoustics.strike import decay_rates
from .. import Example, Values
from ._membrane import Membrane
from ._range import Fraction, Positive, Range, draw, ends


class CircularMembrane(Membrane):
    """Circular drums of varying size, each struck several times.

    The values are `diameter` (m), `tension` (N/m), `density` (kg/m²), `decay_time` (s), `f0` (Hz, the lowest mode),
    `strike_r` (in radii) and `strike_theta` (rad, 0 in the centre). `modes` counts orders of the Bessel functions
    and zeros of each.
    """

    modes: tuple[PositiveInt, PositiveInt] = (10, 10)
    """How many modes are heard: orders of the Bessel functions, and zeros of each."""
    diameter: Positive = (0.1, 2.0)
    """Diameter (m), or [low, high] to draw from."""
    strike_r: Fraction = (0.0, 1.0)
    """Distance of a strike from the centre, in radii: uniform, so denser in the centre than one drawn by area."""
    strike_theta: Range = (0.0, math.pi)
    """Angle between strike and listening point (rad); the mirror image of a strike sounds the same."""
    listening_r: float = Field(default=0.5, ge=0, lt=1)
    """Distance of the listening point from the centre, in radii."""

    @property
    def units(self) -> dict[str, str]:
        return {**super().units, "diameter": "m", "strike_r": "1", "strike_theta": "rad"}

    def drum(self, rng: np.random.Generator) -> dict[str, float]:
        return {"diameter": draw(rng, self.diameter)}

    def strike(self, rng: np.random.Generator, drum: Values, first: bool) -> dict[str, float]:
        r, theta = draw(rng, self.strike_r), draw(rng, self.strike_theta)
        return {"strike_r": 0.0, "strike_theta": 0.0} if first else {"strike_r": r, "strike_theta": theta}

    def frequencies(self, parameters: Values, speed: float) -> Float[np.ndarray, "orders zeros"]:
        return circle_frequencies(parameters["diameter"], speed, *self.modes)

    def shapes(self, parameters: Values) -> tuple[np.ndarray, np.ndarray]:
        # Angles are counted from the listening point, where the partners with a sine are zero.
        struck, _ = circle_shapes(parameters["strike_r"], parameters["strike_theta"], *self.modes)
        return struck, circle_shapes(self.listening_r, 0.0, *self.modes)[0]

    def _highest_pitch(self) -> float:
        return float(circle_frequencies(ends(self.diameter)[0], self.fastest(), 1, 1)[0, 0])

    def references(self, example: Example) -> dict[str, Values]:
        """The diameter by inverting the pitch: it is told tension, density and decay, which a model is not."""
        speed = wave_speed(example.values["tension"], example.values["density"])
        ratios = bessel_zeros(*self.modes) / bessel_zeros(1, 1)[0, 0]
        weights = np.abs(circle_shapes(self.listening_r, 0.0, *self.modes)[0]) / ratios
        loss = decay_rates(np.zeros(1), example.values["decay_time"])[0]
        f0 = fundamental(example.waveform.mean(0), self.sample_rate, ratios.ravel(), weights.ravel(), loss)
        return {"closed_form_inverse": {"diameter": float(bessel_zeros(1, 1)[0, 0] * speed / (math.pi * f0))}}
