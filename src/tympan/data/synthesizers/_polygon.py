"""What drums of random polygons share: families, numbers of corners, and where they are heard."""

import math
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import AfterValidator

from ...acoustics import draws
from ...acoustics.shapes import Polygon, Shape

_DIRECTION = np.array([math.cos(0.7), math.sin(0.7)])  # off the axes, lest mirrored strikes sound alike

Family = Literal["convex", "star", "travelling_salesman"]
"""How the corners of a random polygon are joined."""


def _ordered(value: int | tuple[int, int]) -> int | tuple[int, int]:
    low, high = value if isinstance(value, tuple) else (value, value)
    if not 3 <= low <= high:
        raise ValueError(f"a polygon has 3 corners or more, and a range is [low, high] in order, not {[low, high]}")
    return value


Corners = Annotated[int | tuple[int, int], AfterValidator(_ordered)]
"""A number of corners, or [fewest, most] to draw from."""


def polygon(rng: np.random.Generator, family: Family, corners: int | tuple[int, int]) -> Polygon:
    """A random polygon with an area of one about the centroid."""
    low, high = corners if isinstance(corners, tuple) else (corners, corners)
    draw = {"convex": draws.convex_polygon, "star": draws.star, "travelling_salesman": draws.travelling_salesman}
    return draw[family](rng, int(rng.integers(low, high, endpoint=True)))


def towards_edge(shape: Shape, part: float) -> Float[np.ndarray, "2"]:
    """A point (m) on a straight way from the centre (0) to where it first meets the edge (1), but for a hundredth."""
    low, high = np.reshape(shape.bounds, (2, 2))
    far = np.linspace(0, np.hypot(*(high - low)), 2048)
    inside = shape.contains(shape.centre + far[:, None] * _DIRECTION)
    return shape.centre + min(part, 0.99) * far[np.argmin(inside) - 1] * _DIRECTION
