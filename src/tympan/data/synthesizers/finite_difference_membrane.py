"""A struck drum of any shape: the wave equation in the time domain, on a grid."""

import math
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import shapely
from jaxtyping import Float
from pydantic import Field, model_validator

from ...acoustics.finite_difference import waveform
from ...acoustics.grid import Grid
from ...acoustics.modes import circle_frequencies, rectangle_frequencies
from ...acoustics.shapes import Circle, Ellipse, Polygon, Rectangle, Shape
from ...acoustics.strike import to_peak
from .. import Values
from ._membrane import Drum
from ._polygon import Corners, Family, polygon, towards_edge
from ._range import Positive, Radius, draw, ends

_ACROSS = 16  # points that a drum is wide at least, in its widest place: its sound would be wrong by some per cent
_DRAWS = 100  # of a polygon that is so wide


class FiniteDifferenceMembrane(Drum):
    """Drums of any shape, each struck several times, whose sound is simulated step by step.

    The values are `mean_side` (m, the square root of the area), what else tells the shape, `tension` (N/m), `density`
    (kg/m²), `decay_time` (s), `f0` (Hz, the lowest mode: in closed form or by finite elements), and `strike_x`,
    `strike_y`, `listening_x`, `listening_y` in mean sides from the centroid. The shape is told by `diameter` (m) of a
    circle, `aspect_ratio`, `width` and `height` (m) of an ellipse or a rectangle, and `vertices` of a polygon: those of
    an area of one about the centroid, counter-clockwise.

    Modes above the band of the grid are missing: with 100 points along the mean side, those from some 30 f0 on.
    """

    family: Literal["circle", "ellipse", "rectangle", Family] = "circle"
    """The shapes. Polygons are drawn at random; one too thin for the grid is drawn anew."""
    mean_side: Positive = (0.1, 2.0)
    """Square root of the area (m), or [low, high] to draw from."""
    aspect_ratio: Positive = (1.0, 4.0)
    """Width / height of an ellipse or a rectangle, or [low, high] to draw from."""
    corners: Corners = 10
    """Corners of a polygon, or [fewest, most] to draw from."""
    listening: Radius = 0.5
    """Where it is heard, from the centre (0) to the edge (1), or [low, high] to draw from for every drum."""
    resolution: int = Field(default=100, ge=_ACROSS)
    """Points of the grid along the mean side; time and memory grow with its square, of small drums with its cube."""

    @model_validator(mode="after")
    def _is_resolved(self) -> "FiniteDifferenceMembrane":
        thinnest = max(max(ends(self.aspect_ratio)), 1 / min(ends(self.aspect_ratio)))
        if self.family in ("ellipse", "rectangle") and self.resolution / math.sqrt(thinnest) < _ACROSS:
            raise ValueError(
                f"aspect_ratio: the thinnest drum is narrower than {_ACROSS} points of the grid; "
                f"raise resolution to {math.ceil(_ACROSS * math.sqrt(thinnest))} or draw rounder ones"
            )
        return self

    @property
    def units(self) -> dict[str, str]:
        sides = {"aspect_ratio": "1", "width": "m", "height": "m"}
        own = {"circle": {"diameter": "m"}, "ellipse": sides, "rectangle": sides}.get(self.family, {"vertices": "1"})
        places = dict.fromkeys(("strike_x", "strike_y", "listening_x", "listening_y"), "1")
        return {**super().units, "mean_side": "m", **own, **places}

    def drum(self, rng: np.random.Generator) -> dict[str, Any]:
        side, aspect = draw(rng, self.mean_side), draw(rng, self.aspect_ratio)
        far = draw(rng, self.listening)
        drawn: dict[str, Any] = {"mean_side": side}
        if self.family == "circle":
            drawn["diameter"] = 2 * side / math.sqrt(math.pi)
        elif self.family == "ellipse" or self.family == "rectangle":
            width = side * math.sqrt(aspect * (4 / math.pi if self.family == "ellipse" else 1))
            drawn |= {"aspect_ratio": aspect, "width": width, "height": width / aspect}
        else:
            own = np.random.default_rng(rng.integers(2**63))  # lest what is drawn next depend on the shape
            drawn["vertices"] = self._polygon(own, self.family).vertices
        x, y = towards_edge(self._shape(drawn), far) / side
        return {**drawn, "listening_x": float(x), "listening_y": float(y)}

    def _polygon(self, rng: np.random.Generator, family: Family) -> Polygon:
        for _ in range(_DRAWS):
            shape = polygon(rng, family, self.corners)
            inscribed = shapely.maximum_inscribed_circle(shapely.Polygon(shape.vertices), 0.1 / self.resolution)
            if 2 * inscribed.length * self.resolution >= _ACROSS:
                return shape
        raise ValueError(
            f"resolution: none of {_DRAWS} polygons is {_ACROSS} points of the grid wide anywhere; "
            f"raise it above {self.resolution}, or choose fewer corners"
        )

    def _shape(self, drum: Values) -> Shape:
        """The outline of a drum (m)."""
        if self.family == "circle":
            return Circle(drum["diameter"])
        if self.family == "ellipse" or self.family == "rectangle":
            return (Ellipse if self.family == "ellipse" else Rectangle)(drum["width"], drum["height"])
        return Polygon(np.asarray(drum["vertices"]) * drum["mean_side"])

    def strike(self, rng: np.random.Generator, drum: Values, first: bool) -> dict[str, float]:
        shape, side = self._shape(drum), drum["mean_side"]
        cross = 1.5 * side / self.resolution * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
        at = shape.draw(rng)
        while not shape.contains(at + cross).all():  # nearer to the edge, no point of the grid might move
            at = shape.draw(rng)
        x, y = (shape.centre if first else at) / side
        return {"strike_x": float(x), "strike_y": float(y)}

    def f0(self, drum: Values, speed: float) -> float:
        shape = self._shape(drum)
        if isinstance(shape, Circle):
            return float(circle_frequencies(shape.diameter, speed, 1, 1)[0, 0])
        if isinstance(shape, Rectangle):
            return float(rectangle_frequencies(shape.width, shape.height, speed, 1, 1)[0, 0])
        return _lowest_wave_number(shape) * speed / (2 * math.pi)

    def sound(self, rng: np.random.Generator, parameters: Values) -> Float[np.ndarray, "samples"]:
        side = parameters["mean_side"]
        x = waveform(
            Grid.of(self._shape(parameters), side / self.resolution),
            self.speed(parameters),
            (parameters["strike_x"] * side, parameters["strike_y"] * side),
            (parameters["listening_x"] * side, parameters["listening_y"] * side),
            self.audio.frames,
            self.sample_rate,
            width=self.strike_width,
            decay_time=parameters["decay_time"],
            high_decay_time=self.high_decay_time,
        )
        return to_peak(x, self.amplitude)

    def _highest_pitch(self) -> float:
        # No membrane of the same area sounds lower than a circle (G. Faber, 1923; E. Krahn, 1925).
        diameter = 2 * ends(self.mean_side)[0] / math.sqrt(math.pi)
        return float(circle_frequencies(diameter, self.fastest(), 1, 1)[0, 0])


@lru_cache(maxsize=256)
def _lowest_wave_number(shape: Shape) -> float:
    from ...acoustics.finite_element import modes  # heavy imports

    return float(modes(shape, 1).wave_numbers[0])
