"""Frequency mask: bands of neighbouring channels are hidden (SpecAugment)."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from ._masks import MOST, Mask, Spans, masked
from ._places import sounding


class FrequencyMask(Mask):
    """Hide `masks` bands of each clip behind the mean of its real cells; the same ones in every channel of sound.

    Park et al. 2019, doi 10.48550/arXiv.1904.08779, but with widths from 1 on: `p` alone says how often nothing is
    hidden.
    """

    draws: ClassVar[int] = 2 * MOST

    max_width: int = Field(default=24, ge=1)
    """The widest band, in channels."""
    masks: int = Field(default=1, ge=1, le=MOST)
    """How many bands are hidden; they may overlap."""

    def holes(
        self, real: Bool[Tensor, "batch frames"], uniform: Float[Tensor, "batch draws"], channels: int, signal: Signal
    ) -> tuple[Spans, Spans]:
        if self.max_width > channels // 2:
            raise ValueError(
                f"augmentation frequency_mask: max_width {self.max_width} is more than half of the features' "
                f"{channels} channels; set it to at most {channels // 2}"
            )
        every = torch.full((len(real), 1), channels, device=real.device)
        return masked(uniform, self.masks, self.max_width, torch.zeros_like(every), every), sounding(real)[:, None]
