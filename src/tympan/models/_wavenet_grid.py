"""Which frames of the features belong to which step of the target, and what both ways to generate share."""

import math

import torch
from jaxtyping import Bool, Int
from torch import Tensor

HEARD = 9
"""Past steps that the upsampler sees at once."""
SLOPE = 0.2
"""Of the upsampler's leaky ReLUs below 0."""


def begin(step: int, per_step: float) -> int:
    """The first frame of a step: the first that is not before its time."""
    return math.ceil(step * per_step - 1e-6)


def grid(
    steps: int, per_step: float, device: torch.device
) -> tuple[Int[Tensor, "frames"], Int[Tensor, "frames"], tuple[Int[Tensor, "steps most"], Bool[Tensor, "steps most"]]]:
    """The step of every frame and its place in it; and the frames of every step, with which of them are its own."""
    begins = torch.tensor([begin(step, per_step) for step in range(steps + 1)])
    counts = begins.diff()
    at = torch.arange(steps).repeat_interleave(counts)
    place = torch.arange(len(at)) - begins[at]
    own = torch.arange(begin(1, per_step)) < counts[:, None]
    frames = (begins[:-1, None] + torch.arange(begin(1, per_step))).clamp(max=len(at) - 1)
    return at.to(device), place.to(device), (frames.to(device), own.to(device))
