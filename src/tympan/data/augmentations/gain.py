"""Gain: louder or softer by a random number of decibels."""

from typing import ClassVar

from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from . import On
from ._between import Between


class Gain(Between):
    """Multiply each clip by a gain drawn evenly in decibels.

    It comes after a feature's `normalize: peak`, which would undo it. A feature in decibels or logarithms with
    `standardize: clip` or `channel` does undo it, but for its floor: there it only costs time.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 1
    unit: ClassVar[str] = " dB"
    nothing: ClassVar[float | None] = 0.0

    low: float = Field(default=-12.0, ge=-120, le=120)
    """The lowest gain, in dB."""
    high: float = Field(default=12.0, ge=-120, le=120)
    """The highest gain, in dB."""

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 1"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        return x * 10 ** (self.between(uniform)[:, :, None] / 20), real
