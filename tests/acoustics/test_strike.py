"""A strike sounds as the sum of its modes, loses 60 dB in time, and never aliases."""

import numpy as np
import pytest

from tympan.acoustics import modes, strike
from tympan.acoustics.inverse import fundamental

RATE = 48000


def drum(diameter=0.3, r=0.3, theta=0.7, decay_time=2.0, high_decay_time=None, width=0.0):
    f = modes.circle_frequencies(diameter, 100.0).ravel()
    struck, heard = modes.circle_shapes(r, theta)[0].ravel(), modes.circle_shapes(0.5, 0.0)[0].ravel()
    return f, strike.amplitudes(f, struck, heard, 100.0, width), strike.decay_rates(f, decay_time, high_decay_time)


def snr(truth, heard):
    return 10 * np.log10((truth**2).sum() / ((truth - heard) ** 2).sum())


@pytest.mark.parametrize("samples", [2, 3, 1000, 1024, 48000])
def test_blocks_equal_the_direct_sum(samples):
    fast = strike.waveform(*drum(), samples, RATE)
    assert fast.dtype == np.float32 and fast.shape == (samples,)
    assert snr(strike.waveform_direct(*drum(), samples, RATE), fast) > 120


def hard(rng):
    """Modes, amplitudes, rates, samples and a sample rate, from one mode to a thousand, from one sample to 10 s."""
    count = int(np.exp(rng.uniform(0, np.log(1000))))
    samples = 1 + int(np.exp(rng.uniform(0, np.log(min(480000, 2e6 / count)))))
    sample_rate = int(rng.choice([8000, 48000, 96000]))
    f = np.maximum(rng.random(count) ** rng.choice([1, 3]) * sample_rate / 2, 1)
    return f, rng.normal(0, 1, count) / f ** rng.choice([0, 1]), 10 ** rng.uniform(-1, 4, count), samples, sample_rate


@pytest.mark.parametrize("seed", range(40))
def test_blocks_equal_the_direct_sum_in_hard_cases(seed):
    case = hard(np.random.default_rng(seed))
    assert snr(strike.waveform_direct(*case), strike.waveform(*case)) > 120


@pytest.mark.parametrize(("count", "rate"), [(10, 2e4), (100, 2e4), (1000, 1e3), (1000, 0.0), (3, 3.0)])
@pytest.mark.parametrize("samples", [2, 100, 6000])
def test_blocks_equal_the_direct_sum_where_modes_nearly_cancel(count, rate, samples):
    n = np.arange(1, count + 1)
    case = 20.0 * n, (-1.0) ** n / n, np.full(count, rate), samples, RATE  # a saw, almost silent at first
    assert snr(strike.waveform_direct(*case), strike.waveform(*case)) > 120


def test_blocks_equal_the_direct_sum_of_10_s():
    f, a, rates = (x[:12] for x in drum(diameter=0.1, decay_time=20.0))
    case = f, a, rates, 10 * RATE, RATE
    assert snr(strike.waveform_direct(*case), strike.waveform(*case)) > 120


@pytest.mark.parametrize("samples", [1, 2])
def test_a_blow_begins_at_rest(samples):
    assert strike.waveform(*drum(), samples, RATE)[0] == 0


def test_with_aliases_a_mode_folds_down():
    one = np.ones(1)
    folded, low = (strike.waveform(f * one, one, 0 * one, 800, 8000, aliases=True) for f in (5000, 3000))
    assert folded == pytest.approx(-low, abs=1e-5) and np.abs(low).max() > 0.9
    assert strike.waveform_direct(5000 * one, one, 0 * one, 800, 8000, aliases=True) == pytest.approx(folded, abs=1e-5)


def test_modes_from_half_the_rate_on_are_dropped():
    # The same drum at a double rate holds more modes; what is below half the lower rate must agree.
    f, a, rates = drum(diameter=0.05, r=0.6)
    assert f.max() > 12000 > f.min()
    double = strike.waveform_direct(f, a, rates, 24000, 48000)
    below = f < 12000
    kept = strike.waveform_direct(f[below], a[below], rates[below], 24000, 48000)
    assert snr(double, kept) < 60  # there was something to drop
    assert snr(kept[::2], strike.waveform(f, a, rates, 12000, 24000)) > 120


def test_nothing_at_exactly_half_the_rate():
    one = np.ones(1)
    assert not strike.waveform(4000 * one, one, 0 * one, 64, 8000).any()


def test_level_falls_by_60_db_in_decay_time():
    f, a, rates = drum(decay_time=0.5)
    x = strike.waveform(f, a, rates, RATE, RATE)
    early, late = (np.sqrt(np.mean(x[i : i + 4800] ** 2)) for i in (4800, 4800 + RATE // 2))
    assert 20 * np.log10(early / late) == pytest.approx(60, abs=0.5)


def test_high_modes_can_decay_faster():
    rates = strike.decay_rates(np.array([0.0, 1000.0, 2000.0]), 2.0, 0.5)
    times = 3 * np.log(10) / rates
    assert times[:2] == pytest.approx([2.0, 0.5])
    assert times[2] < 0.5
    assert np.ptp(strike.decay_rates(np.array([0.0, 1000.0]), 2.0)) == 0


def test_a_wide_strike_is_the_mean_over_its_area():
    side, centre, width = 0.5, (0.21, 0.27), 0.1
    node, weight = np.polynomial.legendre.leggauss(40)
    rho, angle = (node + 1) / 2 * width / 2, np.arange(48) * 2 * np.pi / 48
    bump = weight * rho * (1 + np.cos(2 * np.pi * rho / width))
    points = [
        [
            modes.rectangle_shapes((centre[0] + p * np.cos(t)) / side, (centre[1] + p * np.sin(t)) / side, 5, 5)
            for t in angle
        ]
        for p in rho
    ]
    mean = np.tensordot(bump / bump.sum(), np.mean(points, 1), 1)
    point = modes.rectangle_shapes(centre[0] / side, centre[1] / side, 5, 5)
    k = 2 * np.pi * modes.rectangle_frequencies(side, side, 100.0, 5, 5) / 100.0
    assert point * strike.spread(k, width) == pytest.approx(mean, abs=1e-9)
    assert strike.spread(k, 0.0) == pytest.approx(1.0)


def test_a_wide_strike_of_a_string_is_the_mean_over_its_length():
    length, centre, width = 0.65, 0.2, 0.13
    node, weight = np.polynomial.legendre.leggauss(60)
    bump = weight * (1 + np.cos(np.pi * node))
    mean = bump / bump.sum() @ modes.string_shapes((centre + node * width / 2) / length, 20)
    k = np.arange(1, 21) * np.pi / length
    assert modes.string_shapes(centre / length, 20) * strike.string_spread(k, width) == pytest.approx(mean, abs=1e-12)
    assert 2 * np.pi / width in k  # where the formula is a limit
    assert strike.string_spread(k, 0.0) == pytest.approx(1.0)


def test_scaling_to_a_peak_keeps_the_precision():
    x = np.random.default_rng(0).normal(size=100)
    assert np.abs(strike.to_peak(x, 1.0) - x / np.abs(x).max()).max() < 1e-15
    assert strike.to_peak(x.astype(np.float32), 1.0).dtype == np.float32


def test_a_strike_in_the_centre_moves_no_mode_with_a_diameter_at_rest():
    _, a, _ = drum(r=0.0)
    a = a.reshape(10, 10)
    assert np.abs(a[0]).min() > 0 and not a[1:].any()


@pytest.mark.parametrize("diameter", [0.1, 0.3, 0.8, 1.4])
@pytest.mark.parametrize("samples", [1024, 12000])
def test_pitch_is_heard_again(diameter, samples):
    f, a, rates = drum(diameter, r=0.55, theta=1.2)
    ratios = (modes.bessel_zeros(10, 10) / modes.bessel_zeros(1, 1)).ravel()
    weights = np.abs(modes.circle_shapes(0.5, 0.0)[0].ravel()) / ratios
    heard = fundamental(strike.waveform(f, a, rates, samples, RATE), RATE, ratios, weights, rates[0])
    assert heard == pytest.approx(f[0], rel=0.01)


def test_silence_has_no_pitch():
    assert np.isnan(fundamental(np.zeros(100, np.float32), 8000, np.ones(1), np.ones(1), 0.0))


def test_what_only_rounding_left_is_silence():
    f = np.array([100.0, 200.0])
    y = strike.waveform(f, np.ones(2), strike.decay_rates(f, 1.5e-6), 10, 48000)
    assert 0 < np.abs(y).max() < 1e-38
    assert not strike.to_peak(y, 1.0).any()
