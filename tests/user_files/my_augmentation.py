"""The sound upside down."""

from typing import ClassVar, Literal

from torch import Tensor

from tympan.data.augmentations import Augmentation
from tympan.signals import Signal


class Upside(Augmentation):
    """Every sample with the other sign, with probability `p`."""

    on: ClassVar[Literal["waveform", "features"]] = "waveform"
    draws: ClassVar[int] = 0

    def change(self, x: Tensor, real: Tensor, uniform: Tensor, signal: Signal) -> tuple[Tensor, Tensor]:
        return -x, real
