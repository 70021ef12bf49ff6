"""Equalizer: a random smooth frequency response, as of another microphone, place or loudspeaker."""

import math
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from . import Augmentation, On
from ._fourier import fast_length

_KNOTS = 8


class Equalizer(Augmentation):
    """Filter each clip by gains drawn evenly in decibels at eight frequencies, evenly apart in octaves.

    They go from `lowest` to half the sample rate; between them the level is a straight line over octaves, and below
    it is that of the lowest. The filter has minimum phase (Oppenheim & Schafer, Discrete-Time Signal Processing, the
    folded real cepstrum), so that nothing sounds before its cause. All channels of a clip have the same one.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = _KNOTS

    max_gain: float = Field(default=9.0, gt=0, le=60)
    """The largest gain and the largest loss, in dB."""
    lowest: float = Field(default=50.0, gt=0)
    """The lowest frequency with a gain of its own (Hz)."""

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch knots"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        n = 2 * fast_length(x.shape[2])  # what the filter rings on does not come round
        top = x.shape[2] / signal.duration / 2
        frequencies = torch.linspace(0, top, n // 2 + 1, device=x.device, dtype=x.dtype)
        if self.lowest >= top:
            raise ValueError(f"equalizer.lowest, {self.lowest:g} Hz, is not below {top:g} Hz, half the sample rate")
        octaves = math.log2(top / self.lowest)
        at = (frequencies.clamp(min=self.lowest) / self.lowest).log2() * ((_KNOTS - 1) / octaves)
        hats = (1 - (at[:, None] - torch.arange(_KNOTS, device=x.device)).abs()).clamp(min=0)
        level = (2 * uniform - 1) @ hats.T * (self.max_gain * math.log(10) / 20)
        cepstrum = torch.fft.irfft(level.to(torch.complex64), n)
        fold = torch.ones(n, device=x.device)
        fold[1 : n // 2] = 2
        fold[n // 2 + 1 :] = 0
        response = torch.fft.rfft(cepstrum * fold).exp()
        y = torch.fft.irfft(torch.fft.rfft(x, n) * response[:, None], n)[..., : x.shape[2]]
        return y * real[:, None].to(x.dtype), real
