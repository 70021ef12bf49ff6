"""A backbone of one convolution."""

from torch import Tensor, nn

from tympan.models import Model
from tympan.signals import Signal


class OneConvolution(Model):
    """One convolution over time, then a rectifier."""

    width: int = 8

    def build(self, features: Signal, target: Signal) -> tuple[nn.Module, Signal]:
        names = tuple(f"unit_{i}" for i in range(self.width))
        return _Module(len(features.channels), self.width), Signal(names, features.rate, features.duration)


class _Module(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(channels, width, 3, padding=1)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        return self.convolution(x).relu()
