"""Modes of ideal membranes with a fixed edge: frequencies, and signed shapes at points, in closed form.

Shapes are scaled to a mean square of one over the membrane, so that shapes of different membranes compare.
Rossing & Fletcher, Principles of Vibration and Sound, 2nd ed. 2004, chapter 3.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy import special

Modes = Float[np.ndarray, "first second"]
"""One number for each mode, which two integers name."""


def wave_speed(tension: float, density: float) -> float:
    """Speed of transverse waves (m/s) at a tension (N/m) and a density (kg/m²)."""
    return float(np.sqrt(tension / density))


@lru_cache
def bessel_zeros(orders: int, zeros: int) -> Modes:
    """The first positive zeros of the Bessel functions J_0, J_1, ...: `(orders, zeros)`, read-only."""
    table = np.array([special.jn_zeros(n, zeros) for n in range(orders)])
    table.setflags(write=False)
    return table


def circle_frequencies(diameter: float, speed: float, orders: int = 10, zeros: int = 10) -> Modes:
    """f_nm = z_nm c / (pi d) in Hz, of a circle of diameter d (m) at wave speed c (m/s): `(orders, zeros)`."""
    return bessel_zeros(orders, zeros) * speed / (np.pi * diameter)


def circle_shapes(
    r: float, theta: float, orders: int = 10, zeros: int = 10
) -> tuple[Float[np.ndarray, "orders zeros"], Float[np.ndarray, "orders zeros"]]:
    """J_n(z_nm r) cos(n theta) and its partner with the sine at one point; r in radii, theta in radians.

    The partner of order 0 is zero everywhere.
    """
    z, n = bessel_zeros(orders, zeros), np.arange(orders)[:, None]
    radial = special.jv(n, z * r) / _circle_scale(orders, zeros)
    return radial * np.cos(n * theta), radial * np.sin(n * theta)


@lru_cache
def _circle_scale(orders: int, zeros: int) -> Modes:
    n = np.arange(orders)[:, None]
    return np.abs(special.jv(n + 1, bessel_zeros(orders, zeros))) / np.where(n == 0, 1, np.sqrt(2))


def rectangle_frequencies(width: float, height: float, speed: float, columns: int = 10, rows: int = 10) -> Modes:
    """f_mn = c/2 sqrt((m/width)² + (n/height)²) in Hz, for m, n = 1, 2, ...: `(columns, rows)`; sides in metres."""
    m, n = np.arange(1, columns + 1)[:, None], np.arange(1, rows + 1)
    return speed / 2 * np.hypot(m / width, n / height)


def rectangle_shapes(x: float, y: float, columns: int = 10, rows: int = 10) -> Modes:
    """2 sin(m pi x) sin(n pi y) at one point, x and y in fractions of the sides: `(columns, rows)`."""
    m, n = np.arange(1, columns + 1)[:, None], np.arange(1, rows + 1)
    return 2 * np.sin(np.pi * m * x) * np.sin(np.pi * n * y)
