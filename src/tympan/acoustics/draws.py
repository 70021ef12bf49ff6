"""Polygons drawn at random and known by name, and maps that keep points uniform; random ones have an area of one."""

import math

import numpy as np
import shapely
from jaxtyping import Float

from .shapes import Points, Polygon, Vertices

_CLEARANCE = 1e-4  # of the mean side: where corners, or a corner and another edge, are nearer, all is drawn anew
_ROUNDNESS = 1e-3  # and where 4 pi area / perimeter² is less: a circle has 1, a needle of 3000 : 1 this


def convex_polygon(rng: np.random.Generator, corners: int) -> Polygon:
    """A convex polygon, as the hull of points that are uniform in a square given that all are corners; normalised.

    P. Valtr, Probability that n random points are in convex position, Discrete & Computational Geometry 13 (1995): the
    coordinates of both axes are sorted and dealt into two chains, whose steps, paired at random and sorted by angle,
    are the edges.
    """
    _check_corners(corners)
    while True:
        x, y = (_steps(rng, corners) for _ in range(2))
        steps = np.column_stack([x, rng.permutation(y)])
        steps = steps[np.argsort(np.arctan2(steps[:, 1], steps[:, 0]))]
        if (polygon := _clear(np.cumsum(steps, 0))) is not None:
            return polygon


def _steps(rng: np.random.Generator, count: int) -> Float[np.ndarray, "count"]:
    """Steps up and down between `count` sorted random numbers; they sum to 0."""
    values = np.sort(rng.random(count))
    up = rng.random(count - 2) < 0.5
    inner = values[1:-1]
    rising = np.diff(np.concatenate([values[:1], inner[up], values[-1:]]))
    falling = np.diff(np.concatenate([values[:1], inner[~up], values[-1:]]))
    return np.concatenate([rising, -falling])


def star(rng: np.random.Generator, corners: int) -> Polygon:
    """An irregular star: points uniform in a square, joined in the order of their angles about their mean; normalised.

    Every point of the outline is seen from the mean, as two neighbours are never more than half a turn apart.
    """
    _check_corners(corners)
    while True:
        points = rng.random((corners, 2))
        away = points - points.mean(0)
        if (polygon := _clear(points[np.argsort(np.arctan2(away[:, 1], away[:, 0]))])) is not None:
            return polygon


def travelling_salesman(rng: np.random.Generator, corners: int) -> Polygon:
    """A round trip of points uniform in a square, untangled: 2-opt reverses stretches until none cross; normalised.

    Every reversal of the stretch between two crossing edges shortens the trip, so it comes to an end.
    G. A. Croes, A method for solving traveling-salesman problems, Operations Research 6 (1958).
    """
    _check_corners(corners)
    while True:
        points = rng.random((corners, 2))
        while len(pairs := np.argwhere(_crossings(points))):
            i, j = pairs[0]
            points[i + 1 : j + 1] = points[i + 1 : j + 1][::-1].copy()
        if (polygon := _clear(points)) is not None:
            return polygon


def _crossings(points: Vertices) -> np.ndarray:
    """Which edges i < j of a closed trip cross, apart from neighbours: `(corners, corners)`."""
    after = np.roll(points, -1, 0)
    edge = after - points

    def side(of: Vertices) -> np.ndarray:
        """On which side of edge i (rows) point j (columns) lies."""
        away = of[None] - points[:, None]
        return edge[:, None, 0] * away[..., 1] - edge[:, None, 1] * away[..., 0]

    apart = side(points) * side(after) < 0
    crossing = np.triu(apart & apart.T, 2)
    crossing[0, -1] = False
    return crossing


def _clear(vertices: Vertices) -> Polygon | None:
    """The normalised polygon, unless it nearly meets itself or is a needle, which as good as never happens."""
    ring = shapely.Polygon(vertices)
    if not ring.is_valid or shapely.minimum_clearance(ring) < _CLEARANCE * math.sqrt(ring.area):
        return None
    return Polygon(vertices).normalised() if 4 * math.pi * ring.area >= _ROUNDNESS * ring.length**2 else None


def unit_triangle(first: float = math.pi / 3, second: float = math.pi / 3) -> Polygon:
    """The triangle with an area of one, two angles (rad) at its horizontal base, and the centroid at the origin.

    Raises:
        ValueError: the angles are not those of a triangle.
    """
    if not (first > 0 and second > 0 and first + second < math.pi):
        raise ValueError(f"two angles of a triangle are above 0 and sum to less than pi, not {first} and {second}")
    height = 1 / (1 / math.tan(first) + 1 / math.tan(second))
    return Polygon(np.array([[0.0, 0], [1, 0], [height / math.tan(first), height]])).normalised()


def isospectral_pair() -> tuple[Polygon, Polygon]:
    """Two drums of different shape and equal sound, each of seven half squares of side 1 m (area 3.5 m²).

    C. Gordon, D. Webb & S. Wolpert, One cannot hear the shape of a drum, Bulletin of the AMS 27 (1992);
    S. J. Chapman, Drums that sound the same, American Mathematical Monthly 102 (1995).
    """
    one = [[-1, 0], [0, -1], [0, 0], [1, 0], [2, 1], [1, 2], [1, 1], [-1, 1]]
    other = [[-1, 0], [1, -2], [2, -2], [2, -1], [1, -1], [1, 0], [0, 1], [0, 0]]
    return Polygon(np.array(one, np.float64)), Polygon(np.array(other, np.float64))


def square_to_circle(points: Points) -> Points:
    """Points of the unit square to the disc of radius 1: concentric squares become concentric circles.

    All areas grow by the same factor, pi, so uniform points stay uniform.
    P. Shirley & K. Chiu, A low distortion map between disk and square, Journal of Graphics Tools 2 (1997).
    """
    x, y = (2 * points - 1).T
    wide = np.abs(x) > np.abs(y)
    radius = np.where(wide, x, y)
    ratio = np.divide(np.where(wide, y, x), radius, out=np.zeros_like(radius), where=radius != 0)
    angle = np.where(wide, ratio, 2 - ratio) * (np.pi / 4)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def square_to_triangle(points: Points, vertices: Float[np.ndarray, "3 2"]) -> Points:
    """Points of the unit square to a triangle: the side x = 0 becomes the first corner.

    All areas change by the same factor, that of the two areas, so uniform points stay uniform.
    """
    root = np.sqrt(points[:, :1])
    first, second, third = vertices
    return (1 - root) * first + root * (1 - points[:, 1:]) * second + root * points[:, 1:] * third


def _check_corners(corners: int) -> None:
    if corners < 3:
        raise ValueError(f"corners: a polygon has at least 3, not {corners}")
