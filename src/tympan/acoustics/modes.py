"""Modes in closed form, of ideal membranes and of the string: frequencies, and signed shapes at points.

Shapes are scaled to a mean square of one over the membrane, so that shapes of different membranes compare. They are
orthogonal: every degenerate pair is there with both of its members. Points are numbers, or arrays that broadcast, to
which the shapes add an axis for each mode number.

Rossing & Fletcher, Principles of Vibration and Sound, 2nd ed. 2004, chapters 2 and 3. The triangle: Lamé, Leçons sur la
théorie mathématique de l'élasticité des corps solides, 1852; complete and orthogonal by McCartin, Eigenstructure of
the equilateral triangle, part I: the Dirichlet problem, SIAM Review 45 (2003) 267-287.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import special

Modes = Float[np.ndarray, "first second"]
"""One number for each mode, which two integers name."""
Shapes = Float[np.ndarray, "... first second"]
"""The same at each point."""
Points = float | Float[np.ndarray, "..."]
"""One coordinate of a point, or of many."""
Edge = Literal["fixed", "free"]
"""Whether a membrane is at rest at its edge (Dirichlet), or level there (Neumann) and free to move."""


def wave_speed(tension: float, density: float) -> float:
    """Speed of transverse waves (m/s): of a membrane at a tension (N/m) and a density (kg/m²), or of a string at a
    tension (N) and a mass per length (kg/m)."""
    return float(np.sqrt(tension / density))


@lru_cache
def bessel_zeros(orders: int, zeros: int, edge: Edge = "fixed") -> Modes:
    """The first positive zeros of J_0, J_1, ..., with a free edge of their derivatives: `(orders, zeros)`, read-only.

    The zero of J_0' at 0, the membrane that moves as a whole at 0 Hz, does not count.
    """
    find = special.jn_zeros if edge == "fixed" else special.jnp_zeros
    table = np.array([find(n, zeros) for n in range(orders)])
    table.setflags(write=False)
    return table


def circle_frequencies(diameter: float, speed: float, orders: int = 10, zeros: int = 10, edge: Edge = "fixed") -> Modes:
    """f_nm = z_nm c / (pi d) in Hz, of a circle of diameter d (m) at wave speed c (m/s): `(orders, zeros)`."""
    return bessel_zeros(orders, zeros, edge) * speed / (np.pi * diameter)


def circle_shapes(
    r: Points, theta: Points, orders: int = 10, zeros: int = 10, edge: Edge = "fixed"
) -> tuple[Shapes, Shapes]:
    """J_n(z_nm r) cos(n theta) and its partner with the sine; r in radii, theta in radians.

    The partner of order 0 is zero everywhere.
    """
    n = np.arange(orders)[:, None]
    angle = n * _beside(theta)
    radial = special.jv(n, bessel_zeros(orders, zeros, edge) * _beside(r)) / _circle_scale(orders, zeros, edge)
    return radial * np.cos(angle), radial * np.sin(angle)


@lru_cache
def _circle_scale(orders: int, zeros: int, edge: Edge) -> Modes:
    # The mean of J_n(z r)² over the circle is J_{n+1}(z)² where J_n(z) = 0, and (1 - n²/z²) J_n(z)² where J_n'(z) = 0.
    n, z = np.arange(orders)[:, None], bessel_zeros(orders, zeros, edge)
    radial = special.jv(n + 1, z) if edge == "fixed" else np.sqrt(1 - (n / z) ** 2) * special.jv(n, z)
    return np.abs(radial) / np.where(n == 0, 1, np.sqrt(2))


def rectangle_frequencies(width: float, height: float, speed: float, columns: int = 10, rows: int = 10) -> Modes:
    """f_mn = c/2 sqrt((m/width)² + (n/height)²) in Hz, for m, n = 1, 2, ...: `(columns, rows)`; sides in metres."""
    m, n = _whole(columns, rows)
    return speed / 2 * np.hypot(m / width, n / height)


def rectangle_shapes(x: Points, y: Points, columns: int = 10, rows: int = 10) -> Shapes:
    """2 sin(m pi x) sin(n pi y), x and y in fractions of the sides."""
    m, n = _whole(columns, rows)
    return 2 * np.sin(np.pi * m * _beside(x)) * np.sin(np.pi * n * _beside(y))


def triangle_frequencies(side: float, speed: float, first: int = 10, second: int = 10) -> Modes:
    """f_mn = 2c / (3 side) sqrt(m² + mn + n²) in Hz, of an equilateral triangle of this side (m), for m, n = 1, 2, ...

    Each pair m ≠ n is one frequency of two modes, at (m, n) and at (n, m).
    """
    m, n = _whole(first, second)
    return 2 * speed / (3 * side) * np.sqrt(m * m + m * n + n * n)


def triangle_shapes(x: Points, y: Points, first: int = 10, second: int = 10) -> Shapes:
    """Lamé's functions at a point; x and y in sides, from the centroid, with the base at y = -1 / sqrt(12).

    With b the distances from the three sides by the height, and l = -(m + n), a shape is the sum, over the three cyclic
    orders of (l, m, n), of sin(l pi (1 - b_1)) cos((m - n) pi (b_2 - b_3) / 3). Where m ≤ n it is this one, its own
    mirror image in x; where m > n it is the partner with a sine for the cosine.
    """
    m, n = _whole(first, second)
    below, across = np.pi * (2 / 3 - 2 / np.sqrt(3) * _beside(y)), 2 * np.pi / 3 * _beside(x)  # pi (1 - b_1), and so on
    rotations = [(-m - n, m - n), (m, 2 * n + m), (n, -2 * m - n)]  # (l, m - n), (m, n - l), (n, l - m)
    even = sum(np.sin(a * below) * np.cos(b * across) for a, b in rotations)
    odd = sum(np.sin(a * below) * np.sin(b * across) for a, b in rotations)
    return np.where(m <= n, even, odd) / np.sqrt(np.where(m == n, 3 / 2, 3 / 4))


def string_frequencies(
    length: float, speed: float, count: int = 20, inharmonicity: float = 0.0
) -> Float[np.ndarray, "{count}"]:
    """f_n = n c / (2 length) sqrt(1 + B n²) in Hz, of a string (m) between fixed ends, for n = 1, ..., count.

    The inharmonicity B is pi³ E d⁴ / (64 T length²) of a stiff string with Young's modulus E, diameter d, tension T and
    hinged ends (Fletcher, Normal vibration frequencies of a stiff piano string, JASA 36 (1964) 203-209); 0 is flexible.
    """
    n = np.arange(1, count + 1)
    return n * speed / (2 * length) * np.sqrt(1 + inharmonicity * n**2)


def string_shapes(x: Points, count: int = 20) -> Float[np.ndarray, "... {count}"]:
    """sqrt(2) sin(n pi x), x in lengths of the string."""
    return np.sqrt(2) * np.sin(np.pi * np.arange(1, count + 1) * np.asarray(x)[..., None])


def _beside(coordinate: Points) -> np.ndarray:
    """A coordinate that two axes of modes stand beside."""
    return np.asarray(coordinate)[..., None, None]


def _whole(first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers 1, 2, ... along each of two axes."""
    return np.arange(1, first + 1)[:, None], np.arange(1, second + 1)
