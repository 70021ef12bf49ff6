"""Mel-frequency cepstral coefficients: the shape of the spectrum in a few numbers."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from scipy.fft import dct
from torch import Tensor, nn

from ..signals import Length, Signal
from ._frames import Decibel, Framed, lengths
from .mel import EmptyFilters, mel_filters


class MFCC(Framed):
    """Cosine transform of mel bands in dB, none more than 80 below the loudest (Davis & Mermelstein, 1980).

    Coefficient 0 is the loudness, 1 the tilt of the spectrum, and so on to finer shapes. The conventions are those of
    torchaudio and librosa in their mel spectrograms too, so the two differ by hundreds.
    """

    window: Length = "400 samples"
    """The length of a frame: seconds, or '400 samples'. It is weighted by a periodic Hann window."""
    hop: Length = "160 samples"
    """The time from one frame to the next: seconds, or '160 samples'."""
    n_mfcc: int = Field(default=40, ge=1)
    """The number of coefficients, from the 0th on."""
    n_mels: int = Field(default=128, ge=1)
    """The number of mel bands, at least that of coefficients."""
    f_min: float = Field(default=0.0, ge=0)
    """The lowest frequency of the lowest band (Hz)."""
    f_max: float | None = Field(default=None, gt=0)
    """The highest frequency of the highest band (Hz); by default half the sample rate."""
    power: Literal[1, 2] = 2
    """Of what the bands are: 2 for power, 1 for magnitude. Their level is 10 times the logarithm of either, as in both
    libraries."""
    empty_filters: EmptyFilters = "lengthen"
    """Where a band lies between two bins of the transform and so would always be silent: lengthen the transform to the
    next power of two that leaves none, with a warning; or keep such bands, as the libraries do."""

    @model_validator(mode="after")
    def _enough_bands(self) -> "MFCC":
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc {self.n_mfcc} is more than n_mels {self.n_mels}; set n_mfcc to at most n_mels, or more n_mels"
            )
        return self

    def build(self, audio: Signal) -> tuple[nn.Module, Signal]:
        """The module and its Signal, of channels `mfcc_0`, `mfcc_1`, ....

        Raises:
            ValueError: the clip is shorter than a window, or the lengths or frequencies do not fit the sample rate.
        """
        size = lengths(audio, self.window, self.hop, self.n_fft)
        filters, size = mel_filters(size, self.n_mels, self.f_min, self.f_max, self.convention, self.empty_filters)
        scale = nn.Sequential(Decibel(2, 1e-10, 80.0), _Cosine(self.n_mels, self.n_mfcc))
        module = self.spectrum(size, self.power, scale, filters)
        return module, module.signal(audio, tuple(f"mfcc_{i}" for i in range(self.n_mfcc)), "dB")


class _Cosine(nn.Module):
    """The first coefficients of the orthonormal discrete cosine transform II over bands."""

    matrix: Tensor

    def __init__(self, bands: int, coefficients: int) -> None:
        super().__init__()
        matrix = dct(torch.eye(bands, dtype=torch.float64).numpy(), axis=0, norm="ortho")[:coefficients]
        self.register_buffer("matrix", torch.from_numpy(matrix).float().contiguous(), persistent=False)

    def forward(self, x: Float[Tensor, "batch bands frames"]) -> Float[Tensor, "batch coefficients frames"]:
        return self.matrix @ x
