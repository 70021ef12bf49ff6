"""The level of the sound, a hundred times a second."""

from torch import Tensor, nn
from torch.nn import functional

from tympan.features import Feature
from tympan.signals import Signal


class Level(Feature):
    """Mean magnitude of every hundredth of a second."""

    def build(self, audio: Signal) -> tuple[nn.Module, Signal]:
        step = round(audio.rate / 100)
        return _Module(step), Signal(("level",), audio.rate / step, audio.frames // step * step / audio.rate)


class _Module(nn.Module):
    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool1d(x.abs(), self.step)
