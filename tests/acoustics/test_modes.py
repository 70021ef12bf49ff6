"""Modes in closed form agree with published numbers and with their own differential equation, and are orthonormal."""

import mpmath
import numpy as np
import pytest
from scipy import special

from tympan.acoustics import modes
from tympan.acoustics.draws import square_to_triangle

EDGES = pytest.mark.parametrize("edge", ["fixed", "free"])
HEIGHT = np.sqrt(3) / 2
CORNERS = np.array([[0, 2 * HEIGHT / 3], [-0.5, -HEIGHT / 3], [0.5, -HEIGHT / 3]])  # in sides, from the centroid
SIDE, WIDTH, LENGTH = 0.7, 0.5, 0.65


def test_bessel_zeros_are_the_published_ones():
    # Abramowitz & Stegun, table 9.5, to more digits.
    zeros, free = modes.bessel_zeros(4, 3), modes.bessel_zeros(4, 3, "free")
    assert zeros[0] == pytest.approx([2.404825557695773, 5.520078110286311, 8.653727912911012], abs=1e-12)
    assert zeros[1] == pytest.approx([3.831705970207512, 7.015586669815619, 10.173468135062722], abs=1e-12)
    assert zeros[[2, 3], 0] == pytest.approx([5.135622301840683, 6.380161895923984], abs=1e-12)
    assert free[:, 0] == pytest.approx(
        [3.831705970207512, 1.841183781340659, 3.054236928227140, 4.201188941210528], abs=1e-12
    )


@EDGES
def test_bessel_zeros_are_zeros_to_12_digits(edge):
    with mpmath.workdps(30):
        for n, row in enumerate(modes.bessel_zeros(10, 10, edge)):
            for z in row:
                near = mpmath.findroot(lambda x, n=n: mpmath.besselj(n, x, derivative=int(edge == "free")), z)
                assert abs(float(near) - z) < 1e-12


def test_frequencies_are_those_of_scipys_zeros_and_of_whole_numbers():
    n, m = np.arange(10), np.arange(1, 11)
    zeros = np.array([special.jn_zeros(k, 10) for k in n])
    level = np.array([special.jnp_zeros(k, 10) for k in n])
    assert modes.circle_frequencies(0.3, 90.0) == pytest.approx(zeros * 90 / (0.3 * np.pi), rel=1e-12)
    assert modes.circle_frequencies(0.3, 90.0, edge="free") == pytest.approx(level * 90 / (0.3 * np.pi), rel=1e-12)
    rectangle = 45 * np.sqrt((m[:, None] / 0.4) ** 2 + (m / 0.3) ** 2)
    assert modes.rectangle_frequencies(0.4, 0.3, 90.0) == pytest.approx(rectangle, rel=1e-12)
    triangle = 60 / 0.4 * np.sqrt(m[:, None] ** 2 + m[:, None] * m + m**2)
    assert modes.triangle_frequencies(0.4, 90.0) == pytest.approx(triangle, rel=1e-12)
    assert modes.string_frequencies(0.65, 300.0, 10) == pytest.approx(m * 150 / 0.65, rel=1e-12)


def test_pitch_of_a_known_drum():
    # d = 0.3 m, 2000 N/m, 0.2 kg/m²: 2.405 * 100 / (pi * 0.3) = 255.2 Hz, and not pi times that
    assert modes.wave_speed(2000.0, 0.2) == pytest.approx(100.0)
    assert modes.circle_frequencies(0.3, 100.0)[0, 0] == pytest.approx(255.160, abs=1e-3)
    assert modes.rectangle_frequencies(0.3, 0.3, 100.0)[0, 0] == pytest.approx(235.702, abs=1e-3)
    assert modes.triangle_frequencies(0.3, 100.0)[0, 0] == pytest.approx(2 * 100 / (np.sqrt(3) * 0.3))
    # The first string of a guitar: 0.65 m, 70 N, 0.4 g/m.
    assert modes.string_frequencies(0.65, modes.wave_speed(70.0, 4e-4))[0] == pytest.approx(321.8, abs=0.1)


def test_stiffness_raises_high_modes():
    flexible, stiff = (modes.string_frequencies(1.0, 200.0, 30, b) for b in (0.0, 1e-3))
    assert stiff / flexible == pytest.approx(np.sqrt(1 + 1e-3 * np.arange(1, 31) ** 2), rel=1e-12)


def rule(points):
    """Points and weights of Gauss' quadrature from 0 to 1."""
    node, weight = np.polynomial.legendre.leggauss(points)
    return (node + 1) / 2, weight / 2


def circle(edge):
    # Uniform in r² and in the angle.
    r2, weight = rule(80)
    theta = np.arange(64) * 2 * np.pi / 64
    both = modes.circle_shapes(np.sqrt(r2)[:, None], theta[None, :], 5, 4, edge)
    kept = np.concatenate([both[0].reshape(-1, 20), both[1].reshape(-1, 20)[:, 4:]], 1)  # order 0 has no partner
    return kept, np.repeat(weight, 64) / 64


def rectangle(_):
    x, weight = rule(40)
    shapes = modes.rectangle_shapes(x[:, None], x[None, :], 6, 5)
    return shapes.reshape(1600, -1), np.outer(weight, weight).ravel()


def triangle(_):
    x, weight = rule(60)
    # u² instead of u: smooth for the rule
    u, v = (a.ravel() for a in np.meshgrid(x**2, x, indexing="ij"))
    place = square_to_triangle(np.column_stack([u, v]), CORNERS)
    return modes.triangle_shapes(place[:, 0], place[:, 1], 6, 6).reshape(3600, -1), np.outer(
        2 * x * weight, weight
    ).ravel()


def string(_):
    x, weight = rule(60)
    return modes.string_shapes(x, 20), weight


@pytest.mark.parametrize(
    ("membrane", "edge"),
    [(circle, "fixed"), (circle, "free"), (rectangle, ""), (triangle, ""), (string, "")],
)
def test_shapes_are_orthogonal_with_a_mean_square_of_one(membrane, edge):
    shapes, weight = membrane(edge)
    assert shapes.T @ (shapes * weight[:, None]) == pytest.approx(np.eye(shapes.shape[1]), abs=1e-9)


def laplacian(shape, x, y, step=2e-3):
    """By central differences of the sixth order."""
    side = {0: -49 / 18, 1: 1.5, 2: -3 / 20, 3: 1 / 90}
    terms = [side[abs(i)] * (shape(x + i * step, y) + shape(x, y + i * step)) for i in range(-3, 4)]
    return np.sum(terms, 0) / step**2


@pytest.mark.parametrize(
    ("shape", "frequencies"),
    [
        *(
            (
                lambda x, y, part=part, edge=edge: modes.circle_shapes(
                    np.hypot(x, y) / (WIDTH / 2), np.arctan2(y, x), 4, 3, edge
                )[part],
                modes.circle_frequencies(WIDTH, 1.0, 4, 3, edge),
            )
            for part in (0, 1)
            for edge in ("fixed", "free")
        ),
        (
            lambda x, y: modes.rectangle_shapes(x / WIDTH, y / SIDE, 4, 4),
            modes.rectangle_frequencies(WIDTH, SIDE, 1.0, 4, 4),
        ),
        (
            lambda x, y: modes.triangle_shapes(x / SIDE, y / SIDE, 4, 4),
            modes.triangle_frequencies(SIDE, 1.0, 4, 4),
        ),
    ],
)
def test_shapes_solve_the_wave_equation_at_their_frequencies(shape, frequencies):
    k2 = (2 * np.pi * frequencies) ** 2
    for x, y in ((0.07, 0.03), (-0.05, 0.11), (0.02, -0.09)):
        assert laplacian(shape, x, y) == pytest.approx(-k2 * shape(x, y), abs=1e-6 * k2.max())


def test_no_mode_moves_at_a_fixed_edge():
    t = np.linspace(0, 1, 23)
    edges = [
        *modes.circle_shapes(1.0, 2 * np.pi * t),
        modes.rectangle_shapes(t, 1.0),
        modes.rectangle_shapes(0.0, t),
        modes.string_shapes(np.array([0.0, 1.0])),
    ]
    for i in range(3):
        x, y = (CORNERS[i] + t[:, None] * (CORNERS[i - 1] - CORNERS[i])).T
        edges.append(modes.triangle_shapes(x, y))
    assert max(np.abs(edge).max() for edge in edges) < 1e-12


def test_every_mode_is_level_at_a_free_edge():
    for part in range(2):
        # By differences across the edge, where J_n goes on.
        below, above = (modes.circle_shapes(1 + h, 0.4, edge="free")[part] for h in (-1e-5, 1e-5))
        assert np.abs(above - below).max() / 2e-5 < 1e-5


def test_modes_of_a_triangle_come_in_mirrored_pairs():
    here, there = modes.triangle_shapes(0.21, 0.1, 5, 5), modes.triangle_shapes(-0.21, 0.1, 5, 5)
    m, n = np.indices((5, 5))
    assert there == pytest.approx(np.where(m <= n, here, -here), abs=1e-12)
    frequencies = modes.triangle_frequencies(1.0, 1.0, 5, 5)
    assert (frequencies == frequencies.T).all()


def test_a_triangle_turned_by_a_third_keeps_the_power_of_each_pair():
    turn = np.array([[-0.5, -HEIGHT], [HEIGHT, -0.5]])
    x, y = np.array([0.13, -0.07])
    once, again = (modes.triangle_shapes(*place.tolist(), 5, 5) for place in (np.array([x, y]), turn @ [x, y]))
    assert again**2 + again.T**2 == pytest.approx(once**2 + once.T**2, abs=1e-12)


def test_no_mode_of_a_triangle_is_missing():
    # Weyl's law with its terms of the edge and of three corners of 60 degrees, in the mean over wave numbers k.
    frequencies = np.sort(modes.triangle_frequencies(1.0, 1.0, 100, 100).ravel())
    k = np.linspace(20, 200, 2000)
    below = np.searchsorted(2 * np.pi * frequencies, k)
    law = HEIGHT / 2 * k**2 / (4 * np.pi) - 3 * k / (4 * np.pi) + 1 / 3
    assert np.mean(below - law) == pytest.approx(0, abs=0.2)


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
