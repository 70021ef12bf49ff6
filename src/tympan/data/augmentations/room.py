"""Room: a random tail of reverberation."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from ...signals import Signal
from . import Augmentation, On
from ._fourier import fast_length
from ._random import noise


class Room(Augmentation):
    """Add the reflections of a room: white noise that falls by 60 dB in a random time, convolved with each clip.

    That is the statistical room of Polack 1988, without early reflections; the sound itself arrives unchanged. The
    time is drawn evenly in seconds, the level of all reflections by that of the direct sound evenly in decibels. All
    channels of a clip have the same tail; it ends with the clip.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 4

    shortest: float = Field(default=0.1, gt=0)
    """The shortest reverberation time, in seconds."""
    longest: float = Field(default=0.8, gt=0)
    """The longest, in seconds."""
    low: float = Field(default=-30.0, ge=-80, le=20)
    """The lowest level of the tail by that of the direct sound, in dB."""
    high: float = Field(default=-6.0, ge=-80, le=20)
    """The highest, in dB."""

    @model_validator(mode="after")
    def _ordered(self) -> "Room":
        if self.shortest > self.longest or self.low > self.high:
            raise ValueError(
                f"room: from {self.shortest:g} to {self.longest:g} s and from {self.low:g} to {self.high:g} dB are "
                "no ranges; exchange the ends"
            )
        return self

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 4"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        frames = x.shape[2]
        seconds = self.shortest + (self.longest - self.shortest) * uniform[:, 0]
        level = 10 ** ((self.low + (self.high - self.low) * uniform[:, 1]) / 20)
        t = torch.arange(frames, device=x.device, dtype=x.dtype) * (signal.duration / frames)
        falls = torch.exp(-t * (6.907755 / seconds)[:, None]) * (t > 0)  # ln(1000)
        tail = noise(uniform[:, 2:], frames)[:, 0] * falls
        tail = tail * (level / tail.square().sum(1).sqrt().clamp(min=1e-12))[:, None]  # none within a sample
        n = fast_length(2 * frames)
        reflected = torch.fft.irfft(torch.fft.rfft(x, n) * torch.fft.rfft(tail, n)[:, None], n)[..., :frames]
        return (x + reflected) * real[:, None].to(x.dtype), real
