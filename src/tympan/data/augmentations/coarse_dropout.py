"""Coarse dropout: several small rectangles of time and frequency are hidden."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from ...signals import Signal
from ._masks import Mask, Spans
from ._places import begins, lengths

_MOST = 32


class CoarseDropout(Mask):
    """Hide a number of rectangles, drawn evenly, behind the mean of each clip's real cells.

    DeVries & Taylor 2017, doi 10.48550/arXiv.1708.04552, with several holes. Each is as wide and as high as `width` and
    `height` say, and lies within the sound.
    """

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

    def holes(
        self, real: Bool[Tensor, "batch frames"], uniform: Float[Tensor, "batch draws"], channels: int, signal: Signal
    ) -> tuple[Spans, Spans]:
        if self.height > channels // 2:
            raise ValueError(
                f"augmentation coarse_dropout: height {self.height} is more than half of the features' {channels} "
                f"channels; set it to at most {channels // 2}"
            )
        width = max(round(self.width * real.shape[1] / signal.duration), 1)
        holes = self.fewest + (uniform[:, :1] * (self.most - self.fewest + 1)).long()
        across, up = uniform[:, 1 : 1 + 2 * self.most].chunk(2, 1)
        length = lengths(real)[:, None]
        first = begins(real)[:, None] + (across * (length - width + 1).clamp(min=1)).long()
        there = torch.arange(self.most, device=real.device) < holes
        end = torch.where(there, first + length.clamp(max=width), first)
        lowest = (up * (channels - self.height + 1)).long()
        return torch.stack([lowest, lowest + self.height], 2), torch.stack([first, end], 2)
