"""Clipping: the loudest samples are cut off, as by a recorder that was set too loud."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from . import On
from ._between import Between


class Clipping(Between):
    """Cut every sample off that is above a level, drawn evenly in decibels below each clip's own peak."""

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 1
    unit: ClassVar[str] = " dB"

    low: float = Field(default=3.0, gt=0, le=60)
    """The least that is cut off, in dB below the peak."""
    high: float = Field(default=20.0, gt=0, le=60)
    """The most, in dB below the peak."""

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 1"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        below = self.between(uniform[:, :, None])
        peak = torch.maximum(x.amax((1, 2), keepdim=True), -x.amin((1, 2), keepdim=True))
        most = peak * 10 ** (-below / 20)
        return x.clamp(-most, most), real
