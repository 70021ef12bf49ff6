"""Waveform -> features as a model hears them: level, augmentation, features, standardisation, padding taken out."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .data.augmentations import Augmentation
from .data.batch import real as real_samples
from .features import Feature
from .head import or_last, resample_mask
from .signals import Signal


class Representation(nn.Module):
    """Everything between a padded waveform and the backbone; float32 even under autocast."""

    def __init__(
        self,
        audio: Signal,
        padding: Literal["left", "right"],
        feature: Feature,
        augmentations: Sequence[Augmentation] = (),
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.audio, self.feature, self.seed = audio, feature, seed
        self.padding: Literal["left", "right"] = padding
        self.augmentations = {on: [a for a in augmentations if a.on == on] for on in ("waveform", "features")}
        self.features, self.signal = feature.build(audio)

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
            if self.feature.normalize == "peak":
                x = x / x.abs().amax((1, 2), keepdim=True).clamp(min=1e-8)
            x, real = self._augment("waveform", x, real, key, self.audio)
            x = self.features(x)
            real = self._real_frames(real, x.shape[2])
            x = standardize(x, real, self.feature.standardize)
            x, real = self._augment("features", x, real, key, self.signal)
            return x * real[:, None], real

    def _real_frames(self, real: Bool[Tensor, "batch samples"], frames: int) -> Bool[Tensor, "batch frames"]:
        rate, length = self.signal.rate, real.shape[1]
        if rate is None or frames == length:
            return resample_mask(real, frames)
        at = (torch.arange(frames, device=real.device) * (self.audio.rate or 0.0) / rate).round().long()
        return or_last(real[:, at.clamp(max=length - 1)])

    def _augment(self, on: str, x: Tensor, real: Tensor, key: Tensor | None, signal: Signal) -> tuple[Tensor, Tensor]:
        if self.training and self.augmentations[on]:
            if key is None:
                raise ValueError("augmentations need the `key` of each clip: (epoch, index)")
            for place, augmentation in enumerate(self.augmentations[on]):
                # Two augmentations of one type draw differently.
                x, real = augmentation(x, real, key, self.seed + 7919 * place, signal)
        return x, real


def standardize(
    x: Float[Tensor, "batch channels frames"],
    real: Bool[Tensor, "batch frames"],
    over: Literal["none", "clip", "channel"],
) -> Float[Tensor, "batch channels frames"]:
    """Zero mean and unit deviation over the real frames of each clip, or of each of its channels."""
    if over == "none":
        return x
    dims = (1, 2) if over == "clip" else (2,)
    mask = real[:, None].expand_as(x)
    n = mask.sum(dims, keepdim=True)
    zero = torch.zeros((), device=x.device)
    mean = torch.where(mask, x, zero).sum(dims, keepdim=True) / n
    variance = torch.where(mask, (x - mean) ** 2, zero).sum(dims, keepdim=True) / n
    return (x - mean) / (variance.sqrt() + 1e-5)
