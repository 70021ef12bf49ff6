"""Gain: louder or softer by a random number of decibels."""

from typing import ClassVar

from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from ...signals import Signal
from . import Augmentation, On


class Gain(Augmentation):
    """Multiply each clip by a gain drawn evenly in decibels.

    It comes after a feature's `normalize: peak`, which would undo it. A feature in decibels or logarithms with
    `standardize: clip` or `channel` does undo it, but for its floor: there it only costs time.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 1

    low: float = Field(default=-12.0, ge=-120, le=120)
    """The lowest gain, in dB."""
    high: float = Field(default=12.0, ge=-120, le=120)
    """The highest gain, in dB."""

    @model_validator(mode="after")
    def _ordered(self) -> "Gain":
        if self.low > self.high:
            raise ValueError(f"gain.low is {self.low:g} dB, above gain.high, {self.high:g} dB; exchange them")
        return self

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 1"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        decibels = self.low + (self.high - self.low) * uniform
        return x * 10 ** (decibels[:, :, None] / 20), real
