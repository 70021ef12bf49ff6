"""Pitch shift: higher or lower by a random number of semitones, at the same tempo."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from . import On
from ._between import Between


class PitchShift(Between):
    """Move each clip's pitch by an interval drawn evenly between two, at its own tempo.

    A phase vocoder makes it longer or shorter, and it is then read at the speed that brings the length back. Formants
    move with the pitch, so that another speaker seems to be heard. `low` and `high` may be equal.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 1
    unit: ClassVar[str] = " semitones"
    nothing: ClassVar[float | None] = 0.0

    low: float = Field(default=-2.0, ge=-24, le=24)
    """The lowest shift, in semitones."""
    high: float = Field(default=2.0, ge=-24, le=24)
    """The highest, in semitones."""

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 1"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        from ._vocoder import read, stretched

        frames, channels = x.shape[2], x.shape[1]
        ratio = 2 ** (self.between(uniform) / 12)
        ratio = ratio.expand(-1, channels).flatten()
        longest = int(frames * 2 ** (max(self.high, 0.0) / 12)) + 1
        y = stretched(x.flatten(0, 1), 1 / ratio, frames / signal.duration, longest)
        y = read(y, ratio, torch.zeros_like(ratio), frames).unflatten(0, (-1, channels))
        return y * real[:, None].to(y.dtype), real
