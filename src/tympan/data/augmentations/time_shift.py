"""Time shift: sound comes earlier or later by a random time."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ...signals import Signal
from . import Augmentation


class TimeShift(Augmentation):
    """Move each clip by a time drawn evenly from `-max_shift` to `max_shift`; what leaves the clip is lost.

    The samples left behind are padding: 0, and not real. A clip is moved by at most half of its own sound, so that a
    short one does not leave.
    """

    on: ClassVar[Literal["waveform", "features"]] = "waveform"
    draws: ClassVar[int] = 1
    moves_sound: ClassVar[bool] = True

    max_shift: float = Field(default=0.5, gt=0)
    """The longest shift, in seconds."""

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 1"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        frames = x.shape[2]
        room = min(round(self.max_shift * frames / signal.duration), frames // 2)
        most = (real.sum(1, keepdim=True) // 2).clamp(max=room)
        # 2 * most + 1 shifts, each as likely as any other.
        later = (uniform * (2 * most + 1)).long() - most
        at = torch.arange(frames + 2 * room, device=x.device).unfold(0, frames, 1)[room - later[:, 0]]
        x, real = functional.pad(x, (room, room)), functional.pad(real, (room, room))
        return x.gather(2, at[:, None].expand(-1, x.shape[1], -1)), real.gather(1, at)
