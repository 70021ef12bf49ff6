"""A temporal convolutional network: dilated convolutions that hear the past alone, unless they are told otherwise."""

from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from ..signals import Signal
from . import Model


class TCN(Model):
    """Residual blocks of two dilated convolutions (Bai, Kolter & Koltun 2018, doi 10.48550/arXiv.1803.01271).

    The dilation doubles with every block, so a frame of the embedding hears `receptive_field` frames: with the
    defaults 125. Weight normalisation, as in the paper, knows nothing of other frames, and padded frames are 0 again
    after every convolution: a padded clip is answered as if it had been cut.
    """

    width: int = Field(default=64, ge=1)
    """Channels of every layer, and of the embedding."""
    layers: int = Field(default=5, ge=1)
    """Residual blocks; each hears twice as far as the one before."""
    kernel: int = Field(default=3, ge=2)
    """Frames that a convolution sees at once."""
    causal: bool = True
    """Whether all the frames heard are earlier ones; else half are later ones, and the kernel must be odd."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout after every convolution."""

    @model_validator(mode="after")
    def _centred(self) -> "TCN":
        if not self.causal and self.kernel % 2 == 0:
            raise ValueError(f"a kernel that hears both sides has a frame in the middle: {self.kernel} is even")
        return self

    @property
    def hears_future(self) -> bool:
        return not self.causal

    @property
    def receptive_field(self) -> int:
        """How many frames of the features a frame of the embedding hears."""
        return 1 + 2 * (self.kernel - 1) * (2**self.layers - 1)

    def explain(self, features: Signal, target: Signal) -> str:
        seen, side = self.receptive_field, "before it" if self.causal else "around it"
        return (
            f"{self.layers} blocks of kernel {self.kernel} see 1 + 2 × {self.kernel - 1} × (2^{self.layers} - 1) = "
            f"{seen} frames {side} ({seen * features.duration / features.frames:.3g} s)"
        )

    def build(self, features: Signal, target: Signal) -> tuple[nn.Module, Signal]:
        """The module, and the Signal of its embedding, at the rate of the features."""
        names = tuple(f"embedding_{i}" for i in range(self.width))
        embedding = Signal(names, features.frames / features.duration, features.duration)
        return _Network(self, len(features.channels)), embedding


class _Network(nn.Module):
    def __init__(self, model: TCN, channels: int) -> None:
        super().__init__()
        inputs = [channels, *[model.width] * (model.layers - 1)]
        self.blocks = nn.ModuleList(_Block(model, n, 2**layer) for layer, n in enumerate(inputs))

    def forward(
        self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch width frames"]:
        for block in self.blocks:
            x = block(x, ~real[:, None])
        return x


class _Block(nn.Module):
    def __init__(self, model: TCN, channels: int, dilation: int) -> None:
        super().__init__()
        heard = (model.kernel - 1) * dilation
        self.sides = (heard, 0) if model.causal else (heard // 2, heard // 2)
        self.conv1 = weight_norm(nn.Conv1d(channels, model.width, model.kernel, dilation=dilation))
        self.conv2 = weight_norm(nn.Conv1d(model.width, model.width, model.kernel, dilation=dilation))
        self.skip = nn.Conv1d(channels, model.width, 1) if channels != model.width else nn.Identity()
        self.dropout = nn.Dropout(model.dropout)

    def forward(
        self, x: Float[Tensor, "batch channels frames"], padded: Bool[Tensor, "batch 1 frames"]
    ) -> Float[Tensor, "batch width frames"]:
        y = x
        for conv in (self.conv1, self.conv2):
            y = self.dropout(conv(functional.pad(y, self.sides)).relu()).masked_fill(padded, 0)
        return (self.skip(x) + y).relu().masked_fill(padded, 0)
