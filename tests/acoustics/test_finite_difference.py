"""Finite differences sound at the frequencies of theory, keep their energy, and refuse what would explode."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse.linalg import eigsh

from tympan.acoustics import modes, strike
from tympan.acoustics.finite_difference import Scheme, batch, finest_spacing, longest_step, waveform
from tympan.acoustics.grid import Grid
from tympan.acoustics.shapes import Circle, Ellipse, Polygon, Rectangle

RATE, SPEED = 48000, 100.0
FINEST = finest_spacing(SPEED, 1 / RATE)
L_SHAPE = Polygon(np.array([[-1.0, -1], [1, -1], [1, 0], [0, 0], [0, 1], [-1, 1]]))


def frequencies(scheme, count=10):
    """The lowest frequencies of the scheme itself (Hz): 4 sin²(w k / 2) is an eigenvalue of its operator."""
    grid, kept = scheme.grid, np.flatnonzero(scheme.grid.inside)
    columns, size = grid.inside.shape[1], grid.inside.size
    arms = sparse.diags_array([1.0] * 4, offsets=[1, -1, columns, -columns], shape=(size, size))
    parted = sparse.coo_array((np.ones(len(grid.parted)), tuple(grid.parted.T)), shape=(size, size))
    stiffness = (sparse.diags_array(4 + grid.edge.ravel()) - arms + parted).tocsr()[kept][:, kept].tocsc()
    mass = sparse.diags_array(scheme.mass.ravel()[kept]).tocsc()
    found = eigsh(stiffness, min(count, len(kept) - 1), mass, sigma=0, return_eigenvectors=False)
    return np.sort(np.arcsin(np.sqrt(found) * scheme.courant / 2)) / (np.pi * scheme.step)


def theory(shape, count=10):
    """The lowest frequencies of an ideal membrane in closed form (Hz)."""
    if isinstance(shape, Circle):
        f = modes.circle_frequencies(shape.diameter, SPEED)
        return np.sort(np.concatenate([f[0], f[1:].ravel(), f[1:].ravel()]))[:count]
    return np.sort(modes.rectangle_frequencies(shape.width, shape.height, SPEED).ravel())[:count]


def errors(shape, points, part=1.0):
    """Relative errors of the lowest ten frequencies, at so many points along the root of the area."""
    spacing = np.sqrt(shape.area) / points
    return frequencies(Scheme(Grid.of(shape, spacing), SPEED, part * longest_step(SPEED, spacing))) / theory(shape) - 1


def square(side, at, count=40):
    return modes.rectangle_shapes(at[0] / side + 0.5, at[1] / side + 0.5, count, count).ravel()


def error(truth, heard):
    return np.sqrt(((truth - heard) ** 2).sum() / (truth**2).sum())


@pytest.mark.parametrize("part", [1.0, 0.5])
@pytest.mark.parametrize("shape", [Circle(0.3), Rectangle(0.3, 0.3), Rectangle(0.31, 0.17)])
def test_the_lowest_ten_modes_are_those_of_theory_and_errors_shrink_with_the_square_of_the_spacing(shape, part):
    coarse, fine = errors(shape, 34, part), errors(shape, 68, part)
    assert np.abs(coarse).max() < 0.006 and np.abs(coarse[0]) < 0.0005
    assert np.abs(coarse).max() / np.abs(fine).max() > 3.2


@settings(max_examples=10, deadline=None)
@given(points=st.floats(20, 40), aspect=st.floats(1, 3))
def test_no_place_of_the_edge_between_points_is_bad(points, aspect):
    assert np.abs(errors(Rectangle(0.3 * aspect, 0.3), points)[:3]).max() < 0.005


def test_a_re_entrant_corner_is_heard():
    spacing = np.sqrt(3) / 100
    f = frequencies(Scheme(Grid.of(L_SHAPE, spacing), SPEED, longest_step(SPEED, spacing)), 3)
    # Eigenvalues of the Laplacian: Betcke & Trefethen, SIAM Review 47 (2005).
    truth = np.sqrt([9.6397238440219, 15.1972519264, 2 * np.pi**2]) * SPEED / (2 * np.pi)
    assert f == pytest.approx(truth, rel=0.005) and f[1:] == pytest.approx(truth[1:], rel=0.001)


def test_a_slit_between_the_points_is_heard():
    """A square with a slit to its centre, from left, between two rows: modes 1 and 2 are those of no square."""
    side, width = 0.3, 1e-4
    slit = [[0.0, width / 2], [-0.5, width / 2], [-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [-0.5, width]]
    shape = Polygon(np.array(slit)).scaled(side)
    found = {}
    for points in (40, 80, 160):
        spacing = side / points * 0.987  # the slit lies between rows
        grid = Grid.of(shape, spacing)
        assert len(grid.parted) == pytest.approx(points, abs=6)  # half as many arms, both ways round
        found[points] = frequencies(Scheme(grid, SPEED, longest_step(SPEED, spacing)), 3)
    # The square root at the slit's end leaves errors that shrink with the spacing, here twofold each time.
    limit = 2 * found[160] - found[80]
    assert np.abs(found[80] / limit - 1).max() < 0.01
    assert found[80][0] > 1.2 * theory(Rectangle(side, side))[0]


def test_a_square_drum_sounds_nearer_to_theory_than_with_a_staircase():
    x = waveform(Grid.of(Rectangle(0.3, 0.3), FINEST), SPEED, (0.0, 0.0), (0.01, 0.02), RATE, RATE, width=0.1)
    power = np.abs(np.fft.rfft(x * np.hanning(RATE), 8 * RATE))
    heard, truth = np.argmax(power) / 8, SPEED / 0.3 / np.sqrt(2)
    assert abs(heard - truth) < 0.1  # a published staircase of this spacing sounds at 233.4 Hz instead of 235.7


@pytest.mark.parametrize("fine", [1, 2, 3])
def test_low_modes_sound_as_their_sum(fine):
    side, at, heard, width = 0.3, (-0.03, 0.02), (0.041, 0.033), 0.2
    grid = Grid.of(Rectangle(side, side), FINEST / fine)
    x = waveform(grid, SPEED, at, heard, 4800, RATE, width=width, decay_time=0.5)
    f = modes.rectangle_frequencies(side, side, SPEED, 40, 40).ravel()
    a = strike.amplitudes(f, square(side, at), square(side, heard), SPEED, width) / (2 * np.pi * side**2)
    truth = strike.waveform_direct(f, a, strike.decay_rates(f, 0.5), 4800, RATE)
    assert x.shape == (4800,) and x.dtype == np.float32
    assert error(truth, x) < 0.01


def test_a_string_sounds_as_the_sum_of_its_modes():
    length, speed, at, heard, width = 0.65, 200.0, 0.2, 0.31, 0.05
    grid = Grid.of_string(length, finest_spacing(speed, 1 / RATE, dimensions=1))
    scheme = Scheme(grid, speed, 1 / RATE)
    assert frequencies(scheme) == pytest.approx(np.arange(1, 11) * speed / 2 / length, rel=1e-4)
    n, offset = np.arange(1, 200)[:, None], np.linspace(-width / 2, width / 2, 999)
    bump = 1 + np.cos(2 * np.pi * offset / width)
    struck = np.sin(np.pi * n * (at + offset) / length) @ bump / bump.sum()
    f = n[:, 0] * speed / 2 / length
    a = struck * np.sin(np.pi * n[:, 0] * heard / length) / (np.pi * f * length)
    truth = strike.waveform_direct(f, a, strike.decay_rates(f, 0.5), 9600, RATE)
    x = waveform(grid, speed, (at, 0.0), (heard, 0.0), 9600, RATE, width=width, decay_time=0.5)
    assert error(truth, x) < 0.01


masks = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random((9, 11)) < 0.7)


@settings(max_examples=20, deadline=None)
@given(mask=masks, seed=st.integers(0, 999), losses=st.sampled_from([(np.inf, None), (0.05, None), (0.05, 0.01)]))
def test_energy_is_kept_without_losses_and_never_grows_with_them(mask, seed, losses):
    mask[4, 5] = True
    rng, plain = np.random.default_rng(seed), Grid.of_mask(mask, 0.01)
    held = rng.exponential(2, plain.inside.shape) ** 3 * (rng.random(plain.inside.shape) < 0.5) * plain.inside
    beside = np.flatnonzero(plain.inside & np.roll(plain.inside, -1, 1) & (rng.random(held.shape) < 0.2))
    parted = np.concatenate([np.stack([beside, beside + 1], 1), np.stack([beside + 1, beside], 1)])
    grid = Grid(0.01, plain.origin, plain.inside, held, parted)
    at_rest = Scheme(grid, SPEED, 1e-9, *losses)  # only to know the viscosity
    scheme = Scheme(grid, SPEED, longest_step(SPEED, 0.01, at_rest.viscosity), *losses)
    u = rng.normal(size=held.shape) * grid.inside
    moved = rng.normal(size=held.shape) * grid.inside
    energies = [scheme.energy(u, moved)]
    for _ in range(30):
        _, u, moved = scheme.run(u, moved, (0.05, 0.04), 7, np.float64)
        energies.append(scheme.energy(u, moved))
    assert min(energies) >= 0 and np.diff(energies).max() <= 1e-12 * energies[0]
    assert np.isinf(losses[0]) == (energies[-1] == pytest.approx(energies[0], rel=1e-12))


@pytest.mark.parametrize(("decay", "high", "dimensions"), [(np.inf, None, 2), (1.0, None, 1), (1.0, 0.1, 2)])
def test_a_courant_number_above_the_limit_is_refused(decay, high, dimensions):
    step = 1 / RATE
    viscosity = Scheme(Grid.of_mask(np.ones((1, 1), bool), 1.0), SPEED, step, decay, high).viscosity
    limit = finest_spacing(SPEED, step, viscosity, dimensions)
    assert longest_step(SPEED, limit, viscosity, dimensions) == pytest.approx(step)
    assert SPEED * step / limit == pytest.approx(dimensions**-0.5) or high
    inside = np.pad(np.ones((1, 9), bool), 1)
    edge = -2.0 * inside if dimensions == 1 else 0.0 * inside
    Scheme(Grid(limit, (0.0, 0.0), inside, edge, dimensions=dimensions), SPEED, step, decay, high)
    with pytest.raises(ValueError, match=r"Courant number .* above the stability limit .* spacing of at least"):
        Scheme(Grid(0.999 * limit, (0.0, 0.0), inside, edge, dimensions=dimensions), SPEED, step, decay, high)


def test_above_the_limit_it_would_explode():
    grid = Grid.of_mask(np.ones((20, 20), bool), 0.01)
    scheme = Scheme(grid, SPEED, longest_step(SPEED, 0.01))
    object.__setattr__(scheme, "step", 1.02 * scheme.step)
    blow = scheme.struck((0.1, 0.1))
    assert np.abs(scheme.run(blow, blow, (0.05, 0.1), 200)[0]).max() > 1e6 * np.abs(blow).max()


def test_on_a_mask_it_is_the_textbook_recursion():
    """u+ = c0 (neighbours) + c1 u - c2 u-, with c0 = λ²/(1+δ), c1 = (2-4λ²)/(1+δ), c2 = (1-δ)/(1+δ)."""
    rng = np.random.default_rng(0)
    grid = Grid.of_mask(rng.random((12, 15)) < 0.8, FINEST)
    scheme = Scheme(grid, SPEED, 1 / RATE, 0.02)
    delta = 3 * np.log(10) / 0.02 / RATE
    before = rng.normal(size=grid.inside.shape) * grid.inside
    now = rng.normal(size=grid.inside.shape) * grid.inside
    _, ours, moved = scheme.run(now, now - before, np.argwhere(grid.inside)[9][::-1] * FINEST - FINEST, 25, np.float64)
    for _ in range(25):
        neighbours = sum(np.roll(now, side, axis) for axis in (0, 1) for side in (-1, 1))
        after = (0.5 * neighbours + (2 - 4 * 0.5) * now - (1 - delta) * before) / (1 + delta) * grid.inside
        before, now = now, after
    assert ours == pytest.approx(now, abs=1e-10) and moved == pytest.approx(now - before, abs=1e-10)


@pytest.mark.parametrize("shape", [Circle(0.3), Ellipse(0.4, 0.2), L_SHAPE.scaled(0.15)])
def test_single_precision_agrees_with_double_for_a_second(shape):
    scheme = Scheme(Grid.of(shape, FINEST), SPEED, 1 / RATE, 2.0)
    blow = scheme.struck((-0.03, -0.02), 0.04)
    single, double = (scheme.run(blow, blow, (-0.02, -0.04), RATE, kind)[0] for kind in (np.float32, np.float64))
    assert single.dtype == np.float32 and double.dtype == np.float64
    assert error(double, single) < 10 ** (-95 / 20)


@pytest.mark.parametrize("high", [None, 0.1])
def test_level_falls_by_60_db_in_decay_time_and_faster_at_1_khz(high):
    side = SPEED / np.sqrt(2) / 1000  # its lowest mode is at 1 kHz
    x = waveform(
        Grid.of(Rectangle(side, side), side / 30),
        SPEED, (0.0, 0.0), (0.01, 0.0), 12000, RATE, width=side, decay_time=0.4, high_decay_time=high,
    )  # fmt: skip
    early, late = (np.sqrt(np.mean(x[i : i + 960] ** 2)) for i in (0, 9600))
    assert 20 * np.log10(early / late) == pytest.approx(60 * 0.2 / (high or 0.4), rel=0.02)


def test_nothing_above_half_the_rate_is_folded_and_nothing_rings_before_the_blow():
    drum = {"speed": SPEED, "strike": (0.0, 0.0), "listening": (0.1, 0.0), "decay_time": 1.0}
    x = waveform(Grid.of(Circle(0.3), FINEST / 2), samples=4800, sample_rate=RATE, **drum)
    twice = waveform(Grid.of(Circle(0.3), FINEST / 2), samples=9600, sample_rate=2 * RATE, **drum)
    spectra = np.abs(np.fft.rfft(x * np.hanning(4800))), np.abs(np.fft.rfft(twice * np.hanning(9600))) / 2
    low = slice(0, 1900)  # to 19 kHz
    assert error(spectra[1][low], spectra[0][low]) < 1e-3
    assert np.abs(x[:30]).max() < 1e-3 * np.abs(x).max()  # the wave needs 48 samples to arrive


def test_a_batch_on_threads_is_each_drum_alone():
    drums = [
        {"grid": Grid.of(Circle(d), FINEST), "speed": SPEED, "strike": (0.0, 0.01), "listening": (0.02, 0.0),
         "samples": 500, "sample_rate": RATE}
        for d in (0.1, 0.15, 0.2)
    ]  # fmt: skip
    for alone, together in zip([waveform(**drum) for drum in drums], batch(drums, 2), strict=True):
        assert np.array_equal(alone, together)


def test_silence_follows_the_last_of_a_short_sound():
    x = waveform(Grid.of(Circle(0.1), FINEST), SPEED, (0.0, 0.0), (0.02, 0.0), 9600, RATE, decay_time=0.01)
    assert np.abs(x[4700:4800]).max() < 1e-25 * np.abs(x).max() and not x[4810:].any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Grid.of(Polygon(np.array([[0.0, 0], [1, 0.99], [1, 1]])), 0.3), "smaller spacing"),
        (lambda: Grid(0.1, (0.0, 0.0), np.ones((3, 3), bool), np.zeros((3, 3))), "border"),
        (lambda: waveform(Grid.of(Circle(0.1), 0.01), SPEED, (0.2, 0.0), (0.0, 0.0), 9, RATE), "a strike at"),
        (lambda: waveform(Grid.of(Circle(0.1), 0.01), SPEED, (0.0, 0.0), (0.2, 0.0), 9, RATE), "nothing moves at"),
        (lambda: Scheme(Grid.of(Circle(0.1), 0.01), SPEED, 1 / RATE, 1.0, 2.0), "cannot ring longer"),
    ],
)
def test_what_cannot_sound_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("spacing", [0.0, -0.1, np.nan, np.inf])
def test_a_spacing_is_above_zero(spacing):
    with pytest.raises(ValueError, match="spacing"):
        Grid.of(Circle(0.3), spacing)
