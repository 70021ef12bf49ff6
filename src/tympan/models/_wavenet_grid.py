"""What a WaveNet's layers see, which frames belong to which step, and what both ways to generate share."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

HEARD = 9
"""Past steps that the upsampler sees at once."""
SLOPE = 0.2
"""Of the upsampler's leaky ReLUs below 0."""


@dataclass(frozen=True)
class Derived:
    """What a WaveNet's fields come to, for features and a target."""

    stacks: int
    layers: int
    """Layers of each stack."""
    context: int
    """Frames of the features that were asked for."""
    rate: float
    """Frames of the features per second (Hz)."""
    frames_per_step: float | None
    """Frames of the features in one step of the target; None where the target has no rate."""

    @property
    def receptive_field(self) -> int:
        """Frames that a frame depends on: itself and, for every stack of L layers, 2^L - 1 before it."""
        return 1 + self.stacks * (2**self.layers - 1)

    def __str__(self) -> str:
        seen = self.receptive_field
        text = (
            f"{self.stacks} stack{'s' * (self.stacks > 1)} of {self.layers} layers see 1 + {self.stacks} × "
            f"(2^{self.layers} - 1) = {seen} frames ({seen / self.rate:.3g} s) for a context of {self.context} "
            f"({self.context / self.rate:.3g} s) at {self.rate:.6g} frames per second"
        )
        if self.frames_per_step is None:
            return text
        return f"{text}; a step of the target has {self.frames_per_step:.6g} frames, which the hop decides"


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
