"""As many random numbers as a clip has samples, from the few that an augmentation is given."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..draw import uniform


def noise(seeds: Float[Tensor, "batch 2"], samples: int) -> Float[Tensor, "batch 1 {samples}"]:
    """White noise of deviation 1, which two numbers in [0, 1) decide (24 bits of each)."""
    even = uniform((seeds * (1 << 24)).long(), 0, "noise", samples)
    # float32 has 24 bits below 1: the middle of each step keeps the tails finite (5.4 deviations).
    return torch.special.ndtri((even + 2**-25).clamp(max=1 - 2**-24))[:, None]
