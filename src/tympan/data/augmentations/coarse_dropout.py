"""Coarse dropout: several small rectangles of time and frequency are hidden."""

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from ...signals import Signal
from ._masks import Holes, Mask, Numbers, real_places

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

    def holes(self, real: Numbers, uniform: Numbers, channels: int, signal: Signal) -> Holes:
        if self.height > channels // 2:
            raise ValueError(
                f"augmentation coarse_dropout: height {self.height} is more than half of the features' {channels} "
                f"channels; set it to at most {channels // 2}"
            )
        width = max(round(self.width * real.shape[1] / signal.duration), 1)
        holes = self.fewest + uniform[:, :1] * (self.most - self.fewest + 1) // 1
        across, up = uniform[:, 1 : 1 + self.most], uniform[:, 1 + self.most : 1 + 2 * self.most]
        begin, length = real_places(real)
        first = begin + across * (length - width + 1).clip(1, None) // 1
        number = torch.arange(self.most, device=real.device) if isinstance(real, Tensor) else np.arange(self.most)
        lowest = up * (channels - self.height + 1) // 1
        return lowest, lowest + self.height, first, first + length.clip(0, width) * (number < holes)
