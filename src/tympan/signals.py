"""Named channels at a rate: the description that every stage shares, and lengths of time."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Signal:
    """What a `(batch, channels, frames)` tensor means.

    A waveform is one channel at 16,000 Hz; a log-mel spectrogram 80 channels at 100 Hz; skin conductance one channel
    at 4 Hz; a drum's diameter one channel once per clip, which is a rate of `None`.
    """

    channels: tuple[str, ...]
    """The name of each channel."""
    rate: float | None
    """Frames per second (Hz); `None` is one frame per clip."""
    duration: float
    """Seconds per clip."""
    unit: str = ""
    """The unit of the values."""
    planes: int = 1
    """How many sounds the channels are of, one after the other: 2 for the mel bands of left and right."""

    @property
    def frames(self) -> int:
        """Frames per clip."""
        return 1 if self.rate is None else round(self.rate * self.duration)


def check_channels(count: int, audio: Signal, name: str) -> None:
    """Refuse a sound that has other channels than are heard.

    Raises:
        ValueError: with its name, what it has, and what to do.
    """
    wanted = len(audio.channels)
    if count != wanted:
        raise ValueError(
            f"{name} has {count} channel{'s' * (count != 1)}, and {wanted} {'are' if wanted > 1 else 'is'} heard "
            f"({', '.join(audio.channels)}); give one with {wanted}, or name its own in the data's `channel_names`, or "
            "set `channels: mean`"
        )


def _check_length(value: float | str) -> float | str:
    if isinstance(value, str) and not re.fullmatch(r"[1-9]\d* samples", value):
        raise ValueError(f"{value!r} is no length; write seconds (0.025) or samples ('400 samples')")
    if not isinstance(value, str) and not 0 < value < 1e6:
        raise ValueError(f"a length is a positive number of seconds, not {value}")
    return value


Length = Annotated[float | str, AfterValidator(_check_length)]
"""A length of time: seconds, or a text like `400 samples`."""


def samples(length: float | str, rate: float) -> int:
    """The whole number of samples nearest to a length at a sample rate (Hz)."""
    return int(length.split()[0]) if isinstance(length, str) else round(length * rate)


def seconds(length: float | str, rate: float) -> float:
    """A length in seconds at a sample rate (Hz)."""
    return int(length.split()[0]) / rate if isinstance(length, str) else float(length)


def is_length(field: FieldInfo) -> bool:
    """Whether a field of a configuration is a length of time."""
    return any(isinstance(m, AfterValidator) and m.func is _check_length for m in field.metadata)
