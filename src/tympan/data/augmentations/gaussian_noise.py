"""Gaussian noise: white, at a random level below the sound's."""

from typing import ClassVar

from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from . import On
from ._between import Between
from ._places import lengths
from ._random import noise


class GaussianNoise(Between):
    """Add white noise at a signal-to-noise ratio drawn evenly in decibels, or of one deviation whatever the sound.

    The ratio is that of the mean squares over the real samples of a clip, all channels together; each channel has
    noise of its own. By a ratio silence stays silence.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 3
    unit: ClassVar[str] = " dB"

    low: float = Field(default=10.0, ge=-60, le=120)
    """The lowest signal-to-noise ratio, in dB."""
    high: float = Field(default=50.0, ge=-60, le=120)
    """The highest, in dB."""
    deviation: float | None = Field(default=None, gt=0, le=1)
    """The noise's own standard deviation, full scale being 1, instead of a ratio."""

    @property
    def unread(self) -> str | None:
        return "a deviation takes the place of the ratio" if self.deviation else None

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 3"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        white = noise(uniform[:, 1:], x.shape[1] * x.shape[2]).view_as(x)
        level = self.deviation or self._level(x, real, uniform)
        return x + level * white * real[:, None].to(x.dtype), real

    def _level(self, x: Tensor, real: Tensor, uniform: Tensor) -> Float[Tensor, "batch 1 1"]:
        ratio = self.between(uniform[:, 0])
        power = x.square().sum((1, 2)) / (lengths(real).clamp(min=1) * x.shape[1])
        return (power * 10 ** (-ratio / 10)).sqrt()[:, None, None]
