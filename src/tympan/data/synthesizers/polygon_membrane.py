"""A struck drum of random polygonal shape: the modes of an ideal membrane by finite elements."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ...acoustics.finite_element import MembraneModes, modes
from ...acoustics.modes import circle_frequencies
from ...acoustics.shapes import Polygon
from .. import Values
from ._membrane import Membrane
from ._polygon import Corners, Family, polygon, towards_edge
from ._range import Positive, Radius, draw, ends

_STILL = 0.05  # of a mode's root mean square: where none moves more, a strike is not heard
_DRAWS = 100  # of a polygon that sounds below half the sample rate


class PolygonMembrane(Membrane):
    """Drums of random polygons, each struck several times, uniformly over their area.

    The values are `vertices` (those of an area of one about the centroid, counter-clockwise), `mean_side` (m, the
    square root of the area), `tension` (N/m), `density` (kg/m²), `decay_time` (s), `f0` (Hz, the lowest mode), and
    `strike_x`, `strike_y`, `listening_x`, `listening_y` in mean sides from the centroid, as the vertices are. The first
    strike is at the centroid or, where that lies outside or at the edge, in the middle of the largest circle within.

    A drum takes a tenth of a second or so, its further strikes nothing as long as they come one after another.
    """

    family: Family = "convex"
    """How the corners are joined: Valtr's convex polygons, irregular stars, or untangled round trips."""
    corners: Corners = 10
    """Corners of a polygon, or [fewest, most] to draw from."""
    mean_side: Positive = (0.1, 2.0)
    """Square root of the area (m), or [low, high] to draw from."""
    listening: Radius = 0.5
    """Where it is heard, from the centre (0) to the edge (1), or [low, high] to draw from for every drum."""
    modes: int = Field(default=40, ge=1)
    """How many modes are heard, the lowest first; those at or above half the sample rate never are."""

    @property
    def units(self) -> dict[str, str]:
        places = dict.fromkeys(("vertices", "strike_x", "strike_y", "listening_x", "listening_y"), "1")
        return {**super().units, "mean_side": "m", **places}

    def drum(self, rng: np.random.Generator) -> dict[str, Any]:
        side, far = draw(rng, self.mean_side), draw(rng, self.listening)
        own = np.random.default_rng(rng.integers(2**63))  # lest what is drawn next depend on the shape
        for _ in range(_DRAWS):
            shape = polygon(own, self.family, self.corners)
            drum = {"mean_side": side, "vertices": shape.vertices}
            if self.f0(drum, self.fastest()) < self.sample_rate / 2:
                x, y = towards_edge(shape, far).tolist()
                return {**drum, "listening_x": x, "listening_y": y}
        raise ValueError(
            f"none of {_DRAWS} polygons with a mean side of {side:.3g} m sounds below half the sample rate of "
            f"{self.sample_rate} Hz: choose a larger mean_side, less tension or a higher sample_rate"
        )

    def strike(self, rng: np.random.Generator, drum: Values, first: bool) -> dict[str, float]:
        membrane = self._modes(drum)
        at = membrane.shape.draw(rng)
        while np.abs(membrane.at(at[None])).max() < _STILL:
            at = membrane.shape.draw(rng)
        x, y = (membrane.shape.centre if first else at).tolist()
        return {"strike_x": x, "strike_y": y}

    def frequencies(self, parameters: Values, speed: float) -> Float[np.ndarray, "count"]:
        return self._modes(parameters).wave_numbers * speed / (2 * math.pi * parameters["mean_side"])

    def shapes(self, parameters: Values) -> tuple[np.ndarray, np.ndarray]:
        places = [[parameters[f"{name}_{axis}"] for axis in "xy"] for name in ("strike", "listening")]
        struck, heard = self._modes(parameters).at(np.array(places))
        return struck, heard

    def _modes(self, drum: Values) -> MembraneModes:
        return _modes(Polygon(np.asarray(drum["vertices"])), self.modes)

    def _highest_pitch(self) -> float:
        # No membrane of the same area sounds lower than a circle (G. Faber, 1923; E. Krahn, 1925).
        diameter = 2 * ends(self.mean_side)[0] / math.sqrt(math.pi)
        return float(circle_frequencies(diameter, self.fastest(), 1, 1)[0, 0])


@lru_cache(maxsize=32)  # a megabyte or several each
def _modes(shape: Polygon, count: int) -> MembraneModes:
    return modes(shape, count)
