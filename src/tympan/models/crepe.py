"""CREPE: six convolutions over a waveform (Kim et al. 2018), as kac_prediction remakes it for drums."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from ..signals import Signal
from . import Model

_CAPACITY = {"tiny": 4, "small": 8, "medium": 16, "large": 24, "full": 32}
_FILTERS = (32, 4, 4, 4, 8, 16)  # times the capacity
_WIDTHS = (512, 64, 64, 64, 64, 64)  # samples, then frames
_STRIDES = (4, 1, 1, 1, 1, 1)
_SHORTEST = 1024  # samples: the window of the paper, which six halvings leave 4 frames of


class Crepe(Model):
    """A convolutional network for raw sound, one frame for every 256 samples.

    Kim, Salamon, Li & Bello 2018, doi 10.48550/arXiv.1802.06182. With `pooling: flatten` on 1,024 samples and one
    output it has the layers and the parameters of kac_prediction's CRePE. A longer clip gives more frames; of several
    channels, the first convolution hears all.
    """

    capacity: Literal["tiny", "small", "medium", "large", "full"] = "tiny"
    """How wide every layer is: 4, 8, 16, 24 or 32 times the smallest."""
    dropout: float = Field(default=0.25, ge=0, lt=1)
    """Dropout after every layer."""

    @property
    def hears_padding(self) -> bool:
        return True

    def build(self, features: Signal, target: Signal) -> tuple[nn.Module, Signal]:
        """The module, and the Signal of its embedding: 64, 128, 256, 384 or 512 wide.

        Raises:
            ValueError: the features are no waveform, or have fewer than 1,024 frames.
        """
        if len(features.channels) != features.planes:
            raise ValueError(
                f"model crepe hears bare samples, the features have {len(features.channels) // features.planes} "
                "channels for each of the sound's; use `features: waveform`"
            )
        if features.frames < _SHORTEST:
            raise ValueError(
                f"model crepe needs clips of at least {_SHORTEST} samples, these have {features.frames}; "
                f"raise the data's `duration` or `sample_rate`, and use `features: waveform`"
            )
        filters = [n * _CAPACITY[self.capacity] for n in _FILTERS]
        frames = -(-features.frames // 4)
        for _ in filters:
            frames //= 2
        names = tuple(f"embedding_{i}" for i in range(filters[-1]))
        embedding = Signal(names, frames / features.duration, features.duration)
        return _Network(features.planes, filters, self.dropout), embedding


class _Network(nn.Module):
    def __init__(self, channels: int, filters: list[int], dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        for before, after, width, stride in zip((channels, *filters), filters, _WIDTHS, _STRIDES, strict=False):
            # Of an even kernel's padding, one frame more is behind than before, as in kac_prediction.
            self.layers.append(nn.ConstantPad1d(((width - 1) // 2, width // 2), 0.0))
            self.layers.append((nn.Conv1d if before == channels else _ChannelsLast)(before, after, width, stride))
            self.layers.append(nn.ReLU())
            self.layers.append(nn.BatchNorm1d(after))
            self.layers.append(nn.MaxPool1d(2))
            self.layers.append(nn.Dropout(dropout))

    def forward(
        self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch width embedded"]:
        return self.layers(x)


class _ChannelsLast(nn.Conv1d):
    """The same convolution with channels last in memory, in which the processor's backward pass is twice as fast."""

    def forward(self, input: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch filters out"]:
        x = input.unsqueeze(3).contiguous(memory_format=torch.channels_last)
        return nn.functional.conv2d(x, self.weight.unsqueeze(3), self.bias, (*self.stride, 1)).squeeze(3)
