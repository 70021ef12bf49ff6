"""Time stretch: faster or slower by a random factor, at the same pitch."""

from typing import ClassVar

from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from ...signals import Signal
from . import Augmentation, On


class TimeStretch(Augmentation):
    """Play each clip at a tempo drawn evenly between two, at its own pitch, by a phase vocoder.

    What no longer fits into the clip is lost at its end; what becomes shorter is padded on the side where the clip is.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 1
    moves_sound: ClassVar[bool] = True

    low: float = Field(default=0.8, ge=0.25, le=4)
    """The slowest tempo; 1 is the clip's own."""
    high: float = Field(default=1.25, ge=0.25, le=4)
    """The fastest."""

    @model_validator(mode="after")
    def _ordered(self) -> "TimeStretch":
        if self.low > self.high:
            raise ValueError(f"time_stretch.low is {self.low:g}, above high, {self.high:g}; exchange them")
        return self

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 1"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        from ._places import begins, moved, put_back
        from ._vocoder import stretched

        frames, channels = x.shape[2], x.shape[1]
        tempo = self.low + (self.high - self.low) * uniform[:, 0]
        flat = moved(x, -begins(real)).flatten(0, 1)
        y = stretched(flat, tempo.repeat_interleave(channels), frames / signal.duration, frames)
        return put_back(y.unflatten(0, (-1, channels)), (real.sum(1) / tempo).ceil().long(), real)
