"""A transformer over frames, which as a decoder also attends to what it said before."""

from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from ..signals import Signal
from ._attention import Layer, earlier, turn
from ._past import Hearing
from ._transformer_decoder import HearsPast


class Transformer(Hearing):
    """Layers of attention, normalisation first (Vaswani et al. 2017, doi 10.48550/arXiv.1706.03762; Xiong et al. 2020,
    doi 10.48550/arXiv.2002.04745), in which padding does not count.

    Positions are turns of queries and keys (Su et al. 2021, doi 10.48550/arXiv.2104.09864), counted from the first real
    frame. One that hears its past has a step of the target for a frame: it is given the mean of the sound within that
    step and the prediction before it, attends to its earlier steps, and from each step to the sound of all, or only of
    the earlier ones where it is causal.
    """

    width: int = Field(default=128, ge=2)
    """Channels of every layer, and of the embedding; a multiple of twice the heads."""
    layers: int = Field(default=4, ge=1)
    """Layers, one on the other."""
    heads: int = Field(default=4, ge=1)
    """Attentions side by side in each layer."""
    stride: int = Field(default=1, ge=1)
    """Frames that become one before the first layer; 4 makes attention over 1,000 frames sixteen times cheaper."""
    causal: bool = False
    """Whether a frame attends to earlier frames alone."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout after every attention and every dense layer."""

    @model_validator(mode="after")
    def _fits(self) -> "Transformer":
        if self.width % (2 * self.heads):
            raise ValueError(
                f"{self.heads} heads need a width that is a multiple of {2 * self.heads}, not {self.width}"
            )
        if self.hears_past and self.stride > 1:
            raise ValueError("what hears its own past has a step of the target for a frame; set `stride: 1`")
        return self

    @property
    def hears_future(self) -> bool:
        return not self.causal

    def build(self, features: Signal, target: Signal) -> tuple[nn.Module, Signal]:
        """The module, and the Signal of its embedding, `stride` times slower than the features or, if it hears its
        past, at the target's rate.
        """
        names = tuple(f"embedding_{i}" for i in range(self.width))
        layers = [Layer(self.width, self.heads, self.dropout, self.hears_past) for _ in range(self.layers)]
        if self.hears_past:
            module = HearsPast(layers, features, target, self.width, self.causal)
            return module, Signal(names, target.rate, target.duration)
        frames = -(-features.frames // self.stride)
        embedding = Signal(names, frames / features.duration, features.duration)
        return _Network(self, layers, len(features.channels)), embedding


class _Network(nn.Module):
    def __init__(self, model: Transformer, layers: list[Layer], channels: int) -> None:
        super().__init__()
        self.stride, self.causal = model.stride, model.causal
        self.stem = nn.Conv1d(channels, model.width, model.stride, model.stride)
        self.size = layers[0].attention.size
        self.layers, self.norm = nn.ModuleList(layers), nn.LayerNorm(model.width)

    def forward(
        self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch width embedded"]:
        # A whole number of strides, so that both ends of a clip lie on the grid, whichever of them is padded.
        missing = -x.shape[2] % self.stride
        sides = (missing, 0) if self.causal else (missing // 2, missing - missing // 2)
        y = self.stem(functional.pad(x, sides)).transpose(1, 2)
        real = functional.pad(real, sides).unflatten(1, (-1, self.stride)).any(2)
        heard = earlier(real) if self.causal else real[:, None, None]
        turned = turn(real, self.size)
        for layer in self.layers:
            y = layer(y, turned, heard)
        return self.norm(y).transpose(1, 2).masked_fill(~real[:, None], 0)
