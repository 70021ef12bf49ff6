"""Signals count frames, and lengths are seconds or samples."""

import pytest
from pydantic import TypeAdapter, ValidationError

from tympan.signals import Length, Signal, check_channels, samples, seconds


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
