"""Coarse dropout: several small rectangles of time and frequency are hidden."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from ...signals import Signal
from . import Augmentation, On
from ._masks import mean
from ._places import begins

_MOST = 32


class CoarseDropout(Augmentation):
    """Hide a number of rectangles, drawn evenly, behind the mean of each clip's real cells.

    DeVries & Taylor 2017, doi 10.48550/arXiv.1708.04552, with several holes. Each is as wide and as high as `width` and
    `height` say, and lies within the sound.
    """

    on: ClassVar[On] = "features"
    draws: ClassVar[int] = 1 + 2 * _MOST

    fewest: int = Field(default=8, ge=1, le=_MOST)
    """The fewest holes."""
    most: int = Field(default=16, ge=1, le=_MOST)
    """The most holes."""
    width: float = Field(default=0.08, gt=0)
    """The length of a hole, in seconds."""
    height: int = Field(default=8, ge=1)
    """The height of a hole, in channels."""

    @model_validator(mode="after")
    def _ordered(self) -> "CoarseDropout":
        if self.fewest > self.most:
            raise ValueError(f"coarse_dropout.fewest is {self.fewest}, above most, {self.most}; exchange them")
        return self

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch draws"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        """The changed features.

        Raises:
            ValueError: a hole is higher than half of the channels.
        """
        channels = x.shape[1] // signal.planes
        if self.height > channels // 2:
            raise ValueError(
                f"augmentation coarse_dropout: height {self.height} is more than half of the features' {channels} "
                f"channels; set it to at most {channels // 2}"
            )
        width = max(round(self.width * x.shape[2] / signal.duration), 1)
        holes = self.fewest + (uniform[:, :1] * (self.most - self.fewest + 1)).long()
        across, up = uniform[:, 1 : 1 + 2 * self.most].chunk(2, 1)
        length = real.sum(1, keepdim=True)
        first = begins(real)[:, None] + (across * (length - width + 1).clamp(min=1)).long()
        lowest = (up * (channels - self.height + 1)).long()
        there = torch.arange(self.most, device=x.device) < holes
        time, channel = (torch.arange(n, device=x.device) for n in (x.shape[2], channels))
        along = (time >= first[:, :, None]) & (time < first[:, :, None] + width) & there[:, :, None]
        high = (channel >= lowest[:, :, None]) & (channel < lowest[:, :, None] + self.height)
        hidden = torch.bmm(high.mT.to(x.dtype), along.to(x.dtype)) > 0
        hidden = hidden.repeat(1, signal.planes, 1) & real[:, None]
        return torch.where(hidden, mean(x, real)[:, None, None], x), real
