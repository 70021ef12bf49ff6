"""Frequency mask: bands of neighbouring channels are hidden (SpecAugment)."""

from typing import ClassVar

from pydantic import Field

from ...signals import Signal
from ._masks import MOST, Holes, Mask, Numbers, masked, real_places


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

    def holes(self, real: Numbers, uniform: Numbers, channels: int, signal: Signal) -> Holes:
        if self.max_width > channels // 2:
            raise ValueError(
                f"augmentation frequency_mask: max_width {self.max_width} is more than half of the features' "
                f"{channels} channels; set it to at most {channels // 2}"
            )
        first, length = real_places(real)
        lowest, above = masked(uniform, self.masks, self.max_width, 0 * first, 0 * first + channels)
        return lowest, above, 0 * lowest + first, 0 * lowest + first + length
