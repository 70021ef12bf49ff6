"""The strongest spectral peaks of a clip, as numbers that a ridge regression can hear partials by."""

import numpy as np
from jaxtyping import Float

COUNT = 8
"""Peaks of a clip."""
NUMBERS = 3 * COUNT
"""Of a clip: of each peak the logarithm of the frequency, its inverse (ms), and the level (nepers)."""
_LOWEST = 20.0  # Hz
_FLOOR = 0.03  # of the highest peak, above which are no side lobes of Hann's window


def spectral_peaks(
    waveform: Float[np.ndarray, "channels samples"], rate: float, highest: float
) -> Float[np.ndarray, "numbers"]:
    """The 8 strongest peaks, from the lowest to the highest in frequency; where there are fewer, the last again.

    Args:
        rate: samples per second (Hz).
        highest: frequency (Hz) above which nothing is heard.
    """
    x = np.asarray(waveform, np.float64).mean(0)
    size = 1 << (4 * max(len(x), 4) - 1).bit_length()
    level = np.log(np.abs(np.fft.rfft(x * np.hanning(len(x)), size)) + 1e-9)
    level = level[: int(highest * size / rate) + 1]
    left, top, right = level[:-2], level[1:-1], level[2:]
    there = np.flatnonzero((top > left) & (top >= right) & (top > top.max(initial=-np.inf) + np.log(_FLOOR)))
    kept = np.sort(there[np.argsort(-top[there])[:COUNT]])
    if not kept.size:
        return np.zeros(NUMBERS)
    kept = np.pad(kept, (0, COUNT - len(kept)), mode="edge")
    a, b, c = left[kept], top[kept], right[kept]
    f = np.maximum((kept + 1 + 0.5 * (a - c) / np.minimum(a - 2 * b + c, -1e-12)) * rate / size, _LOWEST)
    return np.concatenate([np.log(f), 1000 / f, b - b.max()])
