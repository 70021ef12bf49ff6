"""Time mask: stretches of time are hidden (SpecAugment)."""

from typing import ClassVar

from pydantic import Field

from ...signals import Signal
from ._masks import MOST, Holes, Mask, Numbers, masked, real_places


class TimeMask(Mask):
    """Hide `masks` stretches of each clip's sound behind the mean of its real cells.

    Park et al. 2019, doi 10.48550/arXiv.1904.08779, but with widths from one frame on: `p` alone says how often
    nothing is hidden. A mask lies within the real frames and hides at most half of them.
    """

    draws: ClassVar[int] = 2 * MOST

    max_width: float = Field(default=0.5, gt=0)
    """The longest stretch, in seconds."""
    masks: int = Field(default=1, ge=1, le=MOST)
    """How many stretches are hidden; they may overlap."""

    def holes(self, real: Numbers, uniform: Numbers, channels: int, signal: Signal) -> Holes:
        widest = max(round(self.max_width * real.shape[1] / signal.duration), 1)
        first, end = masked(uniform, self.masks, widest, *real_places(real))
        return 0 * first, 0 * first + channels, first, end
