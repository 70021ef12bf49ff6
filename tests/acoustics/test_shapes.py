"""Outlines: what is known of simple ones in closed form holds, and what is drawn at random is simple and repeatable."""

import math

import numpy as np
import pytest
import shapely
from scipy import special

from tympan.acoustics import draws
from tympan.acoustics.shapes import Circle, Ellipse, Polygon, Rectangle, Shape

FAMILIES = [draws.convex_polygon, draws.star, draws.travelling_salesman]
L_SHAPE = Polygon(np.array([[0.0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]]))
SHAPES = [Circle(0.4), Ellipse(0.5, 0.2), Rectangle(0.3, 0.7), L_SHAPE, *draws.isospectral_pair()]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: type(s).__name__)
def test_numbers_are_those_of_a_fine_outline(shape: Shape):
    fine = shapely.Polygon(shape.outline(20000))
    assert shape.area == pytest.approx(fine.area, rel=1e-7)
    assert shape.perimeter == pytest.approx(fine.length, rel=1e-7)
    assert shape.centroid == pytest.approx(np.array(fine.centroid.coords[0]), abs=1e-9)
    assert shape.bounds == pytest.approx(fine.bounds, rel=1e-7)
    assert shape.convex == (fine.convex_hull.area < fine.area * (1 + 1e-9))
    points = np.random.default_rng(0).uniform(-2, 2, (2000, 2)) * np.abs(shape.bounds).max()
    assert (shape.contains(points) == shapely.contains_xy(fine, points)).all()
    assert shapely.LinearRing(shape.outline()).is_ccw


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: type(s).__name__)
def test_scaled_and_normalised(shape: Shape):
    assert shape.scaled(3.0).area == pytest.approx(9 * shape.area)
    assert type(shape.normalised()) is type(shape)
    assert shape.normalised().area == pytest.approx(1)
    assert shape.normalised().centroid == pytest.approx(np.zeros(2), abs=1e-12)
    assert shape.scaled(1.0) == shape
    assert hash(shape.scaled(1.0)) == hash(shape)
    assert shape.scaled(2.0) != shape


def test_a_circle_is_an_ellipse_of_equal_axes():
    assert Circle(2.0).diameter == 2
    assert Ellipse(2.0, 2.0).perimeter == pytest.approx(2 * math.pi)
    assert Ellipse(3.0, 1.0).perimeter == pytest.approx(6 * special.ellipe(1 - 1 / 9)) == Ellipse(1.0, 3.0).perimeter


def test_vertices_may_come_clockwise_and_far_from_the_origin():
    away = L_SHAPE.vertices[::-1] + 1e6
    assert Polygon(away).area == pytest.approx(3, rel=1e-12)
    assert Polygon(away).centroid - 1e6 == pytest.approx(L_SHAPE.centroid, abs=1e-9)
    assert L_SHAPE.angles / np.pi == pytest.approx([0.5, 0.5, 0.5, 1.5, 0.5, 0.5])
    with pytest.raises(ValueError, match="read-only"):
        L_SHAPE.vertices[0] = 1


@pytest.mark.parametrize(
    ("vertices", "says"),
    [
        ([[0, 0], [1, 1], [1, 0], [0, 1]], "Self-intersection"),
        ([[0, 0], [2, 0], [1, 0], [1, 1]], "touch itself"),
        ([[0, 0], [1, 0], [2, 0]], "touch itself"),
        ([[0, 0], [1, 0]], "at least 3"),
        ([[0, 0], [1, math.nan], [1, 1]], "finite"),
    ],
)
def test_what_is_no_polygon_is_refused(vertices, says):
    with pytest.raises(ValueError, match=says):
        Polygon(np.array(vertices, np.float64))


def test_lengths_are_above_zero():
    with pytest.raises(ValueError, match="above 0"):
        Rectangle(1.0, 0.0)


def test_centre_is_the_centroid_where_that_lies_well_inside():
    assert L_SHAPE.centre == pytest.approx(L_SHAPE.centroid)
    thin = Polygon(np.array([[0.0, 0], [2, 0], [2, 0.1], [0.1, 0.1], [0.1, 2], [0, 2]]))
    assert not thin.contains(thin.centroid[None])[0]
    assert thin.contains(thin.centre[None])[0]


@pytest.mark.parametrize("draw", FAMILIES)
@pytest.mark.parametrize("corners", [3, 4, 7, 20, 60])
def test_drawn_polygons_are_simple_and_normalised(draw, corners):
    for seed in range(20 if corners < 20 else 4):
        polygon = draw(np.random.default_rng(seed), corners)
        assert polygon == draw(np.random.default_rng(seed), corners)
        assert len(polygon.vertices) == corners
        assert polygon.area == pytest.approx(1)
        assert np.abs(polygon.centroid).max() < 1e-12
        assert polygon.angles.sum() == pytest.approx((corners - 2) * np.pi)
        assert polygon.convex or draw is not draws.convex_polygon
        assert polygon.contains(polygon.centre[None])[0]


def test_convex_draws_are_valtrs():
    # Four uniform points of a square are in convex position with chance 25/36, and these quadrilaterals' mean area,
    # found by rejection, is that of the draw; both are turned to the unit box that they fill.
    rng = np.random.default_rng(1)
    hulls = [shapely.MultiPoint(points).convex_hull for points in rng.random((8000, 4, 2))]
    kept = [hull for hull in hulls if len(hull.exterior.coords) == 5]
    assert len(kept) / len(hulls) == pytest.approx(25 / 36, abs=0.02)

    def filled(polygon) -> float:
        left, bottom, right, top = polygon.bounds
        return polygon.area / ((right - left) * (top - bottom))

    drawn = [filled(draws.convex_polygon(rng, 4)) for _ in range(3000)]
    by_rejection = [filled(hull) for hull in kept]
    assert np.mean(drawn) == pytest.approx(np.mean(by_rejection), abs=0.02)
    assert np.std(drawn) == pytest.approx(np.std(by_rejection), abs=0.02)


def test_a_star_is_seen_from_within_and_a_trip_is_shorter_than_its_draw():
    polygon = draws.star(np.random.default_rng(3), 15)
    angle = np.unwrap(np.arctan2(*(polygon.vertices - polygon.vertices.mean(0)).T[::-1]))
    assert (np.diff(angle) > 0).all()
    assert draws.travelling_salesman(np.random.default_rng(3), 40).perimeter < 14  # unsorted: some 0.52 an edge


def test_triangle_of_two_angles():
    equilateral = draws.unit_triangle()
    assert equilateral.area == pytest.approx(1)
    assert equilateral.angles == pytest.approx(np.pi / 3)
    assert draws.unit_triangle(1.0, 2.0).angles == pytest.approx([1.0, 2.0, np.pi - 3])
    with pytest.raises(ValueError, match="angles"):
        draws.unit_triangle(2.0, 2.0)


def test_two_different_drums_share_area_and_perimeter():
    one, other = draws.isospectral_pair()
    assert one.area == pytest.approx(3.5) == other.area
    assert one.perimeter == pytest.approx(other.perimeter)
    across = [max(np.hypot(*(a - b)) for a in drum.vertices for b in drum.vertices) for drum in (one, other)]
    assert across == pytest.approx(np.sqrt([10, 13]))


def test_maps_keep_areas_in_proportion():
    grid = (np.stack(np.meshgrid(np.arange(200), np.arange(200)), -1).reshape(-1, 2) + 0.5) / 200
    disc = draws.square_to_circle(grid)
    assert (np.hypot(*disc.T) < 1).all()
    assert np.mean(np.hypot(*disc.T) < 0.5) == pytest.approx(0.25, abs=0.01)
    assert np.mean((np.arctan2(disc[:, 1], disc[:, 0]) % (2 * np.pi)) < 1.0) == pytest.approx(0.5 / np.pi, abs=0.01)
    triangle = draws.unit_triangle(0.7, 1.2)
    inside = draws.square_to_triangle(grid, triangle.vertices)
    assert triangle.contains(inside).all()
    half = Polygon(np.array([triangle.vertices[0], triangle.vertices[1], triangle.vertices[1:].mean(0)]))
    assert half.contains(inside).mean() == pytest.approx(0.5, abs=0.01)
    assert inside.mean(0) == pytest.approx(np.zeros(2), abs=1e-2)


def test_points_are_drawn_uniformly_inside():
    rng = np.random.default_rng(0)
    points = np.array([L_SHAPE.draw(rng) for _ in range(3000)])
    assert L_SHAPE.contains(points).all()
    assert Rectangle(2.0, 2.0).contains(points - [1, 0]).mean() == pytest.approx(2 / 3, abs=0.03)


def test_a_ring_that_is_closed_by_its_first_corner_is_the_same_polygon():
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    ring = Polygon(square[[0, 1, 1, 2, 3, 0]])
    assert len(ring.vertices) == 4 and ring.area == 1 and np.allclose(ring.angles, np.pi / 2)
    with pytest.raises(ValueError, match="at least 3"):
        Polygon(square[[0, 1, 1, 0]])
