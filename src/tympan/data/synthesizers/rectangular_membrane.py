"""A struck rectangular drum of varying size and aspect ratio: the modes of an ideal membrane."""

import math

import numpy as np
from jaxtyping import Float
from pydantic import PositiveInt

from ...acoustics.modes import rectangle_frequencies, rectangle_shapes
from .. import Values
from ._membrane import Membrane
from ._range import Fraction, Positive, draw, ends


class RectangularMembrane(Membrane):
    """Rectangular drums of varying size and aspect ratio, each struck several times.

    The values are `mean_side` (m, the square root of the area), `aspect_ratio` (width / height), `width` and `height`
    (m), `tension` (N/m), `density` (kg/m²), `decay_time` (s), `f0` (Hz, the lowest mode), `strike_x` and `strike_y`
    (fractions of width and height). `modes` counts half waves along the width and along the height.
    """

    modes: tuple[PositiveInt, PositiveInt] = (10, 10)
    """How many modes are heard: half waves along the width and along the height."""
    mean_side: Positive = (0.1, 2.0)
    """Square root of the area (m), or [low, high] to draw from."""
    aspect_ratio: Positive = (1.0, 4.0)
    """Width / height, or [low, high] to draw from."""
    strike_x: Fraction = (0.0, 1.0)
    """Where it is struck, as a fraction of the width."""
    strike_y: Fraction = (0.0, 1.0)
    """Where it is struck, as a fraction of the height."""
    listening: tuple[float, float] = (0.37, 0.43)
    """Where it is heard, in fractions of width and height: off the centre, lest mirrored strikes sound the same."""

    @property
    def units(self) -> dict[str, str]:
        lengths = {"mean_side": "m", "width": "m", "height": "m"}
        return {**super().units, **lengths, "aspect_ratio": "1", "strike_x": "1", "strike_y": "1"}

    def drum(self, rng: np.random.Generator) -> dict[str, float]:
        side, aspect_ratio = draw(rng, self.mean_side), draw(rng, self.aspect_ratio)
        width, height = side * math.sqrt(aspect_ratio), side / math.sqrt(aspect_ratio)
        return {"mean_side": side, "aspect_ratio": aspect_ratio, "width": width, "height": height}

    def strike(self, rng: np.random.Generator, drum: Values, first: bool) -> dict[str, float]:
        x, y = draw(rng, self.strike_x), draw(rng, self.strike_y)
        return {"strike_x": 0.5, "strike_y": 0.5} if first else {"strike_x": x, "strike_y": y}

    def frequencies(self, parameters: Values, speed: float) -> Float[np.ndarray, "columns rows"]:
        return rectangle_frequencies(parameters["width"], parameters["height"], speed, *self.modes)

    def shapes(self, parameters: Values) -> tuple[np.ndarray, np.ndarray]:
        struck = rectangle_shapes(parameters["strike_x"], parameters["strike_y"], *self.modes)
        return struck, rectangle_shapes(*self.listening, *self.modes)

    def _highest_pitch(self) -> float:
        # The pitch rises as the shape leaves the square, so one end of the range is the highest.
        side = ends(self.mean_side)[0]
        sides = [(side * math.sqrt(aspect), side / math.sqrt(aspect)) for aspect in ends(self.aspect_ratio)]
        return max(float(rectangle_frequencies(*pair, self.fastest(), 1, 1)[0, 0]) for pair in sides)
