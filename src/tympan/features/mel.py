"""Mel spectrogram: power in bands that are spaced as the ear hears pitch."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ..component import assume
from ..signals import Signal
from ._frames import Framed, Lengths, Scale, lengths, scaled

EmptyFilters = Literal["lengthen", "keep"]

LONGEST = 1 << 16  # samples: no transform is lengthened beyond

_Numbers = Float[np.ndarray, " numbers"]


class Mel(Framed):
    """The mel spectrogram of torchaudio or librosa, in decibels unless told otherwise.

    `torchaudio`: the HTK mel scale, filters of height 1, clips continued by reflection. `librosa`: Slaney's mel scale,
    filters of equal area, clips continued by silence. kac_drumset's is `{n_mels: 32, f_min: 22.05, window: 512 samples,
    hop: 256 samples, scale: linear, normalize: min_max, standardize: none}`.
    """

    n_mels: int = Field(default=80, ge=1)
    """The number of mel bands."""
    f_min: float = Field(default=0.0, ge=0)
    """The lowest frequency of the lowest band (Hz)."""
    f_max: float | None = Field(default=None, gt=0)
    """The highest frequency of the highest band (Hz); by default half the sample rate."""
    empty_filters: EmptyFilters = "lengthen"
    """Where a band lies between two bins of the transform and so would always be silent: lengthen the transform to the
    next power of two that leaves none, with a warning; or keep such bands, as the libraries do."""
    power: Literal[1, 2] = 2
    """2 for power, 1 for magnitude."""
    scale: Scale = "decibel"
    """Decibels; or the natural logarithm of a millionth more than the value; or the value itself."""
    top_db: float | None = Field(default=80.0, gt=0)
    """How far below the loudest value of the clip a level may lie, in dB; null sets no limit. Only decibels have it."""

    def build(self, audio: Signal) -> tuple[nn.Module, Signal]:
        """The module and its Signal, of channels `mel_0`, `mel_1`, ....

        Raises:
            ValueError: the clip is shorter than a window, or the lengths or frequencies do not fit the sample rate.
        """
        size = lengths(audio, self.window, self.hop, self.n_fft)
        filters, size = mel_filters(size, self.n_mels, self.f_min, self.f_max, self.convention, self.empty_filters)
        scale, unit = scaled(self.scale, self.power, self.convention, self.top_db)
        module = self.spectrum(size, self.power, scale, filters)
        return module, module.signal(audio, tuple(f"mel_{i}" for i in range(self.n_mels)), unit)


def mel_filters(
    size: Lengths,
    n_mels: int,
    f_min: float,
    f_max: float | None,
    convention: Literal["torchaudio", "librosa", "kaldi"],
    empty: EmptyFilters,
) -> tuple[Float[Tensor, "bands bins"], Lengths]:
    """The weights of the transform's bins in each mel band, and the lengths, with the transform lengthened if need be.

    Kaldi's triangles are straight on the mel scale, the others' in hertz.

    Raises:
        ValueError: the frequencies do not fit the sample rate, or no transform could fill the bands.
    """
    top = size.rate / 2
    high = top if f_max is None else f_max
    if high > top:
        raise ValueError(
            f"f_max {high:g} Hz is above {top:g} Hz, half the sample rate of {size.rate:g} Hz; "
            f"set f_max to at most {top:g}, or leave it out"
        )
    if f_min >= high:
        raise ValueError(f"f_min {f_min:g} Hz is not below f_max, {high:g} Hz; set a lower f_min")
    n_fft = size.n_fft
    weights = _triangles(n_fft, size.rate, n_mels, f_min, high, convention)
    silent = np.flatnonzero(weights.max(1) <= 0)
    while empty == "lengthen" and (weights.max(1) <= 0).any():
        n_fft = 1 << n_fft.bit_length()
        if n_fft > LONGEST:
            raise ValueError(
                f"{n_mels} mel bands between {f_min:g} and {high:g} Hz are too narrow for any transform of up to "
                f"{LONGEST} samples at {size.rate:g} Hz; set fewer n_mels or a wider range"
            )
        weights = _triangles(n_fft, size.rate, n_mels, f_min, high, convention)
    if n_fft != size.n_fft:
        assume(
            f"{len(silent)} of the {n_mels} mel bands (the first is band {silent[0]}) lie between the bins of a "
            f"transform of {size.n_fft} samples at {size.rate:g} Hz and would always be silent; n_fft is taken as "
            f"{n_fft}. To choose yourself, set n_fft: {n_fft}, or fewer n_mels, or a longer window, or "
            "empty_filters: keep"
        )
    return torch.from_numpy(weights.astype(np.float32)), Lengths(size.rate, size.window, size.hop, n_fft)


def _triangles(
    n_fft: int, rate: float, n_mels: int, f_min: float, f_max: float, convention: str
) -> Float[np.ndarray, "bands bins"]:
    to_mel, to_hz = (_slaney, _from_slaney) if convention == "librosa" else (_htk, _from_htk)
    x = np.linspace(0, rate / 2, n_fft // 2 + 1)
    low, high = to_mel(np.array([f_min, f_max]))
    edges = np.linspace(low, high, n_mels + 2)
    if convention == "kaldi":
        x = to_mel(x)
    else:
        edges = to_hz(edges)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    weights = np.minimum((x - left) / (centre - left), (right - x) / (right - centre))
    # Rounding is no weight: a bin on the very edge of a band does not fill it.
    weights = np.where(weights > 1e-9, weights, 0.0)
    return weights * 2 / (right - left) if convention == "librosa" else weights


def _htk(hz: _Numbers) -> _Numbers:
    return 2595 * np.log10(1 + hz / 700)


def _from_htk(mel: _Numbers) -> _Numbers:
    return 700 * (10 ** (mel / 2595) - 1)


def _slaney(hz: _Numbers) -> _Numbers:
    """Straight up to 1,000 Hz, which is mel 15; then 27 mel for each factor of 6.4 (Slaney, Auditory Toolbox, 1998)."""
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def _from_slaney(mel: _Numbers) -> _Numbers:
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
