"""Signals count frames, lengths are seconds or samples, and a resampled signal stays in its place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tympan.signals import Length, Signal, check_channels, resample, samples, seconds


@pytest.mark.parametrize(("rate", "duration", "frames"), [(16000.0, 1.5, 24000), (4.0, 38.0, 152), (None, 10.0, 1)])
def test_frames_follow_from_rate_and_duration(rate: float | None, duration: float, frames: int) -> None:
    assert Signal(("x",), rate, duration).frames == frames


def test_a_length_is_seconds_or_samples() -> None:
    length = TypeAdapter(Length)
    assert samples(length.validate_python("400 samples"), 44100) == 400
    assert samples(length.validate_python(0.025), 16000) == 400
    assert seconds(length.validate_python("400 samples"), 16000) == 0.025
    assert seconds(0.025, 16000) == 0.025


@pytest.mark.parametrize("bad", ["400", "0 samples", "4.5 samples", "ten samples", 0, -1.0, float("nan"), float("inf")])
def test_no_other_length_is_taken(bad: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Length).validate_python(bad)


def test_a_sound_with_other_channels_is_refused_by_name() -> None:
    stereo = Signal(("left", "right"), 8000.0, 1.0)
    check_channels(2, stereo, "a.wav")
    with pytest.raises(ValueError, match=r"a\.wav has 1 channel, and 2 are heard \(left, right\); give one with 2"):
        check_channels(1, stereo, "a.wav")
    with pytest.raises(ValueError, match=r"a\.wav has 3 channels, and 1 is heard"):
        check_channels(3, Signal(("mono",), 8000.0, 1.0), "a.wav")


RATES = [(50.0, 4.0), (4.0, 50.0), (4.0, 44100 / 512), (44100 / 512, 4.0), (3.0, 7.0), (49.97, 4.0)]


@pytest.mark.parametrize(("old", "new"), RATES)
def test_a_resampled_sine_on_a_line_is_that_of_its_new_times(old: float, new: float) -> None:
    def signal(rate: float, frames: int) -> np.ndarray:
        t = np.arange(frames) / rate
        return np.sin(2 * np.pi * 0.3 * min(old, new) * t + 0.3) + 5 + 0.1 * t

    x = signal(old, round(60 * old))
    y = resample(x, old, new)
    assert len(y) == np.sum(np.arange(100 * 60) / new < len(x) / old)
    inner = slice(round(8 * new), -round(8 * new))
    np.testing.assert_allclose(y[inner], signal(new, len(y))[inner], atol=2e-4)


@pytest.mark.parametrize(("old", "new"), RATES)
def test_an_impulse_stays_at_its_second(old: float, new: float) -> None:
    x = np.zeros(round(60 * old))
    x[len(x) // 2] = 1.0
    y = resample(x, old, new)
    assert np.sum(y * np.arange(len(y)) / new) / np.sum(y) == pytest.approx(len(x) // 2 / old, abs=1e-3)
    assert np.sum(y) / new == pytest.approx(1 / old, rel=1e-3)


@pytest.mark.parametrize(("old", "new"), RATES)
@pytest.mark.parametrize("frames", [1, 2, 3, 40])
def test_a_line_is_resampled_to_its_very_ends(old: float, new: float, frames: int) -> None:
    slope = 0.2 * (frames > 1)
    y = resample(3 + slope * np.arange(frames) / old, old, new)
    np.testing.assert_allclose(y, 3 + slope * np.arange(len(y)) / new, atol=1e-3)


def test_what_the_new_rate_cannot_hold_is_filtered_out_and_not_folded_down() -> None:
    t = np.arange(3000) / 50
    y = resample(np.sin(2 * np.pi * 3.8 * t), 50.0, 4.0)  # would fold to 0.2 Hz
    assert np.abs(y[40:-40]).max() < 1e-3


@pytest.mark.parametrize(("old", "new"), RATES)
def test_a_gap_stays_where_it_is(old: float, new: float) -> None:
    x = np.ones(round(60 * old))
    t = np.arange(len(x)) / old
    x[(t >= 20) & (t < 30)] = np.nan
    y = resample(x, old, new)
    u, edge = np.arange(len(y)) / new, 0.5 / old + 0.5 / new
    assert np.isnan(y[(u > 20 + edge) & (u < 30 - edge)]).all()
    np.testing.assert_allclose(y[(u < 20 - edge) | (u > 30 + edge)], 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(RATES))
def test_a_band_limited_signal_survives_the_way_there_and_back(seed: int, rates: tuple[float, float]) -> None:
    old, new = rates
    rng, t = np.random.default_rng(seed), np.arange(round(60 * old)) / old
    waves = zip(rng.uniform(0, 0.3 * min(rates), 5), rng.uniform(0, 7, 5), rng.normal(size=5), strict=True)
    x = np.sum([a * np.cos(2 * np.pi * f * t + p) for f, p, a in waves], 0)
    back = resample(resample(x, old, new), new, old)[: len(x)]
    inner = slice(round(15 * old), -round(15 * old))
    np.testing.assert_allclose(back[inner], x[inner], atol=1e-3)


@pytest.mark.parametrize("x", [np.empty(0), np.full(7, np.nan), np.arange(5.0)])
def test_nothing_unknown_and_the_same_rate_stay_what_they_are(x: np.ndarray) -> None:
    np.testing.assert_array_equal(resample(x, 4.0, 4.0), x)
    assert len(resample(x, 4.0, 50.0)) == np.ceil(len(x) * 12.5)
    assert np.isnan(resample(x, 4.0, 50.0)).all() == np.isnan(x).all()


@pytest.mark.parametrize("rate", [0.0, -4.0, float("nan"), float("inf")])
def test_a_rate_that_is_not_positive_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="both rates must be positive"):
        resample(np.ones(5), 4.0, rate)
