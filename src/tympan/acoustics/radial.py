"""Outlines seen from their centroid: the share of the area in each of even sectors, and what two outlines share.

The sectors go round counter-clockwise from the x axis. Every outline that can be seen whole from its centroid has such
shares, they add up to 1, and any positive numbers that add up to 1 are the shares of an outline of unit area. Of two
outlines of equal sectors the smaller radius bounds what they share and the larger one what they cover, sector by
sector, so that areas of overlap are sums.

How a drum is turned, and whether it is mirrored, cannot be heard (Kac 1966, doi 10.2307/2313748): `pose` chooses one.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from .shapes import Polygon, Vertices

Sectors = Float[np.ndarray, "*#batch sectors"]

_FINE = 1024  # directions in which moments are summed


def normalised(vertices: Float[np.ndarray, "..."]) -> Vertices:
    """The same polygon counter-clockwise, of unit area, with its centroid at the origin.

    Raises:
        ValueError: it is no simple polygon, or one that its centroid does not see whole.
    """
    v = Polygon(vertices).normalised().vertices
    after = np.roll(v, -1, 0)
    turn = np.arctan2(_cross(v, after), (v * after).sum(1))
    if (turn < 0).any() or not np.isclose(turn.sum(), 2 * np.pi):
        raise ValueError(
            "not all of the polygon's edge can be seen from its centroid, so that radii do not describe it; "
            "take convex shapes, or stars that are seen whole"
        )
    return v


def pose(vertices: Vertices) -> Vertices:
    """A normalised polygon turned and mirrored into the one pose that its moments choose.

    Its longest axis lies along x, its long tail is on the right, and the heavier tails along x are above. Of a shape
    whose moments are nearly equal a small change may choose another pose.
    """
    z = (np.arange(_FINE) + 0.5) * 2 * np.pi / _FINE
    r = radii_at(vertices, z)
    axis = np.angle(np.sum(r**4 * np.exp(2j * z))) / 2  # of the integral of (x + iy)^2
    turned = vertices @ np.array([[np.cos(axis), -np.sin(axis)], [np.sin(axis), np.cos(axis)]])
    x, y = r * np.cos(z - axis), r * np.sin(z - axis)
    if np.sum(r**2 * x**3) < 0:
        turned, y = -turned, -y
    if np.sum(r**2 * x**2 * y) < 0:
        turned = turned[::-1] * [1, -1]
    return turned


def radii_at(vertices: Vertices, directions: Float[np.ndarray, "directions"]) -> Float[np.ndarray, "directions"]:
    """The exact radius of a normalised polygon in each direction (rad)."""
    angles = np.arctan2(vertices[:, 1], vertices[:, 0])
    first = int(angles.argmin())
    a, angles = np.roll(vertices, -first, 0), np.roll(angles, -first)
    turned = (directions - angles[0]) % (2 * np.pi) + angles[0]
    edge = np.searchsorted(angles, turned, "right") - 1
    along = (np.roll(a, -1, 0) - a)[edge]
    return _cross(a[edge], along) / _cross(np.stack([np.cos(directions), np.sin(directions)], 1), along)


def shares(vertices: Vertices, sectors: int) -> Float[np.ndarray, "sectors"]:
    """The exact area of a normalised polygon in each of so many even sectors; they add up to 1."""
    bounds = np.arange(sectors) * 2 * np.pi / sectors
    ends = radii_at(vertices, bounds)[:, None] * np.stack([np.cos(bounds), np.sin(bounds)], 1)
    angles = np.arctan2(vertices[:, 1], vertices[:, 0]) % (2 * np.pi)
    order = np.argsort(np.concatenate([bounds, angles]), kind="stable")
    points = np.concatenate([ends, vertices])[order]
    owner = np.cumsum(order < sectors) - 1
    pieces = np.maximum(_cross(points, np.roll(points, -1, 0)) / 2, 0)
    return np.bincount(owner, pieces, sectors) / pieces.sum()


def radii(shares: Sectors) -> Sectors:
    """The radius of each sector, for a unit area: that of a pie slice of its area."""
    return np.sqrt(shares * shares.shape[-1] / np.pi)


def outline(radii: Float[np.ndarray, "sectors"]) -> Vertices:
    """The polygon of unit area through the middles of the sectors' arcs."""
    z = (np.arange(len(radii)) + 0.5) * 2 * np.pi / len(radii)
    v = radii[:, None] * np.stack([np.cos(z), np.sin(z)], 1)
    return v / np.sqrt(_area(v))


def simplified(vertices: Vertices, corners: int) -> Float[np.ndarray, "fewer 2"]:
    """The same polygon with so many corners, of the same area.

    The corner that spans the smallest triangle with its neighbours is taken out, again and again (Visvalingam & Whyatt
    1993, doi 10.1179/000870493786962263).
    """
    v, whole = vertices, _area(vertices)
    while len(v) > corners:
        spans = np.abs(_cross(v - np.roll(v, 1, 0), np.roll(v, -1, 0) - v))
        v = np.delete(v, spans.argmin(), 0)
    return v * np.sqrt(whole / _area(v))


@lru_cache
def poses(sectors: int) -> Int[np.ndarray, "poses sectors"]:
    """Which sectors come where in each of the `2 sectors` poses: turned by whole sectors, then mirrored and turned."""
    turned = (np.arange(sectors)[:, None] + np.arange(sectors)) % sectors
    table = np.concatenate([turned, turned[:, ::-1]])
    table.setflags(write=False)
    return table


def overlap(a: Sectors, b: Sectors) -> Float[np.ndarray, "*answers"] | np.floating:
    """The area that outlines of these radii share, divided by the area that they cover: 0 to 1."""
    return np.square(np.minimum(a, b)).sum(-1) / np.square(np.maximum(a, b)).sum(-1)


def aligned(said: Float[np.ndarray, "sectors"], truth: Float[np.ndarray, "sectors"]) -> Float[np.ndarray, "sectors"]:
    """The radii of an answer in the pose in which it overlaps most with the truth."""
    there = said[poses(len(said))]
    return there[overlap(there, truth).argmax()]


def _area(v: Vertices) -> float:
    return abs(float(_cross(v, np.roll(v, -1, 0)).sum())) / 2


def _cross(a: Vertices, b: Vertices) -> Float[np.ndarray, "corners"]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
