"""Spectrogram: the power in each frequency bin of a short-time Fourier transform."""

from typing import Literal

from pydantic import Field
from torch import nn

from ..signals import Signal
from ._frames import Framed, Scale, lengths, scaled


class Spectrogram(Framed):
    """The short-time Fourier transform's power or magnitude, which keeps every frequency up to half the sample rate.

    kac_drumset's is `{window: 512 samples, hop: 256 samples, scale: linear, normalize: min_max, standardize: none}`.
    """

    power: Literal[1, 2] = 2
    """2 for power, 1 for magnitude."""
    scale: Scale = "decibel"
    """Decibels; or the natural logarithm of a millionth more than the value; or the value itself."""
    top_db: float | None = Field(default=80.0, gt=0)
    """How far below the loudest value of the clip a level may lie, in dB; null sets no limit. Only decibels have it."""

    def build(self, audio: Signal) -> tuple[nn.Module, Signal]:
        """The module and its Signal, whose channels are named by their frequency.

        Raises:
            ValueError: the clip is shorter than a window, or the lengths do not fit the sample rate.
        """
        size = lengths(audio, self.window, self.hop, self.n_fft)
        scale, unit = scaled(self.scale, self.power, self.convention, self.top_db)
        module = self.spectrum(size, self.power, scale)
        names = tuple(f"{bin * size.rate / size.n_fft:.10g} Hz" for bin in range(size.n_fft // 2 + 1))
        return module, module.signal(audio, names, unit)
