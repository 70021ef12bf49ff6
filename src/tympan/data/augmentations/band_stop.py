"""Band-stop: a random band of frequencies is missing."""

import math
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from ...signals import Signal
from . import Augmentation, On


class BandStop(Augmentation):
    """Take a band out of each clip: its centre is drawn evenly in octaves, its width evenly up to `max_width`.

    The filter has zero phase, is 1 outside of the band and 0 within, and passes from one to the other along half a
    cosine of a quarter of the band on each side.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 2

    lowest: float = Field(default=200.0, gt=0)
    """The lowest centre (Hz)."""
    highest: float = Field(default=4000.0, gt=0)
    """The highest centre (Hz), at most half the sample rate."""
    max_width: float = Field(default=1.0, gt=0, le=4)
    """The widest band, in octaves; the narrowest is a tenth of it."""

    @model_validator(mode="after")
    def _ordered(self) -> "BandStop":
        if self.lowest > self.highest:
            raise ValueError(
                f"band_stop.lowest is {self.lowest:g} Hz, above highest, {self.highest:g} Hz; exchange them"
            )
        return self

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 2"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        """The changed sound.

        Raises:
            ValueError: the lowest centre is not below half the sample rate.
        """
        top = x.shape[2] / signal.duration / 2
        if self.lowest >= top:
            raise ValueError(f"band_stop.lowest, {self.lowest:g} Hz, is not below {top:g} Hz, half the sample rate")
        octaves = math.log2(min(self.highest, top) / self.lowest)
        centre = math.log2(self.lowest) + octaves * uniform[:, :1]
        width = self.max_width * (0.1 + 0.9 * uniform[:, 1:])
        n = x.shape[2] + x.shape[2] % 2
        frequency = torch.linspace(0, top, n // 2 + 1, device=x.device, dtype=x.dtype).clamp(min=1e-3).log2()
        away = (frequency - centre).abs() / (width / 2)
        kept = 0.5 - 0.5 * ((away - 0.75) * 4).clamp(0, 1).mul(math.pi).cos()
        y = torch.fft.irfft(torch.fft.rfft(x, n).mul_(kept[:, None]), n)[..., : x.shape[2]]
        return y.mul_(real[:, None]), real
