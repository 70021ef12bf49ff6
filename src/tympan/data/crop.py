"""Which part of a recording is a clip: at its start, at its first onset, at random, or window by window."""

import numpy as np
from jaxtyping import Float

from . import Source

_AROUND = 5  # pieces of 10 ms that stay before and after what sounds


def windows(length: int, clip: int) -> list[int]:
    """First samples of the windows of `clip` samples that cover `length` samples: half overlapped, the last flush."""
    return [_window(k, length, clip) for k in range(_count(length, clip))]


def _count(length: int, clip: int) -> int:
    return -(-max(length - clip, 0) // max(clip // 2, 1)) + 1


def _window(k: int, length: int, clip: int) -> int:
    """First sample of window `k`, found without the others: hours of sound have hundreds of thousands."""
    last, steps = max(length - clip, 0), _count(length, clip) - 1
    return last if k == steps else round(k * (last / steps))


def start(source: Source, length: int, index: int, epoch: int, seed: int) -> int:
    """First sample of the clip of a recording of `length` samples, for every `crop` but `onset`."""
    clip = source.audio.frames
    if source.crop == "random":
        from .draw import uniform_numpy  # beside torch, which takes seconds that `prepare` need not wait

        return int(uniform_numpy(epoch, index, seed, "crop")[0] * (max(length - clip, 0) + 1))
    if source.crop == "all":
        return _window(epoch % _count(length, clip), length, clip)
    return 0


def onset(waveform: Float[np.ndarray, "channels samples"], rate: float) -> int:
    """The sample where sound begins: 1 ms before the level first comes within 20 dB of the loudest 5 ms."""
    block = max(round(0.005 * rate), 1)
    mono = np.abs(waveform).max(0)
    n = len(mono) // block
    if n < 2:
        return 0
    level = np.sqrt((mono[: n * block].reshape(n, block).astype(np.float64) ** 2).mean(1))
    first = int(np.argmax(level >= 0.1 * level.max())) * block
    piece = mono[max(first - block, 0) : first + block]
    attack = max(first - block, 0) + int(np.argmax(piece >= 0.1 * mono[: n * block].max())) if piece.size else first
    return max(attack - round(0.001 * rate), 0)


def trimmed(
    waveform: Float[np.ndarray, "channels samples"], rate: float | int, below: float | None
) -> tuple[int, Float[np.ndarray, "channels _"]]:
    """Where a recording begins to sound, and its sound from there to its end, with 50 ms more on both sides.

    What was trimmed is not trimmed further: the pieces whose level is compared lie in it as they lay in the whole.

    Args:
        waveform: the recording.
        rate: samples per second (Hz).
        below: how far (dB) below the loudest 10 ms it still sounds; `None` takes nothing off.
    """
    block = max(round(0.01 * rate), 1)
    n = waveform.shape[1] // block
    if below is None or n < 2:
        return 0, waveform
    pieces = waveform[:, : n * block].reshape(len(waveform), n, block)
    power = np.einsum("cnb,cnb->n", pieces, pieces)
    rest = waveform[:, n * block :]
    power = np.append(power, np.einsum("cb,cb->", rest, rest))
    loud = np.flatnonzero(power >= power.max() * 10 ** (-below / 10))
    begin, end = max(int(loud[0]) - _AROUND, 0) * block, (int(loud[-1]) + 1 + _AROUND) * block
    return begin, waveform[:, begin:end]


def first(waveform: Float[np.ndarray, "channels samples"], source: Source, index: int, epoch: int, seed: int) -> int:
    """First sample of the clip of a waveform that is already decoded, for every `crop`."""
    if source.crop == "onset":
        return onset(waveform, float(source.sample_rate))
    return start(source, waveform.shape[1], index, epoch, seed)
