"""Cut-out: a random stretch of sound is silent."""

from typing import ClassVar

from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from . import On
from ._masks import Mask, Spans, masked
from ._places import begins, lengths


class CutOut(Mask):
    """Silence one stretch of each clip's sound, of a length drawn evenly up to `max_width` or half of the sound.

    DeVries & Taylor 2017, doi 10.48550/arXiv.1708.04552, of time.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 2

    max_width: float = Field(default=0.5, gt=0)
    """The longest stretch, in seconds."""

    def holes(
        self, real: Bool[Tensor, "batch frames"], uniform: Float[Tensor, "batch draws"], channels: int, signal: Signal
    ) -> tuple[Spans, Spans]:
        widest = max(round(self.max_width * real.shape[1] / signal.duration), 1)
        along = masked(uniform, 1, widest, begins(real)[:, None], lengths(real)[:, None])
        return along.new_tensor([0, channels]).expand(len(real), 1, 2), along

    def fill(self, x: Tensor, real: Tensor, signal: Signal) -> Float[Tensor, " batch"]:
        return x.new_zeros(len(x))
