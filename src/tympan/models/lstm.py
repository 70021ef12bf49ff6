"""A long short-term memory, in one direction or both, in which padding does not count."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from ..device import has_bf16
from ..frames import Steps, resample_real
from ..signals import Signal
from ._past import Hearing


class LSTM(Hearing):
    """Recurrent layers (Hochreiter & Schmidhuber 1997, doi 10.1162/neco.1997.9.8.1735) that keep every frame.

    One that hears its past has a step of the target for a frame: it is given the mean of the sound within that step,
    and the prediction before it.
    """

    width: int = Field(default=128, ge=1)
    """Units of each direction; the embedding of a bidirectional network is twice as wide."""
    layers: int = Field(default=2, ge=1)
    """Layers, one on the other."""
    bidirectional: bool = True
    """Whether a second network hears the clip backwards, so that a frame also depends on later ones."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout after each layer."""

    @model_validator(mode="after")
    def _forwards(self) -> "LSTM":
        if self.hears_past and self.bidirectional:
            raise ValueError("what hears its own past cannot also go backwards; set `bidirectional: false`")
        return self

    @property
    def hears_future(self) -> bool:
        return self.bidirectional

    def build(self, features: Signal, target: Signal) -> tuple[nn.Module, Signal]:
        """The module, and the Signal of its embedding, at the rate of the features or, if it hears its past, of the
        target.
        """
        width = self.width * (2 if self.bidirectional else 1)
        names = tuple(f"embedding_{i}" for i in range(width))
        if self.hears_past:
            return _HearsPast(self, features, target), Signal(names, target.rate, target.duration)
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
            heard = _run(forwards, y)[0]
            if self.backwards:
                heard = torch.cat([heard, _take(_run(self.backwards[layer], _take(y, reverse))[0], reverse)], 2)
            y = self.dropout(heard)
        y = _take(y, torch.argsort(order, dim=1)).transpose(1, 2)
        return y.masked_fill(~real[:, None], 0)


def _run(layer: nn.Module, x: Tensor, memory: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Any]:
    """A layer over a sequence; in float32 where half precision is asked of a processor that has none for it."""
    kind = x.device.type
    if has_bf16(kind) or not torch.is_autocast_enabled(kind):
        return layer(x, memory)
    with torch.autocast(kind, enabled=False):
        return layer(x.float(), memory and (memory[0].float(), memory[1].float()))


def _take(
    x: Float[Tensor, "batch frames channels"], at: Int[Tensor, "batch frames"]
) -> Float[Tensor, "batch frames channels"]:
    return x.gather(1, at[:, :, None].expand_as(x))


class _State(NamedTuple):
    """What the next step needs to know."""

    x: Tensor
    """The sound of every step, `(batch, channels, steps)`."""
    real: Tensor
    """Which steps are real, `(batch, steps)`."""
    at: int
    """The next step."""
    memory: tuple[tuple[Tensor, Tensor], ...]
    """The two memories of each layer, `(1, batch, width)`."""


class _HearsPast(nn.Module):
    """The network over the sound of a step, the prediction before it, and whether that is known."""

    def __init__(self, model: LSTM, features: Signal, target: Signal) -> None:
        super().__init__()
        self.width, self.steps = model.width, Steps.of(features, target)
        self.network = _Network(model, len(features.channels) + len(target.channels) + 1, model.width)

    def forward(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        past: Float[Tensor, "batch values steps"],
        known: Bool[Tensor, "batch steps"],
    ) -> Float[Tensor, "batch width steps"]:
        x, real = resample_real(x, real, past.shape[2], causal=True)
        return self.network(torch.cat([x, past, known[:, None]], 1), real)

    def start(self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]) -> _State:
        x, real = resample_real(x, real, self.steps.over(x.shape[2]), causal=True)
        nothing = x.new_zeros(1, len(x), self.width)
        return _State(x, real, 0, ((nothing, nothing),) * len(self.network.forwards))

    def step(
        self, state: _State, past: Float[Tensor, "batch values"], known: Bool[Tensor, "batch"]
    ) -> tuple[Float[Tensor, "batch width"], _State]:
        at = min(state.at, state.x.shape[2] - 1)  # a recording may be rounded to a step more than its frames
        y = torch.cat([state.x[:, :, at], past, known[:, None]], 1)[:, None]
        real = state.real[:, at, None]
        memory = []
        for layer, before in zip(self.network.forwards, state.memory, strict=True):
            y, after = _run(layer, y, before)
            y = self.network.dropout(y)
            pairs = zip(after, before, strict=True)
            memory.append(tuple(torch.where(real, new.to(old.dtype), old) for new, old in pairs))
        return y[:, 0].masked_fill(~real, 0), state._replace(at=state.at + 1, memory=tuple(memory))
