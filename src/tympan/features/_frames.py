"""Overlapping frames of a waveform -> their spectra: what spectrogram, mel, MFCC and fbank share."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ..signals import Length, Signal, samples
from . import Feature

BLOCK = 1024 * 512  # samples of frames: the intermediates of so many stay in a processor's cache
GROUP = 8  # filters: so many neighbours leave most of the bins alone

Convention = Literal["torchaudio", "librosa"]
Scale = Literal["decibel", "log", "linear"]


class Framed(Feature):
    """A feature of overlapping frames, centred on the seconds that they belong to."""

    window: Length = 0.025
    """The length of a frame: seconds, or '400 samples'. It is weighted by a periodic Hann window."""
    hop: Length = 0.010
    """The time from one frame to the next: seconds, or '160 samples'."""
    n_fft: int | None = Field(default=None, ge=2, multiple_of=2)
    """The length of the transform in samples, of which what the window leaves is zeros; by default the smallest power
    of two that holds the window."""
    convention: Convention = "torchaudio"
    """The library whose numbers are reproduced: torchaudio continues a clip by reflection, librosa by silence."""

    def spectrum(
        self,
        lengths: "Lengths",
        power: int,
        scale: nn.Module | None = None,
        filters: Float[Tensor, "bands bins"] | None = None,
    ) -> "Spectrum":
        """The module for these lengths."""
        padding = "reflect" if self.convention == "torchaudio" else "constant"
        return Spectrum(torch.hann_window(lengths.window), lengths.hop, lengths.n_fft, padding, power, filters, scale)


@dataclass(frozen=True)
class Lengths:
    """A sample rate (Hz), and the window, the hop and the transform in samples."""

    rate: float
    window: int
    hop: int
    n_fft: int


def lengths(audio: Signal, window: float | str, hop: float | str, n_fft: int | None = None) -> Lengths:
    """Lengths in samples; the transform, unless given, is the smallest power of two that holds the window.

    Raises:
        ValueError: the sound is not mono, or the lengths do not fit the sample rate or each other.
    """
    assert audio.rate is not None
    if len(audio.channels) != 1:
        raise ValueError(f"features are made of one channel, not {len(audio.channels)}; mix the sound down to mono")
    size, step = samples(window, audio.rate), samples(hop, audio.rate)
    if size < 2 or step < 1:
        raise ValueError(
            f"at {audio.rate:g} Hz a window of {window} is {size} samples and a hop of {hop} is {step}; "
            "at least 2 and 1 are needed"
        )
    length = n_fft or 1 << (size - 1).bit_length()
    if length < size:
        raise ValueError(
            f"n_fft {length} is shorter than the window of {size} samples ({window} at {audio.rate:g} Hz); "
            f"set n_fft to at least {size}, or leave it out"
        )
    return Lengths(audio.rate, size, step, length)


class Spectrum(nn.Module):
    """Frames, weighted, transformed, filtered, scaled: `(batch, 1, samples)` -> `(batch, bands, frames)`.

    On a processor it takes as many clips for each thread at once as a block holds, at least one, block by block:
    intermediates that leave the cache cost more than the arithmetic, and a call for every short clip costs more still.
    """

    window: Tensor

    def __init__(
        self,
        window: Float[Tensor, " window"],
        hop: int,
        n_fft: int,
        padding: Literal["reflect", "constant", "none"],
        power: int = 2,
        filters: Float[Tensor, "bands bins"] | None = None,
        scale: nn.Module | None = None,
    ) -> None:
        """Keep the constants.

        Args:
            window: the weights of a frame's samples.
            hop: samples from one frame to the next.
            n_fft: samples of the transform, at least those of the window.
            padding: how a clip is continued, so that frame i is centred on sample i * hop; with `none`, frame i
                starts there and a clip ends with the last whole frame.
            power: 2 for power, 1 for magnitude.
            filters: the weights of the bins in each band; by default the bins are the bands.
            scale: what is done to a clip's bands; by default nothing.
        """
        super().__init__()
        self.size, self.hop, self.n_fft, self.padding, self.power = len(window), hop, n_fft, padding, power
        # Multiplying by a window with zeros behind it is faster than letting the transform add them.
        self.register_buffer("window", nn.functional.pad(window, (0, n_fft - self.size)), persistent=False)
        self.filters = nn.ModuleList(_Filters(few, power) for few in ([] if filters is None else filters.split(GROUP)))
        self.scale = scale or nn.Identity()

    def frames(self, length: int) -> int:
        """How many frames a clip of `length` samples has.

        Raises:
            ValueError: it is shorter than a window.
        """
        if length < self.size:
            raise ValueError(
                f"a clip of {length} samples is shorter than the window of {self.size}; "
                f"give clips of at least {self.size} samples, or set a shorter `window`"
            )
        return 1 + (length - self.size * (self.padding == "none")) // self.hop

    def signal(self, audio: Signal, channels: tuple[str, ...], unit: str) -> Signal:
        """The Signal of the features of clips of `audio`."""
        assert audio.rate is not None
        rate = audio.rate / self.hop
        return Signal(channels, rate, self.frames(audio.frames) / rate, unit)

    def forward(self, x: Float[Tensor, "batch 1 samples"]) -> Float[Tensor, "batch bands frames"]:
        """The bands of every frame."""
        apart = x.device.type == "cpu" and not torch.compiler.is_compiling()
        many = max(BLOCK // (self.frames(x.shape[2]) * self.n_fft), 1) * torch.get_num_threads()
        few = x[:, 0].split(many) if apart else (x[:, 0],)
        return torch.cat([self.scale(self._bands(clips)) for clips in few])

    def _bands(self, x: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch bands frames"]:
        frames = self.frames(x.shape[1])
        x = self._padded(x, frames)
        blocks, many = [], min(max(BLOCK // self.n_fft, 1), 1024)
        for first in range(0, frames, many):
            last = min(first + many, frames) - 1
            cut = x[:, first * self.hop : last * self.hop + self.n_fft]
            blocks.append(self._filtered(self._weighted(cut)))
        return torch.cat(blocks, 2)

    def _padded(self, x: Float[Tensor, "batch samples"], frames: int) -> Float[Tensor, "batch padded"]:
        """Continued at both ends in one copy; `pad` would take two, and is slow where it reflects."""
        zeros = x.new_zeros(len(x), self.n_fft)
        spare = zeros[:, self.size :]
        if self.padding == "none":
            return torch.cat([x, spare], 1)
        # Half a window, rounded up: where torch.stft puts the middle of an odd one.
        before = (self.size + 1) // 2
        after = max((frames - 1) * self.hop + self.size - before - x.shape[1], 0)
        if self.padding == "constant":
            return torch.cat([zeros[:, :before], x, zeros[:, :after], spare], 1)
        return torch.cat([x[:, 1 : before + 1].flip(1), x, x[:, x.shape[1] - 1 - after : -1].flip(1), spare], 1)

    def _weighted(self, x: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch frames n_fft"]:
        return x.unfold(1, self.n_fft, self.hop) * self.window

    def _filtered(self, frames: Float[Tensor, "batch frames n_fft"]) -> Float[Tensor, "batch bands frames"]:
        z = torch.fft.rfft(frames)
        if self.power == 1:
            parts = z.abs()
        elif self.filters:
            # The squares of real and imaginary parts, one after the other: the filters add them up more cheaply.
            parts = torch.view_as_real(z).square_().flatten(2)
        else:
            parts = torch.addcmul(z.real.square(), z.imag, z.imag)
        return torch.cat([f(parts.mT) for f in self.filters], 1) if self.filters else parts.mT


class _Filters(nn.Module):
    """Neighbouring filters, which multiply only the bins that one of them hears: `(batch, parts, frames)` -> bands."""

    weights: Tensor

    def __init__(self, weights: Float[Tensor, "bands bins"], parts: int) -> None:
        """Keep the weights of those bins, each for all of its parts: magnitude, or two squares."""
        super().__init__()
        heard = weights.any(0).nonzero().flatten().tolist() or [0]
        first, last = heard[0], heard[-1] + 1
        self.parts = slice(parts * first, parts * last)
        self.register_buffer("weights", weights[:, first:last].repeat_interleave(parts, 1), persistent=False)

    def forward(self, parts: Float[Tensor, "batch parts frames"]) -> Float[Tensor, "batch bands frames"]:
        return self.weights @ parts[:, self.parts]


class Decibel(nn.Module):
    """Level in dB, at most `top_db` below the loudest of the clip: `(batch, bands, frames)` -> the same shape."""

    def __init__(self, power: int, least: float, top_db: float | None) -> None:
        """Keep the numbers: 2 for power or 1 for magnitude; what smaller values count as; the range in dB, if any."""
        super().__init__()
        self.factor, self.least, self.top_db = 20 / power, least, top_db

    def forward(self, x: Float[Tensor, "batch bands frames"]) -> Float[Tensor, "batch bands frames"]:
        """The level of every value."""
        level = self.factor * x.clamp(min=self.least).log10()
        if self.top_db is None:
            return level
        return torch.maximum(level, level.amax((1, 2), keepdim=True) - self.top_db)


class _Log(nn.Module):
    """The natural logarithm, as torchaudio's `log_mels` has it: `(batch, bands, frames)` -> the same shape."""

    def forward(self, x: Float[Tensor, "batch bands frames"]) -> Float[Tensor, "batch bands frames"]:
        return (x + 1e-6).log()


def scaled(scale: Scale, power: int, convention: Convention, top_db: float | None) -> tuple[nn.Module | None, str]:
    """What is done to a clip's bands, and the unit that they then have."""
    unit = "power" if power == 2 else "magnitude"
    if scale == "linear":
        return None, unit
    if scale == "log":
        return _Log(), f"log {unit}"
    # The two libraries differ in the smallest magnitude that has a level: -200 and -100 dB.
    return Decibel(power, 1e-5 if (convention, power) == ("librosa", 1) else 1e-10, top_db), "dB"
