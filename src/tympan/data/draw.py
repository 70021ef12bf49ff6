"""Random numbers that are a function of (seed, name, epoch, index), the same on every device."""

import zlib
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

# SplitMix64 (Steele, Lea & Flood 2014): constants as signed 64-bit integers, the only 64-bit integers torch adds.
CONSTANTS = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
STEP, _MIX1, _MIX2 = (c - (1 << 64) for c in CONSTANTS)


def _shift(x: Any, bits: int) -> Any:
    return (x >> bits) & ((1 << (64 - bits)) - 1)  # a logical shift, though the integers are signed


def mix(x: Any) -> Any:
    """The finalizer of SplitMix64, of signed 64-bit integers."""
    x = (x ^ _shift(x, 30)) * _MIX1
    x = (x ^ _shift(x, 27)) * _MIX2
    return x ^ _shift(x, 31)


def _hash(key: Any, seed: int, name: str, counter: Any) -> Any:
    stream = _stream(seed, name)
    h = mix(key[:, 0] + (stream - (1 << 64) if stream >= 1 << 63 else stream))
    h = mix(h + STEP * (key[:, 1] + 1))
    return mix(h[:, None] + STEP * (counter[None, :] + 1))


@cache
def _stream(seed: int, name: str) -> int:
    return STEP * (seed * (1 << 32) + zlib.crc32(name.encode())) % (1 << 64)


def uniform(key: Int[Tensor, "batch 2"], seed: int, name: str, n: int) -> Float[Tensor, "batch {n}"]:
    """`n` float32 numbers in [0, 1) for each (epoch, index) of `key`; batch mates and the device do not matter."""
    key = key.to(torch.int64)
    if key.device.type == "cpu":
        return torch.from_numpy(numbers(key.numpy(), seed, name, n))
    h = _hash(key, seed, name, torch.arange(n, device=key.device))
    return _shift(h, 40).to(torch.float32) / (1 << 24)


def uniform_numpy(epoch: int, index: int, seed: int, name: str, n: int = 1) -> Float[np.ndarray, "{n}"]:
    """The same numbers for one (epoch, index), without torch."""
    return numbers(np.array([[epoch, index]], np.int64), seed, name, n)[0]


def numbers(key: Int[np.ndarray, "batch 2"], seed: int, name: str, n: int) -> Float[np.ndarray, "batch {n}"]:
    """What `uniform` draws, in the processor's memory."""
    from ._drawn import fill  # numba

    out = np.empty((len(key), n), np.float32)
    fill(key, np.uint64(_stream(seed, name)), out)
    return out
