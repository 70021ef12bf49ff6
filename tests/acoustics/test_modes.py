"""Modes in closed form agree with published numbers and with their own differential equation."""

import numpy as np
import pytest
from scipy import special

from tympan.acoustics import modes


def test_bessel_zeros_are_the_published_ones():
    # Abramowitz & Stegun, table 9.5, to more digits.
    zeros = modes.bessel_zeros(4, 3)
    assert zeros[0] == pytest.approx([2.404825557695773, 5.520078110286311, 8.653727912911012], abs=1e-12)
    assert zeros[1] == pytest.approx([3.831705970207512, 7.015586669815619, 10.173468135062722], abs=1e-12)
    assert zeros[[2, 3], 0] == pytest.approx([5.135622301840683, 6.380161895923984], abs=1e-12)


def test_no_mode_of_a_circle_moves_at_the_edge():
    for partner in modes.circle_shapes(1.0, 0.3, 10, 10):
        assert np.abs(partner).max() < 1e-12


def test_pitch_of_a_known_drum():
    # d = 0.3 m, 2000 N/m, 0.2 kg/m²: 2.405 * 100 / (pi * 0.3) = 255.2 Hz, and not pi times that
    assert modes.wave_speed(2000.0, 0.2) == pytest.approx(100.0)
    assert modes.circle_frequencies(0.3, 100.0)[0, 0] == pytest.approx(255.160, abs=1e-3)
    assert modes.rectangle_frequencies(0.3, 0.3, 100.0)[0, 0] == pytest.approx(235.702, abs=1e-3)


def test_shapes_have_a_mean_square_of_one():
    node, weight = np.polynomial.legendre.leggauss(80)
    r, theta = (node + 1) / 2, np.arange(64) * 2 * np.pi / 64
    square = sum(
        w * x * np.mean([modes.circle_shapes(x, t, 4, 3)[0] ** 2 for t in theta], 0)
        for x, w in zip(r, weight, strict=True)
    )
    assert square == pytest.approx(np.ones((4, 3)), abs=1e-9)  # the mean over an area of pi, in polar coordinates
    grid = (np.arange(32) + 0.5) / 32
    assert np.mean([modes.rectangle_shapes(x, y, 4, 3) ** 2 for x in grid for y in grid], 0) == pytest.approx(1.0)


def test_rectangle_ratios_are_those_of_whole_numbers():
    f = modes.rectangle_frequencies(2.0, 1.0, 100.0, 3, 2)
    assert (f / f[0, 0]) ** 2 == pytest.approx(np.array([[5, 17], [8, 20], [13, 25]]) / 5)


def test_shape_is_signed():
    assert modes.circle_shapes(0.8, 0.0, 1, 2)[0][0, 1] < 0 < modes.circle_shapes(0.1, 0.0, 1, 2)[0][0, 1]
    assert modes.circle_shapes(0.4, np.pi, 2, 1)[0][1, 0] == pytest.approx(
        -special.jv(1, modes.bessel_zeros(2, 1)[1, 0] * 0.4)
        * np.sqrt(2)
        / abs(special.jv(2, modes.bessel_zeros(2, 1)[1, 0]))
    )
