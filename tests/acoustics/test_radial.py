"""Shares, radii, poses and overlaps of outlines, against shapely and closed forms."""

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from tympan.acoustics import radial


def convex(seed: int, corners: int = 7) -> np.ndarray:
    """The hull of random points, normalised."""
    points = np.random.default_rng(seed).normal(size=(corners + 4, 2))
    ring = shapely.convex_hull(shapely.MultiPoint(points)).exterior.coords
    return radial.normalised(np.array(ring)[:-1])


def turned(vertices: np.ndarray, angle: float) -> np.ndarray:
    return vertices @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def iou(a: np.ndarray, b: np.ndarray) -> float:
    one, two = shapely.Polygon(a), shapely.Polygon(b)
    return one.intersection(two).area / one.union(two).area


seeds = st.integers(0, 10_000)
few = settings(max_examples=40, deadline=None)


@few
@given(seeds, st.floats(0.01, 50), st.floats(-7, 7), st.booleans())
def test_a_normalised_polygon_has_unit_area_about_the_origin_whatever_it_was(seed, size, angle, clockwise):
    v = convex(seed)
    moved = turned(v, angle)[:: -1 if clockwise else 1] * size + [300, -7]
    polygon = shapely.Polygon(radial.normalised(moved))
    assert polygon.area == pytest.approx(1)
    assert polygon.exterior.is_ccw
    np.testing.assert_allclose([polygon.centroid.x, polygon.centroid.y], 0, atol=1e-6)


@few
@given(seeds, st.integers(8, 40))
def test_shares_are_the_areas_of_pies_that_shapely_cuts(seed, sectors):
    v = convex(seed)
    polygon, z = shapely.Polygon(v), np.arange(sectors + 1) * 2 * np.pi / sectors
    ends = 50 * np.stack([np.cos(z), np.sin(z)], 1)
    pies = [shapely.Polygon([(0, 0), a, b]).intersection(polygon).area for a, b in pairwise(ends)]
    shares = radial.shares(v, sectors)
    np.testing.assert_allclose(shares, pies, atol=1e-9)
    assert shares.sum() == pytest.approx(1)
    assert (np.pi / sectors * radial.radii(shares) ** 2).sum() == pytest.approx(1)


@few
@given(seeds)
def test_radii_lie_on_the_edge(seed):
    v, z = convex(seed), np.linspace(-9, 9, 50)
    points = radial.radii_at(v, z)[:, None] * np.stack([np.cos(z), np.sin(z)], 1)
    assert shapely.distance(shapely.Polygon(v).exterior, shapely.points(points)).max() < 1e-9


@few
@given(seeds, seeds)
def test_overlap_in_sectors_is_that_of_the_polygons(one, two):
    a, b = convex(one), convex(two)
    found = radial.overlap(*(radial.radii(radial.shares(v, 256)) for v in (a, b)))
    assert found == pytest.approx(iou(a, b), abs=2e-3)


def test_overlap_of_two_discs_and_of_a_thing_with_itself_is_exact():
    r = radial.radii(radial.shares(convex(3), 64))
    assert radial.overlap(r, r) == 1
    assert radial.overlap(np.full(64, 0.5), np.full(64, 0.4)) == pytest.approx(0.8**2)


@few
@given(seeds, st.floats(-7, 7), st.booleans())
def test_the_pose_is_the_same_however_a_shape_lies(seed, angle, mirrored):
    v = convex(seed)
    other = turned(v, angle) * [1, -1 if mirrored else 1]
    a, b = radial.pose(v), radial.pose(radial.normalised(other))
    assert iou(a, b) > 0.999
    axes = shapely.Polygon(a)
    assert axes.area == pytest.approx(1)
    assert np.cov(np.array(shapely.segmentize(axes, 0.001).exterior.coords).T)[0, 1] == pytest.approx(0, abs=0.02)


def test_the_best_pose_is_the_best_that_shapely_finds():
    sectors = 64
    for seed in range(3):
        a, b = convex(seed), convex(seed + 50)
        said, truth = (radial.radii(radial.shares(v, sectors)) for v in (a, b))
        sides = [shapely.Polygon(x) for x in (a, affinity.scale(shapely.Polygon(a), 1, -1, origin=(0, 0)))]
        every = [
            iou(np.array(affinity.rotate(side, 360 * k / sectors, origin=(0, 0)).exterior.coords), b)
            for side in sides
            for k in range(sectors)
        ]
        assert radial.overlap(radial.aligned(said, truth), truth) == pytest.approx(max(every), abs=0.02)


def test_poses_are_all_turns_of_a_shape_and_of_its_mirror_image():
    table = radial.poses(6)
    assert len({tuple(row) for row in table.tolist()}) == 12
    v = convex(1)
    mirrored = radial.shares((v * [1, -1])[::-1], 6)
    found = radial.shares(v, 6)[table]
    assert np.abs(found - mirrored).max(1).min() < 1e-12
    assert np.abs(found - radial.shares(turned(v, np.pi / 3), 6)).max(1).min() < 1e-12


@few
@given(seeds)
def test_an_outline_has_unit_area_and_nearly_the_shape(seed):
    v = convex(seed)
    drawn = radial.outline(radial.radii(radial.shares(v, 128)))
    assert shapely.Polygon(drawn).area == pytest.approx(1)
    assert iou(drawn, v) > 0.95
    fewer = radial.simplified(drawn, 12)
    assert len(fewer) == 12
    assert shapely.Polygon(fewer).area == pytest.approx(1)
    assert iou(fewer, v) > 0.9


@pytest.mark.parametrize(
    ("vertices", "message"),
    [
        ([[0, 0], [1, 0]], "at least 3 finite"),
        ([[0, 0], [1, np.nan], [1, 1]], "at least 3 finite"),
        ([[0, 0], [1, 1], [2, 2]], "cross or touch"),
        ([[0, 0], [1, 1], [1, 0], [0, 1]], "cross or touch"),
        ([[0, 0], [4, 0], [4, 4], [3.9, 4], [3.9, 0.1], [0, 0.1]], "seen from its centroid"),
    ],
)
def test_what_radii_do_not_describe_is_refused(vertices, message):
    with pytest.raises(ValueError, match=message):
        radial.normalised(np.array(vertices, float))
