"""Waveform -> features as a model hears them: level, augmentation, rate, features, standardisation, no padding."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torchaudio.transforms import Resample

from .data.augmentations import Augmentation
from .data.batch import real as real_samples
from .features import Feature
from .frames import or_last, resample_mask
from .signals import Signal

LARGEST = 1 << 24  # weights: no resampler's filters are larger (64 MiB)


class Representation(nn.Module):
    """Everything between a padded waveform and the backbone; float32 even under autocast.

    A feature is of one channel: each of several is heard by itself, and the features are laid one after the other.
    """

    def __init__(
        self,
        audio: Signal,
        padding: Literal["left", "right"],
        feature: Feature,
        augmentations: Sequence[Augmentation] = (),
        seed: int = 0,
    ) -> None:
        """Build the feature for clips of one Signal.

        Raises:
            ValueError: the feature's fields cannot be met by this sound.
        """
        super().__init__()
        self.audio, self.feature, self.seed = audio, feature, seed
        self.padding: Literal["left", "right"] = padding
        self.augmentations = {
            on: [(place_seed(seed, place), a) for place, a in enumerate(augmentations) if a.on == on]
            for on in ("waveform", "features")
        }
        self.heard = _at(audio, feature.sample_rate)
        self.resample = None if self.heard.rate == audio.rate else _resampler(audio, self.heard)
        self.features, self.signal = _of_every_channel(feature, self.heard)
        self.unheard = max(self.signal.frames - (feature.target_length or self.signal.frames), 0)
        """Frames that are cut off of a clip that is sound throughout."""
        if feature.target_length and self.signal.rate:
            self.signal = replace(self.signal, duration=feature.target_length / self.signal.rate)

    def forward(
        self,
        waveform: Float[Tensor, "batch channels samples"],
        key: Int[Tensor, "batch 2"] | None = None,
        samples: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch features frames"], Bool[Tensor, "batch frames"]]:
        """The features, 0 where they are padding, and which frames are real; augmented in training."""
        length = waveform.shape[2]
        if samples is None:
            samples = torch.full((len(waveform),), length, device=waveform.device)
        with torch.autocast(waveform.device.type, enabled=False):
            x, real = waveform.float(), real_samples(samples, length, self.padding)
            x = level(x, real, self.feature.normalize)
            x, real = self._augment("waveform", x, real, key, self.audio)
            if self.resample is not None:
                x, real = self._resampled(x, real, self.resample)
            x = self.features(x.flatten(0, 1)[:, None])
            x = x.unflatten(0, (len(waveform), len(self.audio.channels))).flatten(1, 2)
            real = self._real_frames(real, x.shape[2])
            # By selection, once: what a feature makes of silence may be infinite, and infinity times 0 is NaN.
            x = torch.where(real[:, None], x, torch.zeros((), device=x.device))
            x, real = self._of_length(x, real)
            x = self._standardized(x, real)
            centred = self.signal if self.feature.standardize == "none" else replace(self.signal, mean=0.0)
            x, real = self._augment("features", x, real, key, centred)
            return x * real[:, None], real

    def _resampled(self, x: Tensor, real: Tensor, resample: nn.Module) -> tuple[Tensor, Tensor]:
        assert self.audio.rate is not None and self.heard.rate is not None
        frames = _length(x.shape[2], self.audio.rate, self.heard.rate)
        at = torch.arange(frames, device=x.device) * int(self.audio.rate) // int(self.heard.rate)
        real = real[:, at]
        # Filters ring into the padding, which must stay silent.
        return resample(x)[:, :, :frames] * real[:, None], real

    def _real_frames(self, real: Bool[Tensor, "batch samples"], frames: int) -> Bool[Tensor, "batch frames"]:
        rate, length = self.signal.rate, real.shape[1]
        if rate is None or frames == length:
            return resample_mask(real, frames)
        at = (torch.arange(frames, device=real.device) * (self.heard.rate or 0.0) / rate).round().long()
        return or_last(real[:, at.clamp(max=length - 1)])

    def _of_length(self, x: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """The frames from where each clip's sound begins, or padded with frames that are not real, to the length that
        is asked for."""
        frames = self.feature.target_length or x.shape[2]
        more = frames - x.shape[2]
        if more < 0 and self.padding == "left":  # what is not sound goes first
            begin = real.int().argmax(1).clamp(max=-more)
            at = begin[:, None] + torch.arange(frames, device=x.device)
            return x.gather(2, at[:, None].expand(-1, x.shape[1], -1)), real.gather(1, at)
        sides = (more, 0) if self.padding == "left" else (0, more)
        return (functional.pad(x, sides), functional.pad(real, sides, value=False)) if more else (x, real)

    def _standardized(self, x: Tensor, real: Tensor) -> Tensor:
        over, mean, std = self.feature.standardize, self.feature.mean, self.feature.std
        if over != "dataset":
            return standardize(x, real, over)
        if mean is None or std is None:
            raise ValueError("features.mean and std are not known yet; give them, or compute them of the training part")
        return (x - mean) / std * real[:, None]

    def _augment(self, on: str, x: Tensor, real: Tensor, key: Tensor | None, signal: Signal) -> tuple[Tensor, Tensor]:
        if self.training and self.augmentations[on]:
            if key is None:
                raise ValueError("augmentations need the `key` of each clip: (epoch, index)")
            for seed, augmentation in self.augmentations[on]:
                # Features were made here; a waveform is the caller's.
                x, real = augmentation(x, real, key, seed, signal, ours=on == "features")
        return x, real


def place_seed(seed: int, place: int) -> int:
    """The seed of an augmentation by its place, so that two of one type draw differently."""
    return seed + 7919 * place


def level(
    x: Float[Tensor, "batch channels samples"],
    real: Bool[Tensor, "batch samples"],
    to: Literal["none", "peak", "min_max"],
) -> Float[Tensor, "batch channels samples"]:
    """Each clip's real samples, of all channels together, brought to one level; the padding stays 0."""
    if to == "none":
        return x
    if to == "peak":
        return x / x.abs().amax((1, 2), keepdim=True).clamp(min=1e-8)
    mask = real[:, None]
    low = x.masked_fill(~mask, torch.inf).amin((1, 2), keepdim=True)
    span = x.masked_fill(~mask, -torch.inf).amax((1, 2), keepdim=True) - low
    # A constant clip has nothing to stretch, one that is all padding no span at all.
    known = mask & (span > 0)
    return torch.where(known, 2 * (x - low) / torch.where(span > 0, span, 1.0) - 1, 0.0)


def standardize(
    x: Float[Tensor, "batch channels frames"],
    real: Bool[Tensor, "batch frames"],
    over: Literal["none", "clip", "channel"],
) -> Float[Tensor, "batch channels frames"]:
    """Zero mean and unit deviation over the real frames of each clip, or of each of its channels.

    Args:
        x: finite everywhere, and 0 where it is padding, as is the result.
    """
    if over == "none":
        return x
    dims = (1, 2) if over == "clip" else (2,)
    n = real.sum(1)[:, None, None] * (x.shape[1] if over == "clip" else 1)
    y = (x - x.sum(dims, keepdim=True) / n) * real[:, None]
    return y / (torch.linalg.vector_norm(y, dim=dims, keepdim=True) / n.sqrt() + 1e-5)


def _length(samples: int, rate: float, new: float) -> int:
    """Samples that lie within `samples` of another rate."""
    return max(samples * int(new) // int(rate), 1)


def _at(audio: Signal, rate: int | None) -> Signal:
    """The same sound at another rate: the whole samples that lie within the clip."""
    if rate is None or rate == audio.rate:
        return audio
    assert audio.rate is not None
    return replace(audio, rate=float(rate), duration=_length(audio.frames, audio.rate, float(rate)) / rate)


def _resampler(audio: Signal, heard: Signal) -> nn.Module:
    assert audio.rate is not None and heard.rate is not None
    old, new = int(audio.rate), int(heard.rate)
    common = math.gcd(old, new)
    # A filter for each phase between the two rates, 64 zero crossings to each side of every sample.
    if new // common * (old // common + 128 * max(old // new, 1)) > LARGEST:
        raise ValueError(
            f"features.sample_rate: {new} Hz and the data's {old} Hz have no common divisor above {common}, and so "
            f"would need too many filters; set the data's sample_rate to {new}, or take a rate that shares more"
        )
    # Kaiser's window with 120 dB of rejection; torchaudio's own choice lets aliases through at -11 dB.
    resample = Resample(
        old,
        new,
        resampling_method="sinc_interp_kaiser",
        lowpass_filter_width=64,
        rolloff=0.9475937167399596,
        beta=14.769656459379492,
    )
    # Nothing is learned, so nothing is saved.
    resample.register_buffer("kernel", resample.get_buffer("kernel"), persistent=False)
    return resample


def _of_every_channel(feature: Feature, heard: Signal) -> tuple[nn.Module, Signal]:
    """The feature of one channel, and the Signal of those of all, one after the other."""
    if len(heard.channels) == 1:
        return feature.build(heard)
    one = replace(heard, channels=("mono",))
    module, signal = feature.build(one)
    if signal.channels == one.channels:
        names = heard.channels
    else:
        names = tuple(f"{channel} {name}" for channel in heard.channels for name in signal.channels)
    return module, replace(signal, channels=names, planes=len(heard.channels) * signal.planes)
