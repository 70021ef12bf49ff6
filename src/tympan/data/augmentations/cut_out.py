"""Cut-out: a random stretch of sound is silent."""

from typing import ClassVar

from pydantic import Field

from ...signals import Signal
from . import On
from ._masks import Holes, Mask, Numbers, masked, real_places


class CutOut(Mask):
    """Silence one stretch of each clip's sound, of a length drawn evenly up to `max_width` or half of the sound.

    DeVries & Taylor 2017, doi 10.48550/arXiv.1708.04552, of time.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 2

    max_width: float = Field(default=0.5, gt=0)
    """The longest stretch, in seconds."""

    def holes(self, real: Numbers, uniform: Numbers, channels: int, signal: Signal) -> Holes:
        widest = max(round(self.max_width * real.shape[1] / signal.duration), 1)
        first, end = masked(uniform, 1, widest, *real_places(real))
        return 0 * first, 0 * first + channels, first, end

    def fill(self, x: Numbers, real: Numbers, signal: Signal) -> Numbers:
        return 0.0
