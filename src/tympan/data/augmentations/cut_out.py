"""Cut-out: a random stretch of sound is silent."""

from typing import ClassVar

from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from . import Augmentation, On
from ._masks import covered, masked
from ._places import begins


class CutOut(Augmentation):
    """Silence one stretch of each clip's sound, of a length drawn evenly up to `max_width` or half of the sound.

    DeVries & Taylor 2017, doi 10.48550/arXiv.1708.04552, of time.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 2

    max_width: float = Field(default=0.5, gt=0)
    """The longest stretch, in seconds."""

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 2"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        widest = max(round(self.max_width * x.shape[2] / signal.duration), 1)
        width, start = masked(uniform, 1, widest, begins(real)[:, None], real.sum(1, keepdim=True))
        return covered(x, width, start, 2, x.new_zeros(len(x))), real
