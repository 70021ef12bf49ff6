"""Triangles that fill a polygon: hexagonal points inside, even ones on the edges, finer towards re-entrant corners."""

from typing import Any

import numpy as np
import shapely
from jaxtyping import Float, Int
from scipy.spatial import Delaunay

from .shapes import Polygon

Points = Float[np.ndarray, "_ 2"]
Triangles = Int[np.ndarray, "_ 3"]

_ROUNDS = 12  # of halving edges that the triangles miss
_FLAT = 1e-13  # of the whole area: triangles of points on one edge
_FINEST = 0.02  # how far the singularity of a corner of a full turn is followed, in sizes
_GRADING = 3.0  # the size of a triangle beside its distance from a re-entrant corner
_LONGEST = 1.7  # side of a triangle, in sizes: what hexagonal points leave between them and an edge


def triangulate(polygon: Polygon, size: float, fineness: float = 1.0) -> Any:
    """A skfem `MeshTri` of triangles some `size` (m) long, and as small as needed in narrow places.

    Lengths of sides are halved towards a re-entrant corner of angle a until the functions r^(pi/a) that belong to it
    matter no more, however near each other corners are; `fineness` above 1 follows them further.
    """
    from skfem import MeshTri  # a heavy import

    outline = _boundary(polygon, size)
    points, triangles = _delaunay(polygon, outline, _hexagonal(polygon, size))
    covered = np.abs(_areas(points, triangles)).sum()
    if abs(covered / polygon.area - 1) > 1e-9:  # edges so near to each other that no halving separates them
        points, triangles = _constrained(outline)
    used, numbers = np.unique(triangles, return_inverse=True)
    mesh = MeshTri(np.ascontiguousarray(points[used].T), np.ascontiguousarray(numbers.reshape(-1, 3).T))
    return _graded(mesh, polygon, size, fineness)


def _boundary(polygon: Polygon, size: float) -> Points:
    """Points on the edges, at most `size` apart, and at equal distances from a corner on both of its edges.

    Then also the sides of a needle are edges of the triangles, for its points lie opposite each other.
    """
    vertices = polygon.vertices
    steps = np.roll(vertices, -1, 0) - vertices
    lengths = np.hypot(*steps.T)
    near = np.minimum(lengths, np.roll(lengths, 1)) / 2
    found = []
    for i, length in enumerate(lengths):
        first, last = near[i], near[(i + 1) % len(near)]
        middle = length - first - last
        parts = [_even(0.0, first, size), _even(length - last, length, size)]
        if middle > 1e-9 * length:
            parts.insert(1, _even(first, length - last, size))
        found.append(vertices[i] + np.concatenate(parts)[:, None] * steps[i] / length)
    return np.concatenate(found)


def _even(start: float, end: float, size: float) -> Float[np.ndarray, "_"]:
    """Even numbers from `start` on, `end` left out."""
    count = max(1, int(np.ceil((end - start) / size - 1e-9)))
    return start + (end - start) * np.arange(count) / count


def _hexagonal(polygon: Polygon, size: float) -> Points:
    """Points of a hexagonal lattice along the polygon's longer side, half a size from the edges and more."""
    inner = shapely.Polygon(polygon.vertices).buffer(-size / 2)
    if inner.is_empty:
        return np.empty((0, 2))
    box = shapely.get_coordinates(shapely.minimum_rotated_rectangle(shapely.Polygon(polygon.vertices)))
    u, v = box[1] - box[0], box[2] - box[1]
    columns = np.arange(0.5, np.hypot(*u) / size) * size
    rows = np.arange(0.5, np.hypot(*v) / (size * np.sqrt(0.75))) * size * np.sqrt(0.75)
    x = columns + size / 2 * (np.arange(len(rows))[:, None] % 2)
    y = np.broadcast_to(rows[:, None], x.shape)
    points = box[0] + x.reshape(-1, 1) * u / np.hypot(*u) + y.reshape(-1, 1) * v / np.hypot(*v)
    return points[shapely.contains_xy(inner, points[:, 0], points[:, 1])]


def _delaunay(polygon: Polygon, outline: Points, inside: Points) -> tuple[Points, Triangles]:
    """The triangles of all points, after halving edges of the outline until none is missing."""
    rounds = 0
    while True:
        points = np.concatenate([outline, inside])
        triangles = Delaunay(points).simplices
        here = np.arange(len(outline))
        there = np.roll(here, -1)
        sides = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1) @ [len(points), 1]
        missing = ~np.isin(np.minimum(here, there) * len(points) + np.maximum(here, there), sides)
        if not missing.any() or rounds == _ROUNDS:
            break
        rounds += 1
        halves = (outline[here] + outline[there])[missing] / 2
        outline = np.insert(outline, np.flatnonzero(missing) + 1, halves, axis=0)
    inner = polygon.contains(points[triangles].mean(1)) & (np.abs(_areas(points, triangles)) > _FLAT * polygon.area)
    return points, triangles[inner].astype(np.int64)


def _constrained(outline: Points) -> tuple[Points, Triangles]:
    """The triangles of the outline's points alone, every edge kept; ill-shaped, and never impossible."""
    found = shapely.constrained_delaunay_triangles(shapely.Polygon(outline))
    corners = shapely.get_coordinates(found).reshape(-1, 4, 2)[:, :3]
    points, numbers = np.unique(corners.reshape(-1, 2), axis=0, return_inverse=True)
    return points, numbers.reshape(-1, 3)


def _areas(points: Points, triangles: Triangles) -> Float[np.ndarray, "_"]:
    a, b, c = points[triangles].transpose(1, 2, 0)
    return ((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2


def _graded(mesh: Any, polygon: Polygon, size: float, fineness: float) -> Any:
    """The mesh refined where a side is longer than wanted: everywhere, and near re-entrant corners."""
    corners = polygon.vertices[polygon.angles > np.pi + 0.02]
    angles = polygon.angles[polygon.angles > np.pi + 0.02]
    finest = size * (_FINEST / fineness**6) ** (angles / (2 * np.pi))
    while True:
        triangles = mesh.p[:, mesh.t]
        longest = np.sqrt(((triangles - np.roll(triangles, 1, 1)) ** 2).sum(0).max(0))
        wanted = np.full(mesh.t.shape[1], _LONGEST * size)
        for corner, least in zip(corners, finest, strict=True):
            away = np.sqrt(((triangles - corner[:, None, None]) ** 2).sum(0).min(0))
            wanted = np.minimum(wanted, np.maximum(_GRADING * away, least))
        coarse = np.flatnonzero(longest > wanted)
        if not len(coarse):
            return mesh
        mesh = mesh.refined(coarse)
