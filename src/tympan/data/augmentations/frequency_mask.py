"""Frequency mask: bands of neighbouring channels are hidden (SpecAugment)."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from . import Augmentation, On
from ._masks import MOST, covered, masked, mean


class FrequencyMask(Augmentation):
    """Hide `masks` bands of each clip behind the mean of its real cells; the same ones in every channel of sound.

    Park et al. 2019, doi 10.48550/arXiv.1904.08779, but with widths from 1 on: `p` alone says how often nothing is
    hidden.
    """

    on: ClassVar[On] = "features"
    draws: ClassVar[int] = 2 * MOST

    max_width: int = Field(default=24, ge=1)
    """The widest band, in channels."""
    masks: int = Field(default=1, ge=1, le=MOST)
    """How many bands are hidden; they may overlap."""

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch draws"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        """The changed features.

        Raises:
            ValueError: the widest band is more than half of the channels.
        """
        batch, channels = len(x), x.shape[1] // signal.planes
        if self.max_width > channels // 2:
            raise ValueError(
                f"augmentation frequency_mask: max_width {self.max_width} is more than half of the features' "
                f"{channels} channels; set it to at most {channels // 2}"
            )
        every = torch.full((batch, 1), channels, device=x.device)
        width, start = masked(uniform, self.masks, self.max_width, torch.zeros_like(every), every)
        return covered(x, width, start, 1, mean(x, real), signal.planes), real
