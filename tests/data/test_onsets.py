"""Strokes are found when they begin: soft ones, rolls, over noise and over what still rings; silence has none."""

import tracemalloc

import numpy as np
import pytest

from tympan.data.onsets import onsets
from tympan.data.synthesizers.circular_membrane import CircularMembrane
from tympan.data.synthesizers.tom import Tom

RATE = 22050
RINGING = {"sample_rate": RATE, "duration": 1.0, "size": 400, "decay_time": (0.3, 2.0), "high_decay_time": 0.1}


def piece(
    gaps: tuple[float, float] = (0.12, 0.6),
    levels: tuple[float, float] = (-25.0, 0.0),
    noise: float = -60.0,
    count: int = 20,
    seed: int = 0,
    ideal: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Strokes of drums (dB of the loudest) at known times (s), over noise (dB of the peak)."""
    rng = np.random.default_rng(seed)
    source = CircularMembrane(diameter=(0.2, 0.6), **RINGING) if ideal else Tom(seed=seed, **RINGING)
    times = 0.1 + np.cumsum(rng.uniform(*gaps, count))
    sound = np.zeros(round((times[-1] + 1.5) * RATE))
    for i, time in enumerate(times):
        stroke = source[i].waveform[0] * 10 ** (rng.uniform(*levels) / 20)
        sound[round(time * RATE) :][: len(stroke)] += stroke
    sound += rng.standard_normal(len(sound)) * 10 ** (noise / 20) * np.abs(sound).max()
    return sound[None].astype(np.float32), times


def f1(found: list[float], true: np.ndarray, tolerance: float = 0.025) -> float:
    left = list(true)
    for time in found:
        near = min(left, key=lambda t: abs(t - time), default=np.inf)
        if abs(near - time) <= tolerance:
            left.remove(near)
    hits = len(true) - len(left)
    return 2 * hits / (len(found) + len(true))


@pytest.mark.parametrize(
    ("what", "least"),
    [
        ({}, 0.97),
        ({"levels": (-30.0, 0.0)}, 0.95),
        ({"gaps": (0.06, 0.09), "count": 40, "levels": (-10.0, 0.0)}, 0.97),
        ({"noise": -40.0, "levels": (-15.0, 0.0)}, 0.97),
        ({"ideal": True}, 0.97),
    ],
    ids=["usual", "soft", "roll", "noise", "membrane"],
)
def test_strokes_are_found_within_25_ms(what: dict, least: float) -> None:
    scores = [f1(onsets(sound, RATE), times) for sound, times in (piece(seed=seed, **what) for seed in range(3))]
    assert np.mean(scores) >= least


def test_their_times_are_those_of_the_attack() -> None:
    sound, times = piece()
    found = np.array(onsets(sound, RATE))
    errors = [found[np.abs(found - time).argmin()] - time for time in times]
    assert abs(np.median(errors)) < 0.003


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_any_rate_and_a_stroke_at_the_very_start(rate: int) -> None:
    stroke = Tom(sample_rate=rate, decay_time=0.5, high_decay_time=0.1)[0].waveform
    found = onsets(np.concatenate([stroke, stroke], 1), rate)
    assert len(found) == 2
    np.testing.assert_allclose(found, [0, 1], atol=0.005)


def test_silence_noise_and_a_lasting_tone_hold_no_strokes() -> None:
    assert onsets(np.zeros((1, RATE), np.float32), RATE) == []
    assert onsets(np.zeros((1, 5), np.float32), RATE) == []
    rng = np.random.default_rng(0)
    assert len(onsets(rng.standard_normal((1, 5 * RATE)).astype(np.float32), RATE)) <= 1
    tone = np.sin(np.arange(5 * RATE) * 0.05)[None].astype(np.float32)
    assert len(onsets(tone, RATE)) <= 2  # where it begins and where it is cut


def test_it_is_the_same_at_any_loudness() -> None:
    sound, _ = piece()
    np.testing.assert_allclose(onsets(0.01 * sound, RATE), onsets(sound, RATE), atol=1e-9)


def test_a_long_recording_does_not_fill_the_memory() -> None:
    sound = np.random.default_rng(0).standard_normal((1, 120 * RATE)).astype(np.float32)
    tracemalloc.start()
    onsets(sound, RATE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 140e6  # 1.1 MB a second, of which no spectrum
