"""Embeddings -> the target's channels and frames: pooling or resampling, then a small classifier or regressor."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from .component import Section
from .frames import masked_mean, resample, resample_mask
from .signals import Signal

_ACTIVATIONS = {"none": nn.Identity, "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


class Head(Section):
    """How an embedding becomes a prediction."""

    pooling: Literal["mean", "attention", "max", "flatten"] = "mean"
    """How the frames of an embedding become one, for a target that is given once per clip."""
    upsampling: Literal["linear", "residual"] = "linear"
    """How an embedding reaches a target that has more frames: by straight lines between its predictions, or by learned
    convolutions of it."""
    bottleneck: int | None = Field(default=None, ge=1)
    """Width of a dense layer before the last one; none by default."""
    activation: Literal["none", "relu", "gelu", "silu", "tanh"] = "relu"
    """The activation after the bottleneck."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the last layer."""
    layer_norm: bool = False
    """Layer normalisation between the bottleneck and its activation."""

    def build(self, embedding: Signal, target: Signal) -> "HeadModule":
        """The module that maps `(batch, width, frames)` to the target's `(batch, channels, frames)`.

        Raises:
            ValueError: residual upsampling is chosen, and the target has no more frames than the embedding.
        """
        return HeadModule(self, embedding, target)


class HeadModule(nn.Module):
    """Pool to one frame, or project every frame and resample to the target's rate."""

    def __init__(self, head: Head, embedding: Signal, target: Signal) -> None:
        super().__init__()
        self.pooling = head.pooling if target.rate is None else None
        self.frames = target.frames
        width = len(embedding.channels) * (embedding.frames if self.pooling == "flatten" else 1)
        self.upsample = None
        if head.upsampling == "residual":
            if target.frames <= embedding.frames:
                raise ValueError(
                    f"head.upsampling: residual is for targets of more frames than the embedding, which has "
                    f"{embedding.frames} for the target's {target.frames}; leave it out"
                )
            self.upsample = _ResidualUpsampler(width, embedding.frames, target.frames)
        self.attention = nn.Linear(width, 1) if self.pooling == "attention" else None
        self.dense = nn.Linear(width, head.bottleneck) if head.bottleneck else None
        self.norm = nn.LayerNorm(head.bottleneck) if head.bottleneck and head.layer_norm else nn.Identity()
        self.activation = _ACTIVATIONS[head.activation]() if head.bottleneck else nn.Identity()
        self.dropout = nn.Dropout(head.dropout)
        self.last = nn.Linear(head.bottleneck or width, len(target.channels))

    def forward(
        self, x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch channels out"]:
        if self.upsample is not None:
            return self.each(self.upsample(x, real))
        y = self._project(self.pool(x, real))
        return y if self.pooling else resample(y, self.frames)

    def begin(self, last: Mapping[str, Tensor]) -> None:
        """Begin with weights of the last layer, if there are any.

        Raises:
            ValueError: they are for another width, because of what lies before the layer.
        """
        if last and last["weight"].shape != self.last.weight.shape:
            raise ValueError(
                f"head: the weights to begin with hear {last['weight'].shape[1]} values, and the last layer "
                f"{self.last.weight.shape[1]}; leave `bottleneck` out, and for one value per clip take `pooling: mean`"
            )
        if last:
            self.last.load_state_dict(last)

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


class _ResidualUpsampler(nn.Module):
    """To more frames by blocks of two convolutions and four times the frames, then by one for the rest.

    Frames of padding are 0 again after every convolution.
    """

    def __init__(self, width: int, frames: int, more: int) -> None:
        super().__init__()
        self.sizes = []
        while frames < more:
            frames = 4 * frames if 4 * frames <= more else more
            self.sizes.append(frames)
        self.first = _convolution(width, 9)
        self.blocks = nn.ModuleList(nn.ModuleList(_convolution(width, 5) for _ in range(2)) for _ in self.sizes)
        self.last = nn.ModuleList(_convolution(width, 3) for _ in range(2))

    def forward(
        self, x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch width more"]:
        x = self.first(x).masked_fill(~real[:, None], 0)
        for size, convolutions in zip(self.sizes, self.blocks, strict=True):
            y = _each(convolutions, x, real)
            x, real = resample(x + y, size), resample_mask(real, size)
            x = x.masked_fill(~real[:, None], 0)
        return _each(self.last, x, real)


def _convolution(width: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(width, width, kernel, padding=kernel // 2), nn.LeakyReLU(0.2))


def _each(
    convolutions: Any, x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"]
) -> Float[Tensor, "batch width frames"]:
    for convolution in convolutions:
        x = convolution(x).masked_fill(~real[:, None], 0)
    return x
