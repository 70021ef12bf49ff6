"""kac_drumset's closed-form drums as it publishes them, to compare with its data; `modes` and `strike` have physics.

The formulas are those that kac_drumset 2.0 documents and kac_core computes at the commit 4627e71 which it pins. Beside
physics, drums of size L sound too high: a circle pi times for one of diameter L, a rectangle twice for one of area L²,
a triangle 3/2 times for one of side L. Amplitudes have no sign, no listening
point and no fall with frequency; a decay time is that of 120 dB; modes above half the sample rate fold down.
"""

import math

import numpy as np
from jaxtyping import Float
from scipy import special

from .modes import Modes, bessel_zeros
from .strike import to_peak, waveform_direct


def circle_frequencies(size: float, speed: float, orders: int = 10, zeros: int = 10) -> Modes:
    """z_nm c / L in Hz, L in metres, c in m/s: `(orders, zeros)`."""
    return bessel_zeros(orders, zeros) * speed / size


def circle_amplitudes(r: float, theta: float, orders: int = 10, zeros: int = 10) -> Modes:
    """|J_n(z_nm r) sqrt(2) sin(n theta + pi/4)| of a strike at r (radii) and theta (rad): `(orders, zeros)`."""
    n = np.arange(orders)[:, None]
    return np.abs(special.jv(n, bessel_zeros(orders, zeros) * r) * np.sqrt(2) * np.sin(n * theta + np.pi / 4))


def rectangle_frequencies(size: float, aspect_ratio: float, speed: float, columns: int = 10, rows: int = 10) -> Modes:
    """sqrt(m²/e + n² e) c / L in Hz, e the aspect ratio (width / height), L the square root of the area (m)."""
    m, n = np.arange(1, columns + 1)[:, None], np.arange(1, rows + 1)
    return np.sqrt(m**2 / aspect_ratio + n**2 * aspect_ratio) * speed / size


def rectangle_amplitudes(x: float, y: float, aspect_ratio: float, columns: int = 10, rows: int = 10) -> Modes:
    """|sin(m pi x / sqrt(e)) sin(n pi y sqrt(e))| of a strike at x, y, both in units of L: the width is sqrt(e) L."""
    m, n = np.arange(1, columns + 1)[:, None], np.arange(1, rows + 1)
    root = math.sqrt(aspect_ratio)
    return np.abs(np.sin(m * np.pi * x / root) * np.sin(n * np.pi * y * root))


def triangle_frequencies(size: float, speed: float, first: int = 10, second: int = 10) -> Modes:
    """sqrt(m² + n² + m n) c / L in Hz: `(first, second)`."""
    m, n = np.arange(1, first + 1)[:, None], np.arange(1, second + 1)
    return np.sqrt(m**2 + n**2 + m * n) * speed / size


def triangle_amplitudes(u: float, v: float, w: float, first: int = 10, second: int = 10) -> Modes:
    """|sin(n pi u) sin(n pi v) sin(n pi w)|, the same for all m: no eigenfunctions, and u, v, w no point."""
    n = np.arange(1, second + 1) * np.pi
    return np.tile(np.abs(np.sin(n * u) * np.sin(n * v) * np.sin(n * w)), (first, 1))


def decay_rate(decay_time: float) -> float:
    """Decay rate of all modes (1/s), 6 ln 10 / decay time (s): the level falls by 120 dB in it."""
    return 6 * math.log(10) / decay_time


def waveform(
    frequencies: Float[np.ndarray, "*modes"],
    amplitudes: Float[np.ndarray, "*modes"],
    decay_time: float,
    samples: int,
    sample_rate: int,
) -> Float[np.ndarray, "{samples}"]:
    """The sum of all modes as sines that decay alike, with a largest magnitude of one, in float64."""
    rates = np.full(frequencies.size, decay_rate(decay_time))
    y = waveform_direct(frequencies.ravel(), amplitudes.ravel(), rates, samples, sample_rate, aliases=True)
    return to_peak(y, 1.0)
