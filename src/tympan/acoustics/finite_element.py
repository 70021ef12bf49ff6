"""Modes of membranes of any shape with a fixed edge, by finite elements."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from jaxtyping import Float, Int

from ._mesh import triangulate
from .shapes import Ellipse, Points, Polygon, Shape

_WAVELENGTH = 0.4  # size of a triangle, in the highest mode's wavelengths: some 0.03 cents with quartic elements
_SHORTEST = 0.45  # beyond which the mesh is made anew
_TRIANGLES = 40_000  # some 15 s
_NEAR = 0.99  # of the lowest eigenvalue: below it, also where that is known to 1e-3 alone
_SIDES = 192  # of the polygon that stands for an ellipse
_DIGITS = 1e-9  # of the mean side: a point this far outside is on the edge


@dataclass(frozen=True, eq=False)
class MembraneModes:
    """Modes of one membrane with a fixed edge, the lowest first."""

    shape: Shape
    """Outline (m)."""
    wave_numbers: Float[np.ndarray, "count"]
    """Wave numbers (rad/m), ascending: the frequency at a wave speed c (m/s) is c k / (2 pi) Hz."""
    mesh: Any
    """Triangles, a skfem `MeshTri` (m)."""
    _element: Any
    _numbers: Int[np.ndarray, "nodes triangles"]
    _values: Float[np.ndarray, "unknowns count"]

    def at(self, points: Points) -> Float[np.ndarray, "points count"]:
        """The modes' shapes at points (m), scaled to a mean square of one over the membrane; 0 on the edge.

        Raises:
            ValueError: a point lies outside of the membrane.
        """
        if not np.isfinite(points).all():
            raise ValueError("points: a coordinate is not finite")
        found = self._triangles_at(points)
        corners = self.mesh.p[:, self.mesh.t[:, found]]
        a, b, c = (corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        away, twice = points.T - a, b[0] * c[1] - b[1] * c[0]
        local = np.array([away[0] * c[1] - away[1] * c[0], b[0] * away[1] - b[1] * away[0]]) / twice
        shapes = np.zeros((len(points), len(self.wave_numbers)))
        for i, numbers in enumerate(self._numbers):
            shapes += self._element.lbasis(local, i)[0][:, None] * self._values[numbers[found]]
        return shapes

    def _triangles_at(self, points: Points) -> Int[np.ndarray, "points"]:
        found, triangles = self._tree.query(shapely.points(points), predicate="intersects")
        where = np.full(len(points), -1)
        where[found] = triangles
        lost = np.flatnonzero(where < 0)
        if len(lost):  # outside, on the edge, or between an ellipse and its polygon
            near, distances = self._tree.query_nearest(
                shapely.points(points[lost]), all_matches=False, return_distance=True
            )
            middle = self.shape.centroid
            inside = self.shape.contains(points[lost]) | (distances <= _DIGITS * np.sqrt(self.shape.area))
            inside |= self.shape.contains(middle + (points[lost] - middle) * (1 - _DIGITS))
            if not inside.all():
                x, y = points[lost[~inside][0]]
                raise ValueError(f"({x:g}, {y:g}) m lies outside of the membrane, which moves only within its outline")
            where[lost] = near[1]
        return where

    @cached_property
    def _tree(self) -> shapely.STRtree:
        corners = self.mesh.p[:, self.mesh.t].transpose(2, 1, 0)
        return shapely.STRtree(shapely.polygons(corners))


def modes(shape: Shape, count: int = 40, fineness: float = 1.0) -> MembraneModes:
    """The `count` lowest modes of a membrane: wave numbers within 1 cent for convex shapes, 3 for others.

    Quartic elements on triangles that are finer towards re-entrant corners; an ellipse is a polygon of 192 sides and
    the same area. Degenerate modes are any two of their kind. The triangles are `fineness` times smaller than they need
    be, and in corners more: at 2, wave numbers are a reference for those at 1.

    Raises:
        ValueError: the shape is so thin that it would take too many triangles.
    """
    if count < 1:
        raise ValueError(f"count: at least one mode, not {count}")
    polygon = _polygon(shape)
    highest = _expected(shape, count)
    while True:
        size = _WAVELENGTH * 2 * np.pi / (highest * fineness)
        if (needed := 2.3 * shape.area / size**2 + 2 * shape.perimeter / size) > _TRIANGLES * fineness**2:
            raise ValueError(
                f"a shape of {shape.area:g} m² and a perimeter of {shape.perimeter:g} m is too thin: its modes would "
                f"take some {needed:.0f} triangles; choose a rounder one or fewer than {count} modes"
            )
        found = _solved(shape, triangulate(polygon, size, fineness), count)
        if found.wave_numbers[-1] <= highest * _SHORTEST / _WAVELENGTH:
            return found
        highest = float(found.wave_numbers[-1])


def _polygon(shape: Shape) -> Polygon:
    if isinstance(shape, Polygon):
        return shape
    if not isinstance(shape, Ellipse):
        return Polygon(shape.outline())
    inscribed = Polygon(shape.outline(_SIDES))
    return inscribed.scaled(np.sqrt(shape.area / inscribed.area))


def _expected(shape: Shape, count: int) -> float:
    """The wave number (rad/m) below which some `count` modes lie: A k² - L k = 4 pi count (H. Weyl; V. Ivrii, 1980)."""
    area, perimeter = shape.area, shape.perimeter
    return (perimeter + np.sqrt(perimeter**2 + 16 * np.pi * area * count)) / (2 * area)


def _solved(shape: Shape, mesh: Any, count: int) -> MembraneModes:
    import skfem  # heavy imports
    from scipy.sparse import linalg
    from threadpoolctl import ThreadpoolController

    element = skfem.ElementTriP4()
    basis = skfem.Basis(mesh, element)
    stiffness = skfem.BilinearForm(lambda u, v, w: u.grad[0] * v.grad[0] + u.grad[1] * v.grad[1]).assemble(basis)
    mass = skfem.BilinearForm(lambda u, v, w: u * v).assemble(basis)
    inner = basis.complement_dofs(basis.get_dofs())
    k, m = (matrix[inner][:, inner].tocsc() for matrix in (stiffness, mass))

    def factor(matrix: Any) -> Any:
        # Symmetric: pivots on the diagonal keep the order that fills little.
        return linalg.splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})

    def lowest(shift: float, number: int, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        solve = factor(k - shift * m).solve
        inverse: Any = linalg.LinearOperator(k.shape, matvec=solve, dtype=np.float64)  # type: ignore[call-arg]
        found = linalg.eigsh(k, number, m, shift, "LA", start, OPinv=inverse, tol=tolerance)  # type: ignore[arg-type]
        return found[0], found[1]

    start = np.random.default_rng(0).random(len(inner))
    with ThreadpoolController().limit(limits=1, user_api="blas"):  # bits depend on the number of threads
        # Modes of a thin drum are near each other beside their distance from 0, so they are sought from nearer by.
        squares, vectors = lowest(_NEAR * lowest(0.0, 1, 1e-3)[0][0], count, 1e-10)
        # Sylvester: as many negative pivots as eigenvalues below, which none may have missed.
        below = squares[-1] * (1 - 1e-6)
        negative = (factor(k - below * m).U.diagonal() < 0).sum()
    if negative != (squares < below).sum():
        raise RuntimeError(f"{negative} modes lie below {below**0.5:g} rad/m, but {(squares < below).sum()} were found")
    signs = np.sign(np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], 0))
    values = np.zeros((int(basis.N), count))
    values[inner] = vectors * signs * np.sqrt(shape.area)
    return MembraneModes(shape, np.sqrt(squares), mesh, element, basis.element_dofs, values)
