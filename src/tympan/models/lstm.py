"""A long short-term memory, in one direction or both, in which padding does not count."""

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from ..signals import Signal
from . import Model


class LSTM(Model):
    """Recurrent layers (Hochreiter & Schmidhuber 1997, doi 10.1162/neco.1997.9.8.1735) that keep every frame."""

    width: int = Field(default=128, ge=1)
    """Units of each direction; the embedding of a bidirectional network is twice as wide."""
    layers: int = Field(default=2, ge=1)
    """Layers, one on the other."""
    bidirectional: bool = True
    """Whether a second network hears the clip backwards, so that a frame also depends on later ones."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout after each layer."""

    def build(self, features: Signal, target: Signal) -> tuple[nn.Module, Signal]:
        """The module, and the Signal of its embedding, at the rate of the features."""
        width = self.width * (2 if self.bidirectional else 1)
        names = tuple(f"embedding_{i}" for i in range(width))
        embedding = Signal(names, features.frames / features.duration, features.duration)
        return _Network(self, len(features.channels), width), embedding


class _Network(nn.Module):
    """Every clip's real frames are brought to its start, where no padding comes before them.

    A network that goes forwards has then heard every real frame before the first padded one. The one that goes
    backwards is given the real frames in reverse, again first. This is what packed sequences are for, but without
    leaving the device to ask for lengths, and with the fast kernels of whole batches.
    """

    def __init__(self, model: LSTM, channels: int, width: int) -> None:
        super().__init__()
        inputs = [channels, *[width] * (model.layers - 1)]
        self.forwards = nn.ModuleList(nn.LSTM(n, model.width, batch_first=True) for n in inputs)
        self.backwards = nn.ModuleList(nn.LSTM(n, model.width, batch_first=True) for n in inputs if model.bidirectional)
        self.dropout = nn.Dropout(model.dropout)

    def forward(
        self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch width frames"]:
        frames = x.shape[2]
        order = torch.argsort(~real, dim=1, stable=True)
        # Frames 0 to n - 1 of a clip with n real frames in reverse, and behind them the others; its own inverse.
        reverse = (real.sum(1, keepdim=True) - 1 - torch.arange(frames, device=x.device)) % frames
        y = _take(x.transpose(1, 2), order)
        for layer, forwards in enumerate(self.forwards):
            heard = forwards(y)[0]
            if self.backwards:
                heard = torch.cat([heard, _take(self.backwards[layer](_take(y, reverse))[0], reverse)], 2)
            y = self.dropout(heard)
        y = _take(y, torch.argsort(order, dim=1)).transpose(1, 2)
        return y.masked_fill(~real[:, None], 0)


def _take(
    x: Float[Tensor, "batch frames channels"], at: Int[Tensor, "batch frames"]
) -> Float[Tensor, "batch frames channels"]:
    return x.gather(1, at[:, :, None].expand_as(x))
