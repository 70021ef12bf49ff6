"""Embeddings -> the target's channels and frames: pooling or resampling, then a small classifier or regressor."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from .component import Section
from .signals import Signal

_ACTIVATIONS = {"none": nn.Identity, "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


class Head(Section):
    """How an embedding becomes a prediction."""

    pooling: Literal["mean", "attention", "max", "flatten"] = "mean"
    """How the frames of an embedding become one, for a target that is given once per clip."""
    bottleneck: int | None = Field(default=None, ge=1)
    """Width of a dense layer before the last one; none by default."""
    activation: Literal["none", "relu", "gelu", "silu", "tanh"] = "relu"
    """The activation after the bottleneck."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the last layer."""
    layer_norm: bool = False
    """Layer normalisation between the bottleneck and its activation."""

    def build(self, embedding: Signal, target: Signal) -> "HeadModule":
        """The module that maps `(batch, width, frames)` to the target's `(batch, channels, frames)`."""
        return HeadModule(self, embedding, target)


class HeadModule(nn.Module):
    """Pool to one frame, or project every frame and resample to the target's rate."""

    def __init__(self, head: Head, embedding: Signal, target: Signal) -> None:
        super().__init__()
        self.pooling = head.pooling if target.rate is None else None
        self.frames = target.frames
        width = len(embedding.channels) * (embedding.frames if self.pooling == "flatten" else 1)
        self.attention = nn.Linear(width, 1) if self.pooling == "attention" else None
        self.dense = nn.Linear(width, head.bottleneck) if head.bottleneck else None
        self.norm = nn.LayerNorm(head.bottleneck) if head.bottleneck and head.layer_norm else nn.Identity()
        self.activation = _ACTIVATIONS[head.activation]() if head.bottleneck else nn.Identity()
        self.dropout = nn.Dropout(head.dropout)
        self.last = nn.Linear(head.bottleneck or width, len(target.channels))

    def forward(
        self, x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch channels out"]:
        y = self._project(self.pool(x, real))
        return y if self.pooling else resample(y, self.frames)

    def each(self, x: Float[Tensor, "batch width frames"]) -> Float[Tensor, "batch channels frames"]:
        """Every frame by itself, as many as there are; for embeddings at the target's own rate."""
        return self._project(x.transpose(1, 2))

    def pool(
        self, x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch pooled_frames pooled_width"]:
        """One frame for the clip, of the real frames alone; every frame for a target that has a rate."""
        if self.pooling == "flatten":
            return (x * real[:, None]).flatten(1)[:, None]
        if self.pooling == "max":
            return x.masked_fill(~real[:, None], -torch.inf).amax(2)[:, None]
        if self.pooling == "mean":
            return masked_mean(x, real)[:, None]
        x = x.transpose(1, 2)
        if self.attention is None:
            return x
        weight = self.attention(x).masked_fill(~real[:, :, None], -torch.inf).softmax(1)
        return (weight * x).sum(1, keepdim=True)

    def _project(self, y: Float[Tensor, "batch frames width"]) -> Float[Tensor, "batch channels frames"]:
        if self.dense is not None:
            y = self.activation(self.norm(self.dense(y)))
        return self.last(self.dropout(y)).transpose(1, 2).float()


def masked_mean(
    x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"]
) -> Float[Tensor, "batch width"]:
    """The mean over real frames."""
    return torch.where(real[:, None], x, torch.zeros((), dtype=x.dtype, device=x.device)).sum(2) / real.sum(1)[:, None]


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
