"""As many random numbers as a clip has samples, from the few that an augmentation is given.

A hash of 64 bits (SplitMix64) is cut into four numbers of 16 bits, and a number's place in a table is its quantile:
65,536 different ones, the same on every device. On a processor a compiled loop does it, elsewhere tensors; they agree
to the bit.
"""

from functools import cache
from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..draw import STEP, mix

_LEVELS = 1 << 16
_EACH = 4  # numbers of a hash


def noise(seeds: Float[Tensor, "batch 2"], samples: int) -> Float[Tensor, "batch 1 {samples}"]:
    """White Gaussian noise of deviation 1, within 4.3 deviations, which two numbers in [0, 1) decide."""
    return _looked_up(seeds, samples, _gaussian())[:, None]


def even(seeds: Float[Tensor, "batch 2"], samples: int) -> Float[Tensor, "batch {samples}"]:
    """White noise that is even from -1 to 1, which two numbers in [0, 1) decide."""
    return _looked_up(seeds, samples, _even())


@cache
def _gaussian() -> Float[Tensor, " levels"]:
    place = (torch.arange(_LEVELS, dtype=torch.float64) + 0.5) / _LEVELS
    quantiles = torch.special.ndtri(place)
    return (quantiles / quantiles.square().mean().sqrt()).float()


@cache
def _even() -> Float[Tensor, " levels"]:
    return ((torch.arange(_LEVELS) + 0.5) * (2 / _LEVELS) - 1).float()


def _looked_up(
    seeds: Float[Tensor, "batch 2"], samples: int, table: Float[Tensor, " levels"]
) -> Float[Tensor, "batch samples"]:
    whole = (seeds * (1 << 24)).long()
    begin: Int[Tensor, " batch"] = mix(whole[:, 0] * (1 << 24) + whole[:, 1])
    if seeds.device.type == "cpu":
        made = np.empty((len(seeds), samples), np.float32)
        _kernel()(begin.numpy().view(np.uint64), made, table.numpy(), np.uint64(STEP % (1 << 64)))
        return torch.from_numpy(made)
    count = torch.arange(-(-samples // _EACH), device=seeds.device)
    hashed = mix(begin[:, None] + STEP * (count + 1))
    parts = torch.stack([(hashed >> (16 * i)) & (_LEVELS - 1) for i in range(_EACH)], 2)
    return table.to(seeds.device)[parts.flatten(1)[:, :samples]]


@cache
def _kernel() -> Any:
    from ...kernel import kernel

    return kernel()(_fill)


@no_type_check
def _fill(begin: Any, made: Any, table: Any, step: Any) -> None:
    rows, samples = made.shape
    for row in range(rows):
        h = begin[row]
        whole = samples // 4
        for k in range(whole + 1):
            h += step
            x = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            x ^= x >> np.uint64(31)
            if k < whole:
                made[row, 4 * k] = table[x & np.uint64(0xFFFF)]
                made[row, 4 * k + 1] = table[(x >> np.uint64(16)) & np.uint64(0xFFFF)]
                made[row, 4 * k + 2] = table[(x >> np.uint64(32)) & np.uint64(0xFFFF)]
                made[row, 4 * k + 3] = table[x >> np.uint64(48)]
            else:
                for i in range(samples - 4 * whole):
                    made[row, 4 * k + i] = table[(x >> np.uint64(16 * i)) & np.uint64(0xFFFF)]
