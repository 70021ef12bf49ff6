"""Sequences of frames: other numbers of them over the same time, and which of them are real."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from .signals import Signal

Pooling = Literal["mean", "max", "sum"]


def masked_mean(
    x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"]
) -> Float[Tensor, "batch width"]:
    """The mean over real frames."""
    return torch.where(real[:, None], x, torch.zeros((), dtype=x.dtype, device=x.device)).sum(2) / real.sum(1)[:, None]


def pooled(
    x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"], how: Pooling
) -> Float[Tensor, "batch width"]:
    """The mean, the largest or the sum of real frames."""
    if how == "max":
        return x.masked_fill(~real[:, None], -torch.inf).amax(2)
    return masked_mean(x, real) if how == "mean" else (x * real[:, None]).sum(2)


def resample(x: Float[Tensor, "batch channels frames"], frames: int) -> Float[Tensor, "batch channels {frames}"]:
    """To another number of frames over the same time: means where there are fewer, straight lines where more."""
    if frames <= x.shape[2]:
        return nn.functional.adaptive_avg_pool1d(x, frames)
    return nn.functional.interpolate(x, size=frames, mode="linear", align_corners=False)


def resample_mask(real: Bool[Tensor, "batch frames"], frames: int) -> Bool[Tensor, "batch {frames}"]:
    """Which of another number of frames are real; at least the last, so that there is something to pool."""
    at = ((torch.arange(frames, device=real.device) + 0.5) * real.shape[1] / frames).long()
    return or_last(real[:, at])


def or_last(real: Bool[Tensor, "batch frames"]) -> Bool[Tensor, "batch frames"]:
    """The same mask, but with the last frame real where none is."""
    last = torch.arange(real.shape[1], device=real.device) == real.shape[1] - 1
    return real | (~real.any(1, keepdim=True) & last)


def resample_real(
    x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"], frames: int, causal: bool = False
) -> tuple[Float[Tensor, "batch channels {frames}"], Bool[Tensor, "batch {frames}"]]:
    """To another number of frames that do not hear padding, and which of them are real; what is not is 0.

    Where there are fewer, each is the mean over the real ones that end within it. Where there are more, each is the one
    in whose time its middle lies or, if `causal`, the last one that has ended: none before the first has.
    """
    before, device = x.shape[2], x.device
    there = resample_mask(real, frames)
    ends = torch.arange(frames + 1, device=device) * before // frames  # of whole frames that have ended
    if frames < before:
        at = ends[:-1, None] + torch.arange(-(-before // frames), device=device)
        own = (at < ends[1:, None]) & real[:, at.clamp(max=before - 1)]
        x = (x[:, :, at.clamp(max=before - 1)] * own[:, None]).sum(3) / own.sum(2)[:, None].clamp(min=1)
    elif frames > before and causal:
        x = x[:, :, (ends[1:] - 1).clamp(min=0)] * (ends[1:] > 0)
    elif frames > before:
        x = x[:, :, ((torch.arange(frames, device=device) + 0.5) * before / frames).long()]
    return x.masked_fill(~there[:, None], 0), there


def levels(
    waveform: Float[Tensor, "batch channels samples"], sample_rate: float, rate: float | None, frames: int
) -> Float[Tensor, "batch {frames}"]:
    """The level of the 64 ms around each frame of a rate (Hz), in dB, where 0 is full scale, all channels together;
    without a rate that of the loudest 64 ms.

    It is exact to a millisecond: powers are averaged over as long first.
    """
    block = max(round(sample_rate / 1000), 1)
    power = waveform.float().square().mean(1, keepdim=True)
    power = nn.functional.avg_pool1d(power, block, ceil_mode=True)
    power = nn.functional.avg_pool1d(power, 64, 1, padding=32)[:, 0]
    if rate is None:
        power = power.amax(1, keepdim=True)
    at = torch.arange(frames, device=waveform.device) * (sample_rate / (rate or 1.0) / block)
    return 10 * torch.log10(power[:, at.round().long().clamp(max=power.shape[1] - 1)].clamp(min=1e-12))


class Steps(NamedTuple):
    """How many steps a target has over any number of frames."""

    frames: int
    """Frames of a clip."""
    steps: int
    """Steps of a clip."""
    per_frame: float
    """Steps for each frame more."""

    @classmethod
    def of(cls, features: Signal, target: Signal) -> "Steps":
        """Those of a target with a rate, over frames of the features."""
        assert target.rate is not None
        return cls(features.frames, target.frames, target.rate * features.duration / features.frames)

    def over(self, frames: int) -> int:
        """The steps over so many frames; at least one."""
        return max(self.steps + round((frames - self.frames) * self.per_frame), 1)
