"""Kaldi's log-mel filter bank, which pretrained speech and audio networks hear."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ..signals import Length, Signal
from . import Feature
from ._frames import Spectrum, lengths
from .mel import EmptyFilters, mel_filters


class Fbank(Feature):
    """Log power in mel bands as `torchaudio.compliance.kaldi.fbank` has it, without dither and without energy.

    A frame loses its mean, is pre-emphasised and windowed. Frames begin on a multiple of the hop and end within the
    clip, so that frame i is centred half a window after second i / rate. Where a length in seconds is no whole number
    of samples it is rounded, where Kaldi cuts it off. Without energy, Kaldi's `htk_compat` changes nothing.
    """

    window: Length = 0.025
    """The length of a frame: seconds, or '400 samples'."""
    hop: Length = 0.010
    """The time from one frame to the next: seconds, or '160 samples'."""
    window_type: Literal["hanning", "povey"] = "hanning"
    """How a frame's samples are weighted: a symmetric Hann window, or Kaldi's own, which is that to the power 0.85."""
    preemphasis: float = Field(default=0.97, ge=0, le=1)
    """How much of the sample before is taken from each sample."""
    n_mels: int = Field(default=128, ge=1)
    """The number of mel bands."""
    f_min: float = Field(default=20.0, ge=0)
    """The lowest frequency of the lowest band (Hz)."""
    f_max: float | None = Field(default=None, gt=0)
    """The highest frequency of the highest band (Hz); by default half the sample rate."""
    n_fft: int | None = Field(default=None, ge=2, multiple_of=2)
    """The length of the transform in samples, of which what the window leaves is zeros; by default the smallest power
    of two that holds the window, as in Kaldi."""
    power: Literal[1, 2] = 2
    """2 for power, 1 for magnitude (Kaldi's `use_power`)."""
    empty_filters: EmptyFilters = "lengthen"
    """Where a band lies between two bins of the transform and so would always be silent: lengthen the transform to the
    next power of two that leaves none, with a warning; or keep such bands, as networks pretrained on them need."""

    def build(self, audio: Signal) -> tuple[nn.Module, Signal]:
        """The module and its Signal, of channels `fbank_0`, `fbank_1`, ....

        Raises:
            ValueError: the clip is shorter than a window, or the lengths or frequencies do not fit the sample rate.
        """
        size = lengths(audio, self.window, self.hop, self.n_fft)
        filters, size = mel_filters(size, self.n_mels, self.f_min, self.f_max, "kaldi", self.empty_filters)
        window = torch.hann_window(size.window, periodic=False)
        if self.window_type == "povey":
            window = window.pow(0.85)
        module = _Kaldi(self.preemphasis, window, size.hop, size.n_fft, self.power, filters)
        unit = "log power" if self.power == 2 else "log magnitude"
        return module, module.signal(audio, tuple(f"fbank_{i}" for i in range(self.n_mels)), unit)


class _Kaldi(Spectrum):
    """Spectra of frames without their mean, pre-emphasised."""

    def __init__(
        self, preemphasis: float, window: Float[Tensor, " window"], hop: int, n_fft: int, power: int, filters: Tensor
    ) -> None:
        super().__init__(window, hop, n_fft, "none", power, filters, _Floored())
        self.preemphasis = preemphasis

    def _weighted(self, x: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch frames n_fft"]:
        # Both are linear, so the whole clip is pre-emphasised before it is cut, and the mean, of which pre-emphasis
        # leaves a part, is taken off after. A frame's first sample, which has none before it, weighs nothing.
        mean = x.unfold(1, self.n_fft, self.hop)[..., : self.size].mean(2, keepdim=True)
        x = torch.cat([x[:, :1], x[:, 1:] - self.preemphasis * x[:, :-1]], 1)
        return (x.unfold(1, self.n_fft, self.hop) - (1 - self.preemphasis) * mean) * self.window


class _Floored(nn.Module):
    """The natural logarithm, at least that of the smallest step of a 32-bit number, as in Kaldi."""

    def forward(self, x: Float[Tensor, "batch bands frames"]) -> Float[Tensor, "batch bands frames"]:
        return x.clamp(min=torch.finfo(torch.float32).eps).log()
