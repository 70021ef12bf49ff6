"""Speed: faster and higher, or slower and lower, by a random factor."""

from typing import ClassVar

from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from ...signals import Signal
from . import Augmentation, On


class Speed(Augmentation):
    """Play each clip at a speed drawn evenly between two, as a tape would: tempo and pitch change together.

    What no longer fits into the clip is lost at its end; what becomes shorter is padded on the side where the clip is.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 1
    moves_sound: ClassVar[bool] = True

    low: float = Field(default=0.9, ge=0.25, le=4)
    """The slowest speed; 1 is the clip's own."""
    high: float = Field(default=1.1, ge=0.25, le=4)
    """The fastest."""

    @model_validator(mode="after")
    def _ordered(self) -> "Speed":
        if self.low > self.high:
            raise ValueError(f"speed.low is {self.low:g}, above high, {self.high:g}; exchange them")
        return self

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 1"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        from ._places import begins, put_back
        from ._vocoder import read

        frames, channels = x.shape[2], x.shape[1]
        speed = self.low + (self.high - self.low) * uniform[:, 0]
        begin = begins(real).to(x.dtype).repeat_interleave(channels)
        y = read(x.flatten(0, 1), speed.repeat_interleave(channels), begin, frames)
        return put_back(y.unflatten(0, (-1, channels)), (real.sum(1) / speed).ceil().long(), real)
