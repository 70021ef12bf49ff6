"""Finite elements agree with closed forms, with published numbers and with a finer mesh; no shape breaks them."""

import hashlib

import numpy as np
import pytest
from scipy import special

from tympan.acoustics import _mesh, draws, finite_element
from tympan.acoustics.finite_element import modes
from tympan.acoustics.shapes import Circle, Ellipse, Polygon, Rectangle

FAMILIES = [draws.convex_polygon, draws.star, draws.travelling_salesman]
COUNT = 40
WHOLE = np.arange(1, 30)


def cents(a, b):
    return np.abs(1200 * np.log2(a / b))


def square():
    return np.sort(np.pi * np.hypot(WHOLE[:, None], WHOLE).ravel())[:COUNT]


def disc():
    zeros = [special.jn_zeros(n, 12) for n in range(30) for _ in range(2 if n else 1)]
    return np.sort(np.concatenate(zeros))[:COUNT]


def triangle():
    """G. Lamé, 1852: 4 pi / 3 sqrt(m² + mn + n²) over the side, whose square is 4 / sqrt(3) of the area."""
    m, n = WHOLE[:, None], WHOLE
    return np.sort((4 * np.pi / 3 * np.sqrt(m**2 + m * n + n**2) * np.sqrt(np.sqrt(3) / 4)).ravel())[:COUNT]


@pytest.mark.parametrize(
    ("shape", "truth"),
    [(Rectangle(1.0, 1.0), square()), (Circle(2.0), disc()), (draws.unit_triangle(), triangle())],
    ids=["square", "circle", "triangle"],
)
def test_closed_forms_within_a_tenth_of_a_cent(shape, truth):
    assert cents(modes(shape).wave_numbers, truth).max() < 0.1
    assert cents(modes(shape, 3).wave_numbers, truth[:3]).max() < 0.1
    assert cents(modes(shape.scaled(0.1)).wave_numbers, 10 * truth).max() < 0.1


def test_two_drums_sound_the_same():
    one, other = (modes(drum).wave_numbers for drum in draws.isospectral_pair())
    assert cents(one, other).max() < 0.1
    # T. A. Driscoll, Eigenmodes of isospectral drums, SIAM Review 39 (1997), of half squares with a side of 2.
    assert (one[:3] / 2) ** 2 == pytest.approx([2.53794399980, 3.65550971352, 5.17555935622], rel=5e-5)


def test_a_re_entrant_corner_as_published():
    # L. Fox, P. Henrici & C. Moler (1967) to more digits: T. Betcke & L. N. Trefethen, SIAM Review 47 (2005).
    shape = Polygon(np.array([[0.0, 0], [1, 0], [1, -1], [-1, -1], [-1, 1], [0, 1]]))
    assert cents(modes(shape).wave_numbers[0], np.sqrt(9.6397238440219)) < 0.05


def test_an_ellipse_lies_between_circle_and_its_axes():
    found = modes(Ellipse(1.0, 0.98), 3).wave_numbers
    assert modes(Circle(1.0), 1).wave_numbers[0] < found[0] < modes(Circle(0.98), 1).wave_numbers[0]
    assert found[1] < found[2]  # the pair of the circle parts


def test_shapes_have_a_mean_square_of_one_and_no_overlap():
    drum = modes(Rectangle(2.0, 0.7), 12)
    grid = (np.stack(np.meshgrid(np.arange(120), np.arange(80)), -1).reshape(-1, 2) + 0.5) / [120, 80] - 0.5
    values = drum.at(grid * [2.0, 0.7])
    assert values.T @ values / len(grid) == pytest.approx(np.eye(12), abs=2e-3)
    exact = 2 * np.cos(np.pi * grid[:, 0]) * np.cos(np.pi * grid[:, 1])
    assert np.abs(np.abs(values[:, 0]) - exact).max() < 1e-3


def test_points_on_the_edge_are_at_rest_and_points_outside_refused():
    shape = draws.star(np.random.default_rng(0), 9)
    drum = modes(shape, 10)
    edge = np.concatenate([shape.vertices, (shape.vertices + np.roll(shape.vertices, 1, 0)) / 2])
    assert np.abs(drum.at(edge)).max() < 1e-9
    assert drum.at(np.empty((0, 2))).shape == (0, 10)
    angle = np.linspace(0, 6, 50)
    assert np.abs(modes(Circle(2.0), 10).at(np.column_stack([np.cos(angle), np.sin(angle)]))).max() < 3e-3
    for point in ([3.0, 0.0], shape.vertices[0] * 1.001):
        with pytest.raises(ValueError, match="outside"):
            drum.at(np.array([shape.centroid, point]))
    with pytest.raises(ValueError, match="not finite"):
        drum.at(np.array([[np.nan, 0.0]]))


@pytest.mark.parametrize("draw", FAMILIES)
def test_shapes_solve_the_wave_equation(draw):
    """Mean over a small circle = J_0(k r) times the centre: the property of every eigenfunction of the Laplacian."""
    shape = draw(np.random.default_rng(2), 8)
    drum, radius = modes(shape, 20), 0.02
    angle = np.arange(12) * np.pi / 6
    ring = shape.centre + radius * np.column_stack([np.cos(angle), np.sin(angle)])
    expected = special.j0(drum.wave_numbers * radius) * drum.at(shape.centre[None])[0]
    assert drum.at(ring).mean(0) == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize(
    ("draw", "corners", "most"),
    [
        (draws.convex_polygon, 3, 1),
        (draws.convex_polygon, 12, 1),
        (draws.star, 9, 3),
        (draws.travelling_salesman, 12, 3),
    ],
)
def test_random_polygons_are_within_cents_of_a_finer_mesh(draw, corners, most):
    shape = draw(np.random.default_rng(11), corners)
    assert cents(modes(shape).wave_numbers, modes(shape, fineness=1.4).wave_numbers).max() < most / 3


@pytest.mark.slow
@pytest.mark.parametrize("draw", FAMILIES)
@pytest.mark.parametrize("corners", [3, 4, 6, 10, 25])
def test_many_random_polygons_are_within_cents_of_a_finer_mesh(draw, corners):
    for seed in range(60 // corners + 2):
        shape = draw(np.random.default_rng((seed, 99)), corners)
        error = cents(modes(shape).wave_numbers, modes(shape, fineness=1.6).wave_numbers).max()
        assert error < (1 if shape.convex else 3), seed


NEEDLE = np.array([[0.0, 0], [10, 0.0], [3, 0.02]])
SLIT = np.array([[0.0, 0], [1, 0], [1, 0.5], [0.2, 0.5], [1, 0.5001], [1, 1], [0, 1]])
COMB = np.array([[0, 0], [1, 0], [1, 1], [0.9, 1], [0.9, 0.1], [0.899, 0.1], [0.899, 1], [0, 1.0]])
LEFT = np.array([[1, 0.5], [1, 1], [0, 1], [0, 0], [1, 0], [1, 0.499]])
DUMBBELL = np.concatenate([LEFT, [3, 0.999] - LEFT])  # two squares, joined by a channel of a thousandth
TINY_EDGE = np.array([[0, 0], [1, 0], [1, 1], [0.5, 1], [0.5, 0.9999], [0.49999, 0.9999], [0, 1.0]])
FLAT = np.array([[0.0, 0], [0.5, 0], [1, 0], [1, 1], [0.5, 1 + 1e-7], [0, 1]])
HARD = {"needle": NEEDLE, "slit": SLIT, "comb": COMB, "dumbbell": DUMBBELL, "tiny edge": TINY_EDGE, "flat": FLAT}


@pytest.mark.parametrize("name", HARD)
def test_hard_polygons_are_within_cents_of_a_finer_mesh(name):
    shape = Polygon(HARD[name])
    assert cents(modes(shape, 8).wave_numbers, modes(shape, 8, fineness=1.2).wave_numbers).max() < 1


@pytest.mark.slow
@pytest.mark.parametrize("name", HARD)
def test_hard_polygons_are_within_cents_of_a_much_finer_mesh(name):
    shape = Polygon(HARD[name])
    assert cents(modes(shape).wave_numbers, modes(shape, fineness=2.0).wave_numbers).max() < 1


def test_where_no_halving_parts_the_edges_constrained_triangles_do(monkeypatch):
    shape = draws.travelling_salesman(np.random.default_rng(3), 12)
    truth = modes(shape, 10).wave_numbers
    monkeypatch.setattr(_mesh, "_delaunay", lambda *_: (np.zeros((3, 2)), np.array([[0, 1, 2]])))
    assert cents(modes(shape, 10).wave_numbers, truth).max() < 3


def test_more_room_sounds_lower():
    small = draws.star(np.random.default_rng(5), 8)
    hull = Polygon(small.vertices * 1.05)
    assert (modes(hull, 10).wave_numbers < modes(small, 10).wave_numbers).all()


def test_modes_do_not_depend_on_the_place_the_size_or_the_run():
    shape = draws.convex_polygon(np.random.default_rng(1), 7)
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    usual = modes(shape, 10).wave_numbers
    moved = Polygon(3.0 * shape.vertices @ turn + [100.0, -50.0])
    assert cents(3 * modes(moved, 10).wave_numbers, usual).max() < 0.1
    digests = {hashlib.sha256(modes(shape, 10).at(shape.vertices * 0.3).tobytes()).hexdigest() for _ in range(2)}
    assert len(digests) == 1


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        modes(Circle(1.0), 0)
    with pytest.raises(ValueError, match="too thin"):
        modes(Rectangle(1.0, 1e-5))


def test_a_missed_mode_is_noticed(monkeypatch):
    from scipy.sparse import linalg

    found = linalg.eigsh

    def forgetful(*arguments, **options):
        values, vectors = found(*arguments, **options)
        return np.append(values[:-1], values[-1] * 1.5), vectors

    monkeypatch.setattr(linalg, "eigsh", forgetful)
    with pytest.raises(RuntimeError, match="modes lie below"):
        finite_element.modes(Rectangle(1.0, 0.8), 5)
