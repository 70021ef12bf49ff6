"""The points of a membrane of any shape, or of a string, on a square grid, and how they hang on the edge."""

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from .shapes import Shape

Field = Float[np.ndarray, "rows columns"]
"""A number at every point of a grid."""

_NEAREST = 1e-3  # the edge is nowhere nearer to a point than this part of the spacing


@dataclass(frozen=True, eq=False)
class Grid:
    """The points of a membrane (or a string), in rows along x; all points of the border lie outside."""

    spacing: float
    """Distance between neighbours (m)."""
    origin: tuple[float, float]
    """Where the point of row 0 and column 0 lies (m)."""
    inside: Bool[np.ndarray, "rows columns"]
    """Which points move."""
    edge: Field
    """How much stiffer a point is held than by four neighbours: 1 / theta - 1, summed over the arms that the edge
    cuts."""
    parted: Int[np.ndarray, "arms 2"] = field(default_factory=lambda: np.zeros((0, 2), int))
    """Neighbours inside, as places in the flat grid, with the edge between them: a notch narrower than the spacing.
    Each pair is there both ways round."""
    dimensions: int = 2
    """1 is a string: a single row, without arms across."""

    def __post_init__(self) -> None:
        if self.inside[[0, -1]].any() or self.inside[:, [0, -1]].any():
            raise ValueError("inside: all points of a grid's border lie outside; `Grid.of_mask` adds such a border")

    @classmethod
    def of(cls, shape: Shape, spacing: float) -> "Grid":
        """The grid of a shape (m).

        Raises:
            ValueError: no point lies inside, or the spacing is not above 0.
        """
        if not 0 < spacing < math.inf:
            raise ValueError(f"spacing: a grid's points are some distance above 0 m from each other, not {spacing} m")
        low, high = np.reshape(shape.bounds, (2, 2))
        columns, rows = np.ceil((high - low) / spacing).astype(int) + 2
        origin = (low + high - spacing * np.array([columns - 1, rows - 1])) / 2
        where = origin + spacing * np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1)
        inside = shape.contains(where.reshape(-1, 2)).reshape(rows, columns)
        if not inside.any():
            raise ValueError(f"no point of a grid of {spacing} m lies inside the membrane: choose a smaller spacing")
        edge = np.zeros(inside.shape)
        for axis, side in ((0, 1), (0, -1), (1, 1), (1, -1)):
            cut = inside & ~np.roll(inside, -side, axis)
            start, arm = where[cut], np.where([axis == 1, axis == 0], side * spacing, 0.0)
            near, far = np.zeros(len(start)), np.ones(len(start))
            for _ in range(20):  # halvings: a millionth of the spacing
                middle = (near + far) / 2
                still = shape.contains(start + middle[:, None] * arm)
                near, far = np.where(still, middle, near), np.where(still, far, middle)
            edge[cut] += 1 / np.maximum(far, _NEAREST) - 1
        parted = np.zeros((0, 2), int)
        if not shape.convex:
            held, parted = _notches((shape.outline() - origin) / spacing, inside)
            edge += held
        return cls(spacing, (float(origin[0]), float(origin[1])), inside, edge, parted)

    @classmethod
    def of_mask(cls, mask: Bool[np.ndarray, "rows columns"], spacing: float) -> "Grid":
        """The grid of the true points of a mask, whose edge is at the next point outside; point (0, 0) is at 0 m."""
        inside = np.pad(mask, 1)
        return cls(spacing, (-spacing, -spacing), inside, np.zeros(inside.shape))

    @classmethod
    def of_string(cls, length: float, spacing: float) -> "Grid":
        """A string (m) from 0 to its length along x; the spacing grows to what fits."""
        parts = max(int(length / spacing * (1 + 1e-9)), 2)
        inside = np.pad(np.ones((1, parts - 1), bool), 1)
        # The rows above and below do not move, and would hold each point by 2.
        return cls(length / parts, (0.0, -length / parts), inside, -2.0 * inside, dimensions=1)

    def around(self, points: Float[np.ndarray, "count 2"]) -> tuple[np.ndarray, np.ndarray]:
        """The four points around each position, as places in the flat grid, and their bilinear weights: `(count, 4)`
        each, those outside with weight 0."""
        rows, columns = self.inside.shape
        xy = (points - self.origin) / self.spacing
        known = ((xy >= 0) & (xy < [columns - 1, rows - 1])).all(1, keepdims=True)
        xy = np.where(known, xy, 0)
        j, i = np.floor(xy).astype(int).T
        x, y = xy.T - (j, i)
        places = np.stack([i * columns + j, i * columns + j + 1, (i + 1) * columns + j, (i + 1) * columns + j + 1], 1)
        weights = np.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], 1)
        return places, weights * known * self.inside.ravel()[places]

    def bend(self, u: Field) -> Field:
        """The discrete Laplacian of a displacement, times the spacing squared; 0 outside."""
        u = u * self.inside
        neighbours = sum((np.roll(u, side, axis) for axis in (0, 1) for side in (-1, 1)), start=-(4 + self.edge) * u)
        np.subtract.at(neighbours.ravel(), self.parted[:, 0], u.ravel()[self.parted[:, 1]])
        return neighbours * self.inside


def _notches(
    outline: Float[np.ndarray, "corners 2"], inside: Bool[np.ndarray, "rows columns"]
) -> tuple[Field, Int[np.ndarray, "arms 2"]]:
    """The arms between two points inside that the outline (in spacings) cuts, and how stiff that makes both ends."""
    edge, parted = np.zeros(inside.size), []
    for axis, stride in ((0, 1), (1, inside.shape[1])):  # arms along x, then along y
        a, grid = (outline, inside) if axis == 0 else (outline[:, ::-1], inside.T)
        b, lines = np.roll(a, -1, 0), np.arange(len(grid))
        side, line = np.nonzero((a[:, 1, None] <= lines) != (b[:, 1, None] <= lines))
        (x, y), (dx, dy) = a[side].T, (b - a)[side].T
        cut = x + (line - y) * dx / dy
        j = np.floor(cut).astype(int)
        between = grid[line, j] & grid[line, j + 1]
        cut, start = (cut - j)[between], (line * inside.shape[1] + j if axis == 0 else j * stride + line)[between]
        first, last = np.full(inside.size, np.inf), np.full(inside.size, -np.inf)
        np.minimum.at(first, start, cut)
        np.maximum.at(last, start, cut)
        left = np.unique(start)
        edge[left] += 1 / np.maximum(first[left], _NEAREST) - 1
        edge[left + stride] += 1 / np.maximum(1 - last[left], _NEAREST) - 1
        parted += [np.stack([left, left + stride], 1), np.stack([left + stride, left], 1)]
    return edge.reshape(inside.shape), np.concatenate(parted)
