"""Fourier transforms: lengths that are quick, and convolution."""

import numpy as np
from jaxtyping import Float
from scipy.fft import irfft, next_fast_len, rfft

_SHORTEST = 4096  # samples of a block


def fast_length(samples: int) -> int:
    """The smallest length that is quick, from `samples` on, and even."""
    return 2 * int(next_fast_len(-(-samples // 2), True))  # pyright: ignore[reportArgumentType]


def convolved(
    x: Float[np.ndarray, "channels samples"], response: Float[np.ndarray, " taps"]
) -> Float[np.ndarray, "channels samples"]:
    """Every channel after a filter, as long as it was.

    Blocks twice as long as the response, of which half is kept (overlap and save), are short enough for the
    processor's cache.
    """
    samples = x.shape[1]
    response = response[:samples]
    before = len(response) - 1
    size = max(1 << (2 * before).bit_length(), _SHORTEST)
    step = size - before
    wide = np.pad(x, ((0, 0), (before, -samples % step)))
    blocks = np.lib.stride_tricks.sliding_window_view(wide, size, axis=1)[:, ::step]
    spectrum = np.asarray(rfft(blocks)) * np.asarray(rfft(response, size))
    return np.asarray(irfft(spectrum, size))[..., before:].reshape(len(x), -1)[:, :samples]
