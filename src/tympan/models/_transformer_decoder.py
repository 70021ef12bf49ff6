"""The transformer that hears its past: all steps at once, or one after the other with what it keeps of them."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..frames import Steps, resample_real
from ..signals import Signal
from ._attention import Cache, Layer, Others, Turn, earlier, turn


class State(NamedTuple):
    """What the next step needs to know."""

    x: Tensor
    """The sound of every step, `(batch, channels, steps)`."""
    real: Tensor
    """Which steps are real, `(batch, steps)`."""
    turned: Turn
    """The turns of every step."""
    sound: list[Others]
    """Keys and values of the sound in each layer."""
    caches: list[Cache]
    """Keys and values of the steps so far in each layer; they grow in place, so that a step copies none of them."""
    at: int
    """The next step."""


class HearsPast(nn.Module):
    """Layers over the sound of a step, the prediction before it, and whether that is known."""

    def __init__(self, layers: list[Layer], features: Signal, target: Signal, width: int, causal: bool) -> None:
        super().__init__()
        self.causal, self.steps = causal, Steps.of(features, target)
        self.stem = nn.Linear(len(features.channels) + len(target.channels) + 1, width)
        self.sound = nn.Sequential(nn.Linear(len(features.channels), width), nn.LayerNorm(width))
        self.size = layers[0].attention.size
        self.layers: Any = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        past: Float[Tensor, "batch values steps"],
        known: Bool[Tensor, "batch steps"],
    ) -> Float[Tensor, "batch width steps"]:
        x, real = resample_real(x, real, past.shape[2], self.causal)
        turned = turn(real, self.size)
        heard = earlier(real)
        sound_heard = heard if self.causal else real[:, None, None]
        y = self.stem(torch.cat([x, past, known[:, None]], 1).transpose(1, 2))
        for layer, sound in zip(self.layers, self._sounds(x, turned), strict=True):
            y = layer(y, turned, heard, sound, sound_heard)
        return self.norm(y).transpose(1, 2).masked_fill(~real[:, None], 0)

    def start(self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]) -> State:
        x, real = resample_real(x, real, self.steps.over(x.shape[2]), self.causal)
        turned = turn(real, self.size)
        return State(x, real, turned, self._sounds(x, turned), [Cache() for _ in self.layers], 0)

    def step(
        self, state: State, past: Float[Tensor, "batch values"], known: Bool[Tensor, "batch"]
    ) -> tuple[Float[Tensor, "batch width"], State]:
        at = min(state.at, state.x.shape[2] - 1)  # a recording may be rounded to a step more than its frames
        now = slice(at, at + 1)
        cosine, sine = (t[:, :, now] for t in state.turned)
        # As in `earlier`: the real steps up to this one, and this one.
        heard = torch.cat([state.real[:, : state.at], torch.ones_like(known)[:, None]], 1)[:, None, None]
        y = self.stem(torch.cat([state.x[:, :, at], past, known[:, None]], 1)[:, None])
        for layer, (keys, values), cache in zip(self.layers, state.sound, state.caches, strict=True):
            if self.causal:
                sound = keys[:, :, : at + 1], values[:, :, : at + 1]
                y = layer(y, (cosine, sine), heard, sound, heard[..., : at + 1], cache)
            else:
                y = layer(y, (cosine, sine), heard, (keys, values), state.real[:, None, None], cache)
        return self.norm(y)[:, 0].masked_fill(~state.real[:, now], 0), state._replace(at=state.at + 1)

    def _sounds(self, x: Float[Tensor, "batch channels steps"], turned: Turn) -> list[Others]:
        y = self.sound(x.transpose(1, 2))
        return [layer.cross.attended(y, turned) for layer in self.layers]
