"""A drum with two heads: air that is carried along, and air enclosed between them, which couples them."""

import math

import numpy as np
from jaxtyping import Float

from .modes import bessel_zeros

AIR = 1.2
"""Density of air (kg/m³)."""
_SOUND = 343.0  # m/s


def two_heads(
    diameter: float, speed: float, ratio: float, density: float, depth: float, orders: int = 6, zeros: int = 5
) -> tuple[Float[np.ndarray, "pairs"], Float[np.ndarray, "zeros pairs"], Float[np.ndarray, "higher zeros"]]:
    """The modes of two equal heads on a closed shell, as they are heard above the upper one.

    Air close to a membrane moves with it: a mode of wave number k carries air/k (kg/m²) on each side, as its wave is
    far slower than sound. Modes without nodal diameters change the volume between the heads, whose air is a spring of
    air · sound²/depth: all of them, of both heads, move together. The lowest has both heads moving the same way, and
    hardly feels the spring; the next moves them against each other. Others are those of the upper head alone. This is
    the picture of Rossing & Fletcher, Principles of Vibration and Sound, 2nd ed. 2004, chapters 3 and 18 (air as
    lumped mass and spring: no radiation, no standing waves in the shell).

    Args:
        diameter: of the shell (m).
        speed: of waves in the upper head in vacuum (m/s).
        ratio: the same in the lower head, by that in the upper.
        density: mass per area of each head (kg/m²).
        depth: from head to head (m).

    Returns:
        Frequencies (Hz) of the modes without nodal diameters, ascending, `pairs` = 2 `zeros`; how much each of the
        upper head's own modes takes part in each of them; and the frequencies of the upper head's other modes, by
        nodal diameters (from 1) and circles.
    """
    k = 2 * bessel_zeros(orders, zeros) / diameter
    volume = 2 / bessel_zeros(1, zeros)[0] * (-1.0) ** np.arange(zeros)  # mean of a shape of mean square 1
    moved = np.tile(density + AIR / k[0], 2)
    stiff = density * speed**2 * np.concatenate([k[0] ** 2, (ratio * k[0]) ** 2])
    spring = AIR * _SOUND**2 / depth * np.outer(both := np.concatenate([volume, -volume]), both)
    squares, shapes = np.linalg.eigh((np.diag(stiff) + spring) / np.sqrt(np.outer(moved, moved)))
    takes_part = shapes[:zeros] * np.sqrt(density / moved[:zeros])[:, None]
    higher = speed * k[1:] / np.sqrt(1 + 2 * AIR / (k[1:] * density)) / (2 * math.pi)
    return np.sqrt(squares) / (2 * math.pi), takes_part, higher
