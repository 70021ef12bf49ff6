"""Two heads are two membranes where there is no air to speak of, and a mass on a spring where there is."""

import numpy as np
import pytest

from tympan.acoustics.modes import bessel_zeros, circle_frequencies
from tympan.acoustics.two_heads import AIR, two_heads


def test_heavy_heads_far_apart_are_two_membranes_in_vacuum() -> None:
    coupled, takes_part, higher = two_heads(0.4, 60.0, 0.9, 1e5, 1e3, 4, 3)
    alone = circle_frequencies(0.4, 60.0, 4, 3)
    np.testing.assert_allclose(coupled, np.sort([*alone[0], *(0.9 * alone[0])]), rtol=1e-4)
    np.testing.assert_allclose(higher, alone[1:], rtol=1e-4)
    np.testing.assert_allclose(np.abs(takes_part).max(0), [0, 1, 0, 1, 0, 1], atol=0.01)  # the lower head's are silent


def test_equal_heads_move_together_and_against_each_other() -> None:
    coupled, takes_part, _ = two_heads(0.4, 80.0, 1.0, 0.3, 0.25, 2, 1)
    z = bessel_zeros(1, 1)[0, 0]
    k = 2 * z / 0.4
    moved = 0.3 + AIR / k
    together = 0.3 * 80.0**2 * k**2
    spring = AIR * 343.0**2 / 0.25 * 4 / z**2
    expected = np.sqrt(np.array([together, together + 2 * spring]) / moved) / (2 * np.pi)
    np.testing.assert_allclose(coupled, expected, rtol=1e-12)
    np.testing.assert_allclose(takes_part**2, [[0.3 / moved / 2] * 2], rtol=1e-12)


@pytest.mark.parametrize("density", [0.2, 0.5])
def test_air_lowers_low_modes_most_and_a_shallow_shell_raises_the_second(density: float) -> None:
    coupled, _, higher = two_heads(0.33, 70.0, 1.0, density, 0.3)
    vacuum = circle_frequencies(0.33, 70.0, 6, 5)
    assert coupled[0] < 0.95 * vacuum[0, 0]
    ratios = (higher / vacuum[1:]).ravel()
    assert (ratios < 1).all()
    assert (np.diff(ratios[np.argsort(vacuum[1:].ravel())]) > 0).all()
    assert two_heads(0.33, 70.0, 1.0, density, 0.15)[0][1] > 1.1 * coupled[1]
