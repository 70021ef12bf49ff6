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
