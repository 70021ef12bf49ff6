"""Outlines of membranes, in metres: circle, ellipse, rectangle and any simple polygon."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import shapely
from jaxtyping import Bool, Float
from scipy import special

Points = Float[np.ndarray, "points 2"]
"""Points in the plane (m), one a row."""
Vertices = Float[np.ndarray, "corners 2"]
"""Corners of a polygon (m), counter-clockwise, the first not repeated."""


@dataclass(frozen=True)
class Shape(ABC):
    """An outline without holes; circle, ellipse and rectangle lie about the origin, a polygon where its vertices are.

    Two shapes of the same numbers are equal and have the same hash.
    """

    @property
    @abstractmethod
    def area(self) -> float:
        """Area (m²)."""

    @property
    @abstractmethod
    def perimeter(self) -> float:
        """Length of the outline (m)."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float, float, float]:
        """Least x, least y, greatest x, greatest y (m)."""

    @abstractmethod
    def contains(self, points: Points) -> Bool[np.ndarray, "points"]:
        """Which points lie inside; those on the outline do not."""

    @abstractmethod
    def outline(self, n: int = 256) -> Vertices:
        """Points on the outline, counter-clockwise: `n`, or the corners where there are corners."""

    @abstractmethod
    def scaled(self, factor: float) -> "Shape":
        """The shape with all lengths, also from the origin, times a factor above 0."""

    @property
    def centroid(self) -> Float[np.ndarray, "2"]:
        """Centre of mass (m)."""
        return np.zeros(2)

    @property
    def convex(self) -> bool:
        """Whether the line between any two of its points lies within."""
        return True

    @property
    def centre(self) -> Float[np.ndarray, "2"]:
        """Where a drum is struck to sound full: the centroid, or the centre of the largest inscribed circle where the
        centroid lies outside or within a tenth of that circle's radius from the edge."""
        return self.centroid

    def normalised(self) -> "Shape":
        """The shape scaled to an area of one, its centroid at the origin."""
        return self.scaled(1 / math.sqrt(self.area))

    def draw(self, rng: np.random.Generator) -> Float[np.ndarray, "2"]:
        """A point inside, uniform over the area."""
        low, high = np.reshape(self.bounds, (2, 2))
        while True:
            points = low + (high - low) * rng.random((16, 2))
            inside = points[self.contains(points)]
            if len(inside):
                return inside[0]


@dataclass(frozen=True)
class _Sided(Shape):
    """What is `width` along x and `height` along y (m), about the origin."""

    width: float
    height: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(length) and length > 0 for length in (self.width, self.height)):
            raise ValueError(f"lengths of a shape are finite and above 0 m, not {self.width} and {self.height}")

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        return -self.width / 2, -self.height / 2, self.width / 2, self.height / 2

    def scaled(self, factor: float) -> "_Sided":
        return replace(self, width=self.width * factor, height=self.height * factor)


@dataclass(frozen=True)
class Ellipse(_Sided):
    """An ellipse about the origin with its axes along x and y: `Ellipse(width, height)`."""

    @property
    def area(self) -> float:
        return math.pi / 4 * self.width * self.height

    @property
    def perimeter(self) -> float:
        short, long = sorted((self.width, self.height))
        return float(2 * long * special.ellipe(1 - (short / long) ** 2))

    def contains(self, points: Points) -> Bool[np.ndarray, "points"]:
        return ((points / [self.width / 2, self.height / 2]) ** 2).sum(1) < 1

    def outline(self, n: int = 256) -> Vertices:
        t = np.arange(n) * (2 * np.pi / n)
        return np.column_stack([self.width / 2 * np.cos(t), self.height / 2 * np.sin(t)])


@dataclass(frozen=True)
class Circle(Ellipse):
    """A circle about the origin: `Circle(diameter)`."""

    def __init__(self, diameter: float) -> None:
        super().__init__(diameter, diameter)

    @property
    def diameter(self) -> float:
        """Diameter (m)."""
        return self.width

    def scaled(self, factor: float) -> "Circle":
        return Circle(self.width * factor)


@dataclass(frozen=True)
class Rectangle(_Sided):
    """A rectangle about the origin with its sides along x and y: `Rectangle(width, height)`."""

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def perimeter(self) -> float:
        return 2 * (self.width + self.height)

    def contains(self, points: Points) -> Bool[np.ndarray, "points"]:
        return np.logical_and.reduce(np.abs(points) < [self.width / 2, self.height / 2], axis=1)

    def outline(self, n: int = 256) -> Vertices:
        return np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * [self.width, self.height]


@dataclass(frozen=True, eq=False)
class Polygon(Shape):
    """A simple polygon: its outline neither crosses nor touches itself.

    Raises:
        ValueError: fewer than three corners, a number that is not finite, or an outline that meets itself.
    """

    vertices: Vertices
    """Corners (m), read-only; given clockwise, they are turned around, and corners twice in a row become one."""

    def __post_init__(self) -> None:
        vertices = np.array(self.vertices, np.float64)
        vertices = vertices[(vertices != np.roll(vertices, 1, 0)).any(1)] if vertices.ndim == 2 else vertices
        if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3 or not np.isfinite(vertices).all():
            raise ValueError(f"a polygon has at least 3 finite vertices (x, y), not an array of {vertices.shape}")
        if (reason := shapely.is_valid_reason(shapely.Polygon(vertices))) != "Valid Geometry":
            raise ValueError(f"the outline of a polygon may not cross or touch itself, but: {reason}")
        vertices = vertices if _signed_area(vertices) > 0 else vertices[::-1].copy()
        vertices.setflags(write=False)
        object.__setattr__(self, "vertices", vertices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polygon) and np.array_equal(self.vertices, other.vertices)

    def __hash__(self) -> int:
        return hash(self.vertices.tobytes())

    @property
    def area(self) -> float:
        return _signed_area(self.vertices)

    @property
    def perimeter(self) -> float:
        return float(np.hypot(*(_next(self.vertices) - self.vertices).T).sum())

    @property
    def centroid(self) -> Float[np.ndarray, "2"]:
        origin = self.vertices.mean(0)  # lest a polygon far from the origin lose digits
        a = self.vertices - origin
        b = _next(a)
        cross = a[:, :1] * b[:, 1:] - a[:, 1:] * b[:, :1]
        return origin + ((a + b) * cross).sum(0) / (3 * cross.sum())

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        return (*self.vertices.min(0).tolist(), *self.vertices.max(0).tolist())

    @property
    def angles(self) -> Float[np.ndarray, "corners"]:
        """Angles inside of the corners (rad); above pi where a corner is re-entrant."""
        after, before = _next(self.vertices) - self.vertices, np.roll(self.vertices, 1, 0) - self.vertices
        return np.mod(np.arctan2(before[:, 1], before[:, 0]) - np.arctan2(after[:, 1], after[:, 0]), 2 * np.pi)

    @property
    def convex(self) -> bool:
        return bool((self.angles <= np.pi + 1e-9).all())

    @property
    def centre(self) -> Float[np.ndarray, "2"]:
        polygon = self._prepared
        inscribed = shapely.maximum_inscribed_circle(polygon, 0.01 * math.sqrt(self.area))
        point = shapely.Point(self.centroid)
        if polygon.contains(point) and polygon.exterior.distance(point) > 0.1 * inscribed.length:
            return self.centroid
        return np.array(inscribed.coords[0])

    @cached_property
    def _prepared(self) -> shapely.Polygon:
        polygon = shapely.Polygon(self.vertices)
        shapely.prepare(polygon)
        return polygon

    def contains(self, points: Points) -> Bool[np.ndarray, "points"]:
        return shapely.contains_xy(self._prepared, points[:, 0], points[:, 1])

    def outline(self, n: int = 256) -> Vertices:
        return self.vertices

    def scaled(self, factor: float) -> "Polygon":
        return Polygon(self.vertices * factor)

    def normalised(self) -> "Polygon":
        return Polygon((self.vertices - self.centroid) / math.sqrt(self.area))


def _next(vertices: Vertices) -> Vertices:
    return np.roll(vertices, -1, 0)


def _signed_area(vertices: Vertices) -> float:
    a, b = (v - vertices.mean(0) for v in (vertices, _next(vertices)))
    return float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / 2)
