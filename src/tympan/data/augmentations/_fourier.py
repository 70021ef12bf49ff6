"""Lengths of Fourier transforms."""

from scipy.fft import next_fast_len


def fast_length(samples: int) -> int:
    """The smallest length that is quick, from `samples` on, and even."""
    return 2 * int(next_fast_len(-(-samples // 2), True))  # pyright: ignore[reportArgumentType]
