"""Named channels at a rate: the description that every stage shares, lengths of time, and a signal at another rate."""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view
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
    mean: float | None = None
    """The mean of the values, where it is known: 0 of what is standardised."""

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


def frames_within(seconds: float, rate: float) -> int:
    """Frames at a rate (Hz) whose time lies within so many seconds from 0 on."""
    return math.ceil(seconds * rate - 1e-6)


def is_length(field: FieldInfo) -> bool:
    """Whether a field of a configuration is a length of time."""
    return any(isinstance(m, AfterValidator) and m.func is _check_length for m in field.metadata)


def bridge(x: Float[np.ndarray, " frames"]) -> Float[np.ndarray, " frames"]:
    """A signal with its unknown frames (NaN) on straight lines between known ones, and level before the first and after
    the last; all of them NaN where none is known."""
    known, frames = ~np.isnan(x), np.arange(len(x))
    return np.interp(frames, frames[known], x[known]) if known.any() else x.astype(float)


def resample(x: Float[np.ndarray, " frames"], old: float, new: float) -> Float[np.ndarray, " resampled"]:
    """A signal at another rate: frame i stays at second i / rate, and nothing above either Nyquist rate is let through.

    The filter is a sinc under a Kaiser window, laid at each new frame's exact time, so that any two rates will do and
    none drifts. What lies below 0.7 of the lower Nyquist rate is kept. Beyond its ends the signal is continued turned
    about its end points, so that neither a level nor a line rings.

    Args:
        x: NaN where unknown. A new frame is known where at least half of the time for which it stands is.
        old: its rate, Hz.
        new: the rate wanted, Hz.

    Returns:
        As many frames as have their time within the signal's duration, `len(x) / old` seconds.

    Raises:
        ValueError: a rate is not positive.
    """
    if not (0 < old < math.inf and 0 < new < math.inf):
        raise ValueError(f"a signal at {old} Hz cannot be resampled to {new} Hz; both rates must be positive")
    count = frames_within(len(x) / old, new)
    if old == new or not len(x) or np.isnan(x).all():
        return np.resize(x, count).astype(float)
    size, taps = _kernels(old, new, 0)[1].shape
    padded = np.pad(bridge(x), (taps // 2, taps // 2 + 1), mode="reflect", reflect_type="odd")
    values = np.empty(count)
    for begin in range(0, count, size):
        near, weights = (each[: count - begin] for each in _kernels(old, new, begin))
        around = sliding_window_view(padded, taps)[near]
        values[begin : begin + size] = np.einsum("ij,ij->i", around, weights)
    at = np.arange(count) * (old / new)
    values[~_mostly_known(~np.isnan(x), at, max(1.0, old / new))] = np.nan
    return values


@lru_cache(maxsize=32)  # every recording of a corpus is resampled alike
def _kernels(old: float, new: float, begin: int) -> tuple[Int[np.ndarray, " size"], Float[np.ndarray, "size taps"]]:
    """The old frame nearest to each new one from `begin` on, and the weights of those about it; at most 1 MB."""
    cutoff = 0.85 * min(1.0, new / old)  # of the old Nyquist rate; the flank is 0.15 wide
    reach = 16 / cutoff  # old frames on either side: 16 zero crossings
    taps = np.arange(-math.ceil(reach), math.ceil(reach) + 1)
    at = np.arange(begin, begin + max(1, 2**17 // len(taps))) * (old / new)
    near = np.rint(at).astype(int)
    away = near[:, None] + taps - at[:, None]
    window = np.i0(8.0 * np.sqrt(np.clip(1 - (away / reach) ** 2, 0, None)))  # Kaiser: -80 dB beyond the flank
    weights = np.sinc(cutoff * away) * window
    return near, weights / weights.sum(1, keepdims=True)


def _mostly_known(
    known: Bool[np.ndarray, " frames"], at: Float[np.ndarray, " resampled"], width: float
) -> Bool[np.ndarray, " resampled"]:
    """Whether at least half of the spans of `width` frames about these places, within the signal, is known."""
    edges, sums = np.arange(len(known) + 1) - 0.5, np.concatenate([[0], np.cumsum(known)])
    begin, end = (np.clip(at + half, edges[0], edges[-1]) for half in (-width / 2, width / 2))
    return np.interp(end, edges, sums) - np.interp(begin, edges, sums) >= (0.5 - 1e-9) * (end - begin)
