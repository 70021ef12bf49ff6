"""Silence at both ends is cut off by its level, alike in training and in prediction."""

import numpy as np
import pytest
import soundfile

from runs_helpers import run_of
from tympan.data import Source
from tympan.data.crop import trimmed
from tympan.data.split import Parts
from tympan.runs.prepare import prepare
from tympan.serving.answer import embed
from tympan.serving.listening import Listening

RATE = 8000


def quiet(seconds: float, level: float = -60.0) -> np.ndarray:
    """Noise of a level in dB below the speech."""
    rng = np.random.default_rng(round(1000 * seconds))
    return 10 ** (level / 20) * 0.35 * rng.standard_normal(round(seconds * RATE))


def speech(seconds: float = 0.4) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 200 * np.arange(round(seconds * RATE)) / RATE)


def joined(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts).astype(np.float32)[None]


def test_what_sounds_is_left_with_50_ms_on_both_sides():
    whole = joined(quiet(0.3), speech(), quiet(0.6))
    begin, sound = trimmed(whole, RATE, 40.0)
    assert (begin, sound.shape[1]) == (0.25 * RATE, 0.5 * RATE)
    assert np.array_equal(sound, whole[:, begin : begin + sound.shape[1]])


@pytest.mark.parametrize(("below", "seconds"), [(20.0, 0.5), (40.0, 0.7)])
def test_how_quiet_the_ends_may_be_is_what_is_asked(below, seconds):
    """A murmur 30 dB below the speech follows it for 0.2 s."""
    _, sound = trimmed(joined(quiet(0.3), speech(), quiet(0.2, -30.0), quiet(0.6)), RATE, below)
    assert sound.shape[1] == seconds * RATE


def test_pauses_within_stay_and_ends_that_sound_lose_nothing():
    whole = joined(speech(), quiet(0.5), speech())
    assert trimmed(whole, RATE, 40.0)[1].shape == whole.shape
    close = joined(quiet(0.03), speech(), quiet(0.04))
    assert trimmed(close, RATE, 40.0) == (0, pytest.approx(close)), "nothing is before the recording"


@pytest.mark.parametrize("whole", [joined(quiet(0.3), speech()), np.zeros((1, 800), np.float32), joined(speech(0.015))])
def test_nothing_is_cut_unasked_of_silence_or_of_less_than_two_pieces(whole):
    below = None if whole.shape[1] > 800 else 40.0
    begin, sound = trimmed(whole, RATE, below)
    assert begin == 0 and np.array_equal(sound, whole)


def test_what_was_trimmed_is_not_trimmed_further_and_what_is_in_one_channel_alone_stays():
    rest = np.zeros(37)  # no whole piece
    whole = joined(quiet(0.3), speech(), quiet(0.603), speech(0.05) / 30, quiet(0.2), rest)
    _, once = trimmed(whole, RATE, 35.0)
    assert once.shape[1] < whole.shape[1]
    again = trimmed(once, RATE, 35.0)
    assert again[0] == 0 and np.array_equal(again[1], once)
    left, right = joined(quiet(0.2), speech(), quiet(0.6)), joined(quiet(0.8), speech())
    begin, both = trimmed(np.concatenate([left, right]), RATE, 40.0)
    assert begin == 0.15 * RATE and both.shape == (2, 1.05 * RATE)


@pytest.fixture
def table(tmp_path):
    """One recording with 0.3 s of quiet before, and what is left of it beside it."""
    whole = joined(quiet(0.3), speech(), quiet(0.3))
    soundfile.write(tmp_path / "whole.wav", whole[0], RATE, "FLOAT")
    soundfile.write(tmp_path / "left.wav", whole[0, 2000:6000], RATE, "FLOAT")
    (tmp_path / "table.csv").write_text("path,tempo\nwhole.wav,100\nleft.wav,120\n")
    return {
        "type": "manifest",
        "path": str(tmp_path / "table.csv"),
        "value_units": {"tempo": "bpm"},
        "sample_rate": RATE,
        "duration": 0.25,
        "trim": 40.0,
    }


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("crop", ["start", "random", "all", "onset"])
def test_a_clip_is_of_the_sound_that_is_left(table, crop, cached):
    source = Source.model_validate({**table, "crop": crop, "cache": cached})
    whole = source[0].waveform
    assert whole.shape[1] == RATE, "a whole recording is as it is"
    for epoch in range(3):
        clip = source.clip(0, epoch, 1)
        begin = round(clip.start * RATE)
        assert begin >= 2000 and begin + 2000 <= 6000
        assert np.array_equal(clip.waveform, whole[:, begin : begin + 2000])
        assert crop != "start" or begin == 2000
        assert crop != "onset" or begin == pytest.approx(2400, abs=16)


def test_a_model_hears_at_prediction_what_it_heard_in_training(table, tmp_path):
    data = {**table, "crop": "all"}
    run = run_of(tmp_path, data=data, target={"type": "continuous", "quantities": {"tempo": "bpm"}})
    prepared = prepare(run, Parts([0, 1], [], []))
    artifact = prepared.artifact(prepared.pipeline())
    assert artifact.config.audio == Listening.of(run.data) and artifact.config.audio.trim == 40.0
    of = {name: list(embed(artifact, [str(tmp_path / f"{name}.wav")])) for name in ("whole", "left")}
    assert [row["start"] for row in of["whole"]] == [0.25, 0.375, 0.5]
    assert [row["start"] for row in of["left"]] == [0.0, 0.125, 0.25]
    for a, b in zip(of["whole"], of["left"], strict=True):
        np.testing.assert_allclose(a["vector"], b["vector"], rtol=1e-6)
