"""Time mask: stretches of time are hidden (SpecAugment)."""

from typing import ClassVar

from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from . import Augmentation, On
from ._masks import MOST, covered, masked, mean
from ._places import begins


class TimeMask(Augmentation):
    """Hide `masks` stretches of each clip's sound behind the mean of its real cells.

    Park et al. 2019, doi 10.48550/arXiv.1904.08779, but with widths from one frame on: `p` alone says how often
    nothing is hidden. A mask lies within the real frames and hides at most half of them.
    """

    on: ClassVar[On] = "features"
    draws: ClassVar[int] = 2 * MOST

    max_width: float = Field(default=0.5, gt=0)
    """The longest stretch, in seconds."""
    masks: int = Field(default=1, ge=1, le=MOST)
    """How many stretches are hidden; they may overlap."""

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch draws"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        widest = max(round(self.max_width * x.shape[2] / signal.duration), 1)
        first = begins(real)[:, None]
        width, start = masked(uniform, self.masks, widest, first, real.sum(1, keepdim=True))
        return covered(x, width, start, 2, mean(x, real)), real
