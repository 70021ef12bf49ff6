"""A struck circular drum: the modes of an ideal membrane, whose pitch tells its diameter."""

import math

import numpy as np
from jaxtyping import Float

from ...acoustics import upstream
from ...acoustics.modes import circle_frequencies, circle_shapes
from .. import Example, Values
from ._closed_form import ClosedForm
from ._range import Positive, Radius, Range, draw, ends


class CircularMembrane(ClosedForm):
    """Circular drums of varying size, each struck several times.

    The values are `diameter` (m), `tension` (N/m), `density` (kg/m²), `decay_time` (s), `f0` (Hz, the lowest mode),
    `strike_r` (in radii), `strike_theta` (rad, 0 in the centre) and `listening_r` (in radii). `modes` counts orders of
    the Bessel functions and zeros of each.

    With `convention: upstream`, `diameter` is kac_drumset's `drum_size`, which sounds pi times too high for it, as a
    drum of diameter / pi does; `strike_theta` is an angle of its own, and there is no listening point.
    """

    physical_only = (*ClosedForm.physical_only, "listening_r")

    diameter: Positive = (0.1, 2.0)
    """Diameter (m), or [low, high] to draw from."""
    strike_r: Radius = (0.0, 1.0)
    """Distance of a strike from the centre, in radii: uniform, so denser in the centre than one drawn by area."""
    strike_theta: Range = (0.0, math.pi)
    """Angle between strike and listening point (rad); the mirror image of a strike sounds the same."""
    listening_r: Radius = 0.5
    """Distance of the listening point from the centre, in radii, or [low, high] to draw from for each drum."""

    @property
    def units(self) -> dict[str, str]:
        heard = {"listening_r": "1"} if self.convention == "physical" else {}
        return {**super().units, "diameter": "m", "strike_r": "1", "strike_theta": "rad", **heard}

    def drum(self, rng: np.random.Generator) -> dict[str, float]:
        diameter, r = draw(rng, self.diameter), draw(rng, self.listening_r)
        return {"diameter": diameter, **({"listening_r": r} if self.convention == "physical" else {})}

    def strike(self, rng: np.random.Generator, drum: Values, first: bool) -> dict[str, float]:
        r, theta = draw(rng, self.strike_r), draw(rng, self.strike_theta)
        return {"strike_r": 0.0, "strike_theta": 0.0} if first else {"strike_r": r, "strike_theta": theta}

    def frequencies(self, parameters: Values, speed: float) -> Float[np.ndarray, "orders zeros"]:
        find = circle_frequencies if self.convention == "physical" else upstream.circle_frequencies
        return find(parameters["diameter"], speed, *self.modes)

    def shapes(self, parameters: Values) -> tuple[np.ndarray, np.ndarray]:
        # Angles are counted from the listening point, where the partners with a sine are zero.
        struck, _ = circle_shapes(parameters["strike_r"], parameters["strike_theta"], *self.modes)
        return struck, circle_shapes(parameters["listening_r"], 0.0, *self.modes)[0]

    def upstream_amplitudes(self, parameters: Values) -> Float[np.ndarray, "orders zeros"]:
        return upstream.circle_amplitudes(parameters["strike_r"], parameters["strike_theta"], *self.modes)

    def _highest_pitch(self) -> float:
        return self.f0({"diameter": ends(self.diameter)[0]}, self.fastest())

    def references(self, example: Example) -> dict[str, Values]:
        """The diameter by inverting the pitch: it is told tension, density and decay, which a model is not."""
        return {"closed_form_inverse": self.inverse(example, "diameter")}
