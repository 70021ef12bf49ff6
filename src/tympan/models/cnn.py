"""A residual convolutional network over time, in which padding does not count."""

import torch
from jaxtyping import Bool, Float
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from ..signals import Signal
from . import Model


class CNN(Model):
    """Residual blocks of two convolutions, each followed by a mean over `stride` frames.

    The blocks are those of He et al. 2016 (doi 10.48550/arXiv.1603.05027, normalisation first), over one dimension.
    Normalisation is over the channels of each frame, so that neither padding nor batch mates matter, and padded frames
    are 0 again after every layer: a padded clip is answered as if it had been cut.
    """

    width: int = Field(default=64, ge=1)
    """Channels of every layer, and of the embedding."""
    layers: int = Field(default=4, ge=1)
    """Residual blocks."""
    kernel: int = Field(default=3, ge=1)
    """Frames that a convolution sees at once; odd."""
    stride: int = Field(default=2, ge=1)
    """Frames that become one after each block; with 1 the embedding keeps the rate of the features."""
    causal: bool = False
    """Whether convolutions hear earlier frames alone."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout at the end of each block."""

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError(f"a kernel has a frame in the middle: {kernel} is even, use {kernel - 1} or {kernel + 1}")
        return kernel

    @property
    def hears_future(self) -> bool:
        return not self.causal

    def build(self, features: Signal, target: Signal) -> tuple[nn.Module, Signal]:
        """The module, and the Signal of its embedding, `stride ** layers` times slower than the features."""
        frames = -(-features.frames // self.stride**self.layers)
        names = tuple(f"embedding_{i}" for i in range(self.width))
        embedding = Signal(names, frames / features.duration, features.duration)
        return _Network(self, len(features.channels)), embedding


class _Network(nn.Module):
    def __init__(self, model: CNN, channels: int) -> None:
        super().__init__()
        self.stride, self.total, self.causal = model.stride, model.stride**model.layers, model.causal
        self.stem = _Convolution(model, channels)
        self.blocks = nn.ModuleList(_Block(model) for _ in range(model.layers))
        self.norm = nn.LayerNorm(model.width)

    def forward(
        self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch width embedded"]:
        # A whole number of strides, so that both ends of a clip lie on the grid, whichever of them is padded.
        missing = -x.shape[2] % self.total
        sides = (missing, 0) if self.causal else (missing // 2, missing - missing // 2)
        x = functional.pad(x, sides)
        padded = functional.pad(~real, sides, value=True)[:, None]
        x = self.stem(x).masked_fill(padded, 0)
        for block in self.blocks:
            x, padded = _mean(block(x, padded), padded, self.stride)
        return _over_channels(self.norm, x).masked_fill(padded, 0)


class _Convolution(nn.Conv1d):
    def __init__(self, model: CNN, channels: int) -> None:
        super().__init__(channels, model.width, model.kernel)
        heard = model.kernel - 1
        self.sides = (heard, 0) if model.causal else (heard // 2, heard // 2)

    def forward(self, input: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch width frames"]:
        return super().forward(functional.pad(input, self.sides))


class _Block(nn.Module):
    def __init__(self, model: CNN) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(model.width), nn.LayerNorm(model.width)
        self.conv1, self.conv2 = _Convolution(model, model.width), _Convolution(model, model.width)
        self.dropout = nn.Dropout(model.dropout)

    def forward(
        self, x: Float[Tensor, "batch width frames"], padded: Bool[Tensor, "batch 1 frames"]
    ) -> Float[Tensor, "batch width frames"]:
        y = self.conv1(functional.gelu(_over_channels(self.norm1, x)).masked_fill(padded, 0))
        y = self.conv2(functional.gelu(_over_channels(self.norm2, y)).masked_fill(padded, 0))
        return (x + self.dropout(y)).masked_fill(padded, 0)


def _over_channels(norm: nn.LayerNorm, x: Float[Tensor, "batch width frames"]) -> Float[Tensor, "batch width frames"]:
    return norm(x.transpose(1, 2)).transpose(1, 2)


def _mean(
    x: Float[Tensor, "batch width frames"], padded: Bool[Tensor, "batch 1 frames"], stride: int
) -> tuple[Float[Tensor, "batch width fewer"], Bool[Tensor, "batch 1 fewer"]]:
    """The mean over the real ones of every `stride` frames; a frame without any is padding."""
    if stride == 1:
        return x, padded
    share = functional.avg_pool1d((~padded).to(x.dtype), stride)
    return functional.avg_pool1d(x, stride) / share.clamp(min=1 / stride), torch.eq(share, 0)
