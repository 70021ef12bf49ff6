"""Time shift: sound comes earlier or later by a random time."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from . import Augmentation, On
from ._places import lengths, moved
from ._random import even


class TimeShift(Augmentation):
    """Move each clip by a time drawn evenly from `-max_shift` to `max_shift`; what leaves the clip is lost.

    The samples left behind are padding: 0, and not real; or faint noise, if that is wanted. A clip is moved by at most
    half of its own sound, so that a short one does not leave.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 3
    moves_sound: ClassVar[bool] = True

    max_shift: float = Field(default=0.5, gt=0)
    """The longest shift, in seconds."""
    fill: float = Field(default=0.0, ge=0, le=1)
    """Noise, even between minus and plus this number, that takes the place of sound that is moved away and counts as
    sound; by default there is padding."""

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 3"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        frames = x.shape[2]
        room = min(round(self.max_shift * frames / signal.duration), frames // 2)
        most = (lengths(real)[:, None] // 2).clamp(max=room)
        # 2 * most + 1 shifts, each as likely as any other.
        later = (uniform[:, :1] * (2 * most + 1)).long() - most
        y, there = moved(x, later[:, 0]), moved(real[:, None], later[:, 0])[:, 0]
        if not self.fill:
            return y, there
        left = (real & ~there)[:, None]
        return torch.where(left, self.fill * even(uniform[:, 1:], frames)[:, None], y), real | there
