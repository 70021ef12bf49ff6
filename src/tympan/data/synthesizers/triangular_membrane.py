"""A struck drum in the shape of an equilateral triangle of varying size: the modes of an ideal membrane."""

import math

import numpy as np
from jaxtyping import Float

from ...acoustics import upstream
from ...acoustics.draws import square_to_triangle
from ...acoustics.modes import triangle_frequencies, triangle_shapes
from .. import Example, Values
from ._closed_form import ClosedForm
from ._range import Across, Positive, draw, ends

_HEIGHT = math.sqrt(3) / 2
_CORNERS = np.array([[0, 2 * _HEIGHT / 3], [-0.5, -_HEIGHT / 3], [0.5, -_HEIGHT / 3]])  # in sides, from the centroid


class TriangularMembrane(ClosedForm):
    """Equilateral triangular drums of varying size, each struck several times, uniformly over their area.

    The values are `side` (m), `tension` (N/m), `density` (kg/m²), `decay_time` (s), `f0` (Hz, the lowest mode),
    `strike_x`, `strike_y`, `listening_x` and `listening_y` (in sides, from the centroid, the base below). `modes`
    counts Lamé's two mode numbers.

    With `convention: upstream`, `side` is kac_drumset's `drum_size`, which sounds 3/2 times too high for it. The strike
    is then `strike_u`, `strike_v` and `strike_w`, each drawn from 0 to 1, which is no point of a triangle; 0.5, 0.5,
    0.5 passes for the centre. There is no listening point.
    """

    physical_only = (*ClosedForm.physical_only, "listening_u", "listening_v")

    side: Positive = (0.1, 2.0)
    """Side (m), or [low, high] to draw from."""
    listening_u: Across = 0.42
    """Where it is heard, between the upper corner (0) and the base (1), as a fraction of the area above, or [low, high]
    to draw from for each drum."""
    listening_v: Across = 0.39
    """Where it is heard, between the left (0) and the right side (1) at that height: off the middle, where half of the
    modes are at rest."""

    @property
    def units(self) -> dict[str, str]:
        places = ("strike_x", "strike_y", "listening_x", "listening_y")
        theirs = ("strike_u", "strike_v", "strike_w")
        return {**super().units, "side": "m", **dict.fromkeys(theirs if self.convention == "upstream" else places, "1")}

    def drum(self, rng: np.random.Generator) -> dict[str, float]:
        side, u, v = draw(rng, self.side), draw(rng, self.listening_u), draw(rng, self.listening_v)
        if self.convention == "upstream":
            return {"side": side}
        x, y = _place(u, v)
        return {"side": side, "listening_x": x, "listening_y": y}

    def strike(self, rng: np.random.Generator, drum: Values, first: bool) -> dict[str, float]:
        u, v, w = rng.random(3).tolist()
        if self.convention == "upstream":
            return dict(zip(("strike_u", "strike_v", "strike_w"), (0.5, 0.5, 0.5) if first else (u, v, w), strict=True))
        x, y = (0.0, 0.0) if first else _place(u, v)
        return {"strike_x": x, "strike_y": y}

    def frequencies(self, parameters: Values, speed: float) -> Float[np.ndarray, "first second"]:
        find = triangle_frequencies if self.convention == "physical" else upstream.triangle_frequencies
        return find(parameters["side"], speed, *self.modes)

    def shapes(self, parameters: Values) -> tuple[np.ndarray, np.ndarray]:
        struck = triangle_shapes(parameters["strike_x"], parameters["strike_y"], *self.modes)
        return struck, triangle_shapes(parameters["listening_x"], parameters["listening_y"], *self.modes)

    def upstream_amplitudes(self, parameters: Values) -> Float[np.ndarray, "first second"]:
        u, v, w = (parameters[f"strike_{name}"] for name in "uvw")
        return upstream.triangle_amplitudes(u, v, w, *self.modes)

    def references(self, example: Example) -> dict[str, Values]:
        """The side by inverting the pitch: it is told tension, density and decay, which a model is not."""
        return {"closed_form_inverse": self.inverse(example, "side")}

    def _highest_pitch(self) -> float:
        return self.f0({"side": ends(self.side)[0]}, self.fastest())


def _place(u: float, v: float) -> tuple[float, float]:
    x, y = square_to_triangle(np.array([[u, v]]), _CORNERS)[0].tolist()
    return x, y
