"""Affine shift: the whole picture is moved up or down in frequency."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...memory import plain
from ...signals import Signal
from . import Augmentation, On
from ._masks import each, mean


class AffineShift(Augmentation):
    """Move all channels by a number drawn evenly both ways; what is left open has the mean of the clip's real cells."""

    on: ClassVar[On] = "features"
    draws: ClassVar[int] = 1

    max_shift: int = Field(default=16, ge=1)
    """The furthest, in channels."""

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 1"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        """The changed features.

        Raises:
            ValueError: the furthest shift leaves nothing of the channels.
        """
        channels = x.shape[1] // signal.planes
        if self.max_shift >= channels:
            raise ValueError(
                f"augmentation affine_shift: max_shift {self.max_shift} moves all of the features' {channels} channels "
                f"away; set it to at most {channels - 1}"
            )
        up = (uniform * (2 * self.max_shift)).long() - self.max_shift
        up = torch.where(up >= 0, up + 1, up)  # 0 would change nothing
        fill = mean(x, real, signal)
        if plain(x):  # slices are copied at the speed of memory
            y = torch.empty_like(x)
            given, made = (z.unflatten(1, (signal.planes, channels)) for z in (x, y))
            for sound, picture, by, value in zip(given, made, up[:, 0].tolist(), each(fill, len(x)), strict=True):
                low, high = max(by, 0), channels + min(by, 0)
                picture[:, low:high] = sound[:, low - by : high - by]
                picture[:, :low].fill_(value)
                picture[:, high:].fill_(value)
            return y.mul_(real[:, None]), real
        at = torch.arange(channels, device=x.device) - up
        there = ((at >= 0) & (at < channels)).repeat(1, signal.planes)[:, :, None]
        planes = torch.arange(signal.planes, device=x.device).repeat_interleave(channels) * channels
        at = at.clamp(0, channels - 1).repeat(1, signal.planes) + planes
        y = x.gather(1, at[:, :, None].expand_as(x))
        return torch.where(there, y, fill) * real[:, None], real
