"""By kac_drumset's convention, waveforms are its published formulas, and differ from physics as the docs say."""

import math

import numpy as np
import pytest
from scipy import special

from tympan.acoustics import modes, upstream
from tympan.acoustics.strike import waveform

RATE, SECONDS, SPEED, DECAY = 48000, 0.3, 100.0, 2.0
SAMPLES = int(RATE * SECONDS)


def published(modes):
    """Sum of A sin(2 pi F k t) exp(d t), d = -k 6 ln 10 / d60, over all modes one by one, and its peak is 1."""
    k, t = 1 / RATE, np.arange(SAMPLES)
    y = np.zeros(SAMPLES)
    for frequency, amplitude in modes:
        y += amplitude * np.sin(2 * math.pi * frequency * k * t)
    y *= np.exp(-k * 6 * math.log(10) / DECAY * t)
    return y / np.abs(y).max()


def bessel(size, r, theta):
    for n in range(10):
        for z in special.jn_zeros(n, 10):
            factor = 1 if n == 0 else math.sqrt(2) * math.sin(n * theta + math.pi / 4)
            yield z * SPEED / size, abs(special.jv(n, z * r) * factor)


def poisson(size, ratio, x, y):
    for n in range(1, 11):
        for m in range(1, 11):
            frequency = math.sqrt(m**2 / ratio + n**2 * ratio) * SPEED / size
            yield (
                frequency,
                abs(math.sin(m * x * math.pi / math.sqrt(ratio)) * math.sin(n * y * math.pi * math.sqrt(ratio))),
            )


def lame(size, u, v, w):
    for n in range(1, 11):
        for m in range(1, 11):
            shape = math.sin(n * u * math.pi) * math.sin(n * v * math.pi) * math.sin(n * w * math.pi)
            yield math.sqrt(m**2 + n**2 + m * n) * SPEED / size, abs(shape)


CASES = [
    *(
        (
            bessel(size, *strike),
            upstream.circle_frequencies(size, SPEED),
            upstream.circle_amplitudes(*strike),
        )
        for size, strike in ((0.1, (0.3, 1.0)), (0.3, (0.0, 0.0)), (0.3, (-0.7, 2.2)), (1.9, (0.9, 3.0)))
    ),
    *(
        (
            poisson(size, ratio, *strike),
            upstream.rectangle_frequencies(size, ratio, SPEED),
            upstream.rectangle_amplitudes(*strike, ratio),
        )
        for size, ratio, strike in ((0.1, 1.0, (0.5, 0.5)), (0.4, 2.5, (0.9, 0.2)), (2.0, 4.0, (1.7, 0.1)))
    ),
    *(
        (
            lame(size, *strike),
            upstream.triangle_frequencies(size, SPEED),
            upstream.triangle_amplitudes(*strike),
        )
        for size, strike in ((0.1, (0.5, 0.5, 0.5)), (0.6, (0.2, 0.7, 0.4)), (2.0, (0.9, 0.8, 0.1)))
    ),
]


@pytest.mark.parametrize(("formula", "frequencies", "amplitudes"), CASES)
def test_waveform_is_that_of_the_published_formula(formula, frequencies, amplitudes):
    truth = published(formula)
    y = upstream.waveform(frequencies, amplitudes, DECAY, SAMPLES, RATE)
    assert y.dtype == np.float64
    assert np.abs(y - truth).max() < 1e-10
    rates = np.full(100, upstream.decay_rate(DECAY))
    fast = waveform(frequencies.ravel(), amplitudes.ravel(), rates, SAMPLES, RATE, aliases=True)
    fast = fast / np.abs(fast).max()
    assert 10 * np.log10((truth**2).sum() / ((fast - truth) ** 2).sum()) > 120


def test_drums_sound_pi_times_twice_and_three_halves_too_high():
    assert upstream.circle_frequencies(0.3, SPEED) == pytest.approx(np.pi * modes.circle_frequencies(0.3, SPEED))
    width, height = 0.3 * math.sqrt(2.5), 0.3 / math.sqrt(2.5)
    rectangle = modes.rectangle_frequencies(width, height, SPEED)
    assert upstream.rectangle_frequencies(0.3, 2.5, SPEED) == pytest.approx(2 * rectangle)
    assert upstream.triangle_frequencies(0.3, SPEED) == pytest.approx(1.5 * modes.triangle_frequencies(0.3, SPEED))
    # What was measured of kac_drumset 2.0: a circle of 0.3 m at 801.6 Hz, a square at 471.4 Hz.
    assert upstream.circle_frequencies(0.3, SPEED)[0, 0] == pytest.approx(801.6, abs=0.1)
    assert upstream.rectangle_frequencies(0.3, 1.0, SPEED)[0, 0] == pytest.approx(471.4, abs=0.1)


def test_a_decay_time_is_that_of_120_db():
    assert math.exp(-upstream.decay_rate(2.0) * 2.0) == pytest.approx(10**-6)


def test_a_mode_above_half_the_sample_rate_folds_down():
    one = np.full(1, 30000.0)
    y = upstream.waveform(one, np.ones(1), 2.0, 4800, RATE)
    power = np.abs(np.fft.rfft(y))
    assert np.argmax(power) * RATE / 4800 == pytest.approx(18000)
