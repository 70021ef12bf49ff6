"""Changes that make each clip longer or shorter by a random factor."""

from abc import abstractmethod
from typing import ClassVar

from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...signals import Signal
from . import On
from ._between import Between
from ._places import begins, lengths, put_back


class Tempo(Between):
    """An augmentation by which sound lasts 1/f times as long, f being drawn evenly.

    What no longer fits into the clip is lost at its end; what becomes shorter is padded on the side where the clip is.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 1
    moves_sound: ClassVar[bool] = True
    nothing: ClassVar[float | None] = 1.0

    @abstractmethod
    def play(
        self,
        x: Float[Tensor, "rows frames"],
        begin: Int[Tensor, " rows"],
        factor: Float[Tensor, " rows"],
        sample_rate: float,
    ) -> Float[Tensor, "rows frames"]:
        """Each row from its own beginning, by its own factor, for as many frames as there are."""

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 1"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        channels, frames = x.shape[1:]
        factor = self.between(uniform[:, 0])
        begin, speed = (number.repeat_interleave(channels) for number in (begins(real), factor))
        y = self.play(x.flatten(0, 1), begin, speed, frames / signal.duration)
        return put_back(y.unflatten(0, (-1, channels)), (lengths(real) / factor).ceil().long(), real)
