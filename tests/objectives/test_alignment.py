"""Distances of aligned curves equal tables that are filled cell by cell."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from tympan.objectives.alignment import dtw, frechet, soft_dtw, warping_path

few = settings(max_examples=60, deadline=None)
curves = st.lists(st.integers(-8, 8).map(lambda i: i / 4), min_size=1, max_size=12).map(np.array)
bands = st.one_of(st.none(), st.integers(0, 13))


@njit
def table(a, b, band=10**6, farthest=False):
    """The last cell of a table whose cells add |a - b| to the least of three predecessors, or take the larger."""
    cells = np.full((len(a) + 1, len(b) + 1), np.inf)
    cells[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            if abs(i - j) <= band:
                cost, least = abs(a[i] - b[j]), min(cells[i, j], cells[i, j + 1], cells[i + 1, j])
                cells[i + 1, j + 1] = max(cost, least) if farthest else cost + least
    return cells[-1, -1]


def paths(n, m, band):
    """Every warping path of a table."""
    if n == m == 1:
        return [[(0, 0)]]
    found = []
    for i, j in ((n - 1, m - 1), (n - 1, m), (n, m - 1)):
        if i and j:
            found += [[*path, (n - 1, m - 1)] for path in paths(i, j, band)]
    return [path for path in found if band is None or all(abs(i - j) <= band for i, j in path)]


def softened(a, b, gamma, band):
    """Soft-DTW and its derivatives, cell by cell (Cuturi & Blondel 2017, algorithms 1 and 2)."""
    cells, share = soft_cells(a, b, gamma, band)
    slope = 2 * share[1:-1, 1:-1] * (a.reshape(-1, 1) - b)
    return cells[-2, -2], slope.sum(1), -slope.sum(0)


@njit
def soft_cells(a, b, gamma, band):
    n = len(a)
    cells = np.full((n + 2, n + 2), np.inf)
    cells[0, 0] = 0
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            if abs(i - j) <= band:
                x, y, z = cells[i - 1, j - 1], cells[i - 1, j], cells[i, j - 1]
                least = min(x, min(y, z))
                total = np.exp((least - x) / gamma) + np.exp((least - y) / gamma) + np.exp((least - z) / gamma)
                cells[i, j] = (a[i - 1] - b[j - 1]) ** 2 + least - gamma * np.log(total)
    share = np.zeros((n + 2, n + 2))
    share[n, n] = 1
    for i in range(n, 0, -1):
        for j in range(n, 0, -1):
            for s, t in ((i + 1, j + 1), (i + 1, j), (i, j + 1)):
                if s <= n and t <= n and abs(s - t) <= band and abs(i - j) <= band:
                    cost = (a[s - 1] - b[t - 1]) ** 2
                    share[i, j] += share[s, t] * np.exp((cells[s, t] - cells[i, j] - cost) / gamma)
    return cells, share


def test_the_oracle_of_soft_dtw_is_the_soft_minimum_over_all_paths():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5))
    for gamma, band in ((1.0, 9), (0.3, 1)):
        costs = np.array([sum((a[i] - b[j]) ** 2 for i, j in path) for path in paths(5, 5, band)])
        assert softened(a, b, gamma, band)[0] == pytest.approx(-gamma * np.log(np.exp(-costs / gamma).sum()))


@few
@given(curves, curves, bands)
def test_dtw_equals_the_table(a, b, band):
    exact = table(a, b, 99 if band is None else band)
    assert dtw(a, b, band) == pytest.approx(exact, abs=1e-9)
    assert dtw(a.astype(np.float32), b.astype(np.float32), band) == pytest.approx(exact, rel=1e-5)
    assert warping_path(a, b, band)[0] == pytest.approx(exact, abs=1e-9)


@few
@given(curves, curves)
def test_frechet_equals_the_table(a, b):
    assert frechet(a, b) == table(a, b, 99, True) == frechet(b, a)
    assert frechet(a, a) == 0
    assert frechet(a, b) >= max(abs(a[0] - b[0]), abs(a[-1] - b[-1]))


@few
@given(curves, curves, bands)
def test_dtw_is_symmetric_zero_for_the_same_and_does_not_see_a_band_that_holds_everything(a, b, band):
    assert dtw(a, b, band) == pytest.approx(dtw(b, a, band), abs=1e-12)
    assert dtw(a, a, band) == 0
    assert dtw(a, b, max(len(a), len(b))) == dtw(a, b)
    assert dtw(a, b, band) >= dtw(a, b) or dtw(a, b, band) == pytest.approx(dtw(a, b))
    assert math.isinf(dtw(a, b, band)) == (band is not None and band < abs(len(a) - len(b)))


def test_of_equally_cheap_paths_the_shortest_gives_the_length():
    rng = np.random.default_rng(0)
    for band in (None, 1, 3):
        for _ in range(20):
            a, b = rng.integers(0, 3, (2, 5)).astype(float)
            every = [(sum(abs(a[i] - b[j]) for i, j in path), len(path)) for path in paths(5, 5, band)]
            assert warping_path(a, b, band) == min(every)


@pytest.mark.parametrize(("n", "m"), [(2000, 2000), (1301, 2000), (2000, 1301)])
def test_long_curves_equal_the_table_too(n, m):
    rng = np.random.default_rng(0)
    for a, b in ((rng.normal(size=n), rng.normal(size=m)), (rng.normal(size=n).cumsum(), rng.normal(size=m).cumsum())):
        exact = table(a, b)
        assert dtw(a, b) == warping_path(a, b)[0] == pytest.approx(exact, rel=1e-12)
        assert dtw(a, b, 800) == warping_path(a, b, 800)[0] == pytest.approx(table(a, b, 800), rel=1e-12)
        assert dtw(a.astype(np.float32), b.astype(np.float32)) == pytest.approx(exact, rel=1e-5)
        assert frechet(a, b) == table(a, b, farthest=True)


@few
@given(
    st.lists(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), max_size=12), min_size=1, max_size=4),
    st.sampled_from([0.001, 0.1, 1.0, 10.0]),
    bands,
)
def test_soft_dtw_of_many_curves_and_its_derivatives_equal_the_table(pairs, gamma, band):
    both = np.array([pair for curve in pairs for pair in curve]).reshape(-1, 2)
    a, b = np.ascontiguousarray(both.T)
    lengths = np.array([len(curve) for curve in pairs])
    values, by_a, by_b = soft_dtw(a, b, lengths, gamma, band)
    assert np.array_equal(values, soft_dtw(a, b, lengths, gamma, band, gradient=False)[0])
    for curve, end in enumerate(np.cumsum(lengths)):
        at = slice(end - lengths[curve], end)
        if at.start == end:
            assert values[curve] == 0
            continue
        exact = softened(a[at], b[at], gamma, 99 if band is None else band)
        for ours, theirs in zip((values[curve], by_a[at], by_b[at]), exact, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("gamma", [0.01, 1.0])
def test_soft_dtw_of_two_thousand_frames_has_the_derivatives_of_the_table(gamma):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2000))
    exact = softened(a, b, gamma, 2000)
    values, by_a, by_b = soft_dtw(a, b, np.array([2000]), gamma)
    assert values[0] == pytest.approx(exact[0], rel=1e-8)
    for ours, theirs in ((by_a, exact[1]), (by_b, exact[2])):
        assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max()


def test_derivatives_of_soft_dtw_are_finite_differences():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 30))
    lengths, step = np.array([12, 18]), 1e-4
    _, by_a, by_b = soft_dtw(a, b, lengths, 0.5, 6)
    for i in range(30):
        bump = step * (np.arange(30) == i)
        by_hand = [
            (soft_dtw(a + s * bump, b + t * bump, lengths, 0.5, 6)[0].sum()
             - soft_dtw(a - s * bump, b - t * bump, lengths, 0.5, 6)[0].sum()) / (2 * step)
            for s, t in ((1, 0), (0, 1))
        ]  # fmt: skip
        assert by_hand == pytest.approx([by_a[i], by_b[i]], abs=1e-5)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_what_is_not_finite_has_no_distance(broken):
    a, b = np.array([0.0, broken, 1.0]), np.zeros(3)
    assert all(math.isnan(figure) for figure in (dtw(a, b), dtw(b, a), frechet(a, b), *warping_path(a, b)))
    values, by_a, by_b = soft_dtw(np.append(b, a), np.append(a, b + 1)[::-1].copy(), np.array([3, 0, 3]), 1.0)
    assert np.isnan(values).tolist() == [False, False, True]
    assert np.isnan(by_a).tolist() == np.isnan(by_b).tolist() == [False] * 3 + [True] * 3


def test_kernels_are_not_compiled_where_they_are_not_used():
    code = "import sys; from tympan.objectives import Metric; Metric.find('dtw')(); print('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
