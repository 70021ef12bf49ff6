"""Time mask: stretches of time are hidden (SpecAugment)."""

from typing import ClassVar

from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from ._masks import MOST, Mask, Spans, masked
from ._places import begins, lengths


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

    def holes(
        self, real: Bool[Tensor, "batch frames"], uniform: Float[Tensor, "batch draws"], channels: int, signal: Signal
    ) -> tuple[Spans, Spans]:
        widest = max(round(self.max_width * real.shape[1] / signal.duration), 1)
        along = masked(uniform, self.masks, widest, begins(real)[:, None], lengths(real)[:, None])
        return along.new_tensor([0, channels]).expand(len(real), 1, 2), along
