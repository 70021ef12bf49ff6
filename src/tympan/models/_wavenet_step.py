"""A WaveNet's generation on the processor: a compiled loop over all layers, and few calls around it.

Importing this imports numba, so import it where it is used. The kernel is compiled at the first call and kept on disk.
"""

from contextlib import suppress
from typing import Any, Literal, no_type_check

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numba import njit
from torch import Tensor, nn

from ._wavenet_grid import HEARD, SLOPE, begin

_FEW = 8  # rows up to which one product of a vector for each is faster than one of matrices


class Generation:
    """The weights as the loop wants them, packed once, and all that it must remember."""

    def __init__(
        self,
        network: nn.Module,
        dilations: list[int],
        per_step: float,
        hidden: Float[Tensor, "batch hidden frames"],
        named: Float[Tensor, "batch named frames"],
        real: Bool[Tensor, "batch frames"],
    ) -> None:
        """Begin with silence.

        Args:
            network: where the weights are.
            dilations: of every layer.
            per_step: frames of one step.
            hidden: what the first layer is given, of all frames.
            named: the feature channels that reach the gates.
            real: which frames are no padding.
        """
        w = {name: p.detach().numpy() for name, p in network.named_parameters()}
        layers, width = range(len(dilations)), hidden.shape[1]
        self.per_step, self.step_number = per_step, 0
        self.hidden, self.named, self.real = hidden.transpose(1, 2).numpy(), named.transpose(1, 2).numpy(), real.numpy()
        enter = w["upsampler.enter.weight"]
        self.recent = np.zeros((len(hidden), HEARD, enter.shape[1]), np.float32)
        self.enter = np.ascontiguousarray(enter.transpose(2, 1, 0).reshape(-1, width)), w["upsampler.enter.bias"]
        # The place in the step comes first, then the channel.
        places = w["upsampler.lengthen.weight"].reshape(width, -1, width).transpose(2, 1, 0).reshape(width, -1)
        self.lengthen = np.ascontiguousarray(places), w["upsampler.lengthen.bias"].reshape(width, -1).T.reshape(-1)
        self.gates = np.ascontiguousarray(w["gates.weight"][:, :, 0].T)
        self.after = [(np.ascontiguousarray(w[f"after.{i}.weight"][:, :, 0].T), w[f"after.{i}.bias"]) for i in (1, 3)]
        self.attention = w["attention.weight"][0, :, 0]
        # A row of a product is (before, now) times the weights: both taps of the kernel at once.
        taps = [w[f"dilated.{i}.weight"].transpose(2, 1, 0).reshape(2 * width, -1) for i in layers]
        self.layers = (
            np.ascontiguousarray(np.stack(taps)),
            np.stack([w[f"dilated.{i}.bias"] for i in layers]),
            np.ascontiguousarray(np.stack([w[f"paths.{i}.weight"][:, :, 0].T for i in layers])),
            np.stack([w[f"paths.{i}.bias"] for i in layers]),
            np.array(dilations),
            np.cumsum(dilations) - np.array(dilations),
        )
        self.before = np.zeros((len(hidden), sum(dilations), width), np.float32)

    def step(self, past: Float[Tensor, "batch heard"], known: Bool[Tensor, "batch"]) -> Float[Tensor, "batch width"]:
        """The embedding of the next step."""
        batch, recent = len(self.recent), self.recent
        recent[:, :-1] = recent[:, 1:]
        recent[:, -1, :-1], recent[:, -1, -1] = past.numpy(), known.numpy()
        first, last = begin(self.step_number, self.per_step), begin(self.step_number + 1, self.per_step)
        frames = last - first
        hidden, named, real = (_slice(x, first, last) for x in (self.hidden, self.named, self.real))
        y = _leaky(recent.reshape(batch, -1) @ self.enter[0] + self.enter[1])
        y = _leaky(y @ self.lengthen[0] + self.lengthen[1]).reshape(batch, -1, hidden.shape[2])[:, :frames]
        conditions = np.concatenate([y, named], 2).reshape(batch * frames, -1)
        gates = (conditions @ self.gates).reshape(batch * frames, len(self.layers[0]), -1)
        rows, there = hidden.reshape(batch * frames, -1), real.reshape(-1)
        y = _run(rows, gates, there, *self.layers, self.before, first)
        for weight, bias in self.after:
            y = np.maximum(y, 0) @ weight + bias
        y = y.reshape(batch, frames, -1)
        score = y @ self.attention
        heard = real | ~real.any(1, keepdims=True)
        weights = np.where(heard, np.exp(score - score.max(1, keepdims=True, where=heard, initial=-np.inf)), 0)
        self.step_number += 1
        return torch.from_numpy((weights[:, None] @ y)[:, 0] / weights.sum(1, keepdims=True))


def _leaky(x: Float[np.ndarray, "rows width"]) -> Float[np.ndarray, "rows width"]:
    return np.maximum(x, SLOPE * x)


def _slice(x: np.ndarray, first: int, last: int) -> np.ndarray:
    """A copy of these frames; what is beyond the features' end is 0."""
    found = np.zeros((len(x), last - first, *x.shape[2:]), x.dtype)
    part = x[:, first:last]
    found[:, : part.shape[1]] = part
    return found


def _kernel(inline: Literal["never", "always"]) -> Any:
    def compiled(function: Any) -> Any:
        made = njit(inline=inline, error_model="numpy", fastmath={"contract", "nsz", "arcp", "reassoc"})(function)
        with suppress(RuntimeError):  # where nothing can be written, it is compiled anew in every process
            made.enable_caching()
        return made

    return compiled


@_kernel("always")
@no_type_check
def _tanh(x: Any) -> Any:
    """Lambert's continued fraction to eight places for half of x, and its double: within 2e-7, and computed in rows."""
    x = min(max(np.float32(0.5) * x, np.float32(-4.5)), np.float32(4.5))
    y = x * x
    p = x * (np.float32(34459425) + y * (np.float32(4729725) + y * (np.float32(135135) + y * (np.float32(990) + y))))
    q = np.float32(34459425) + y * (
        np.float32(16216200) + y * (np.float32(945945) + y * (np.float32(13860) + y * np.float32(45)))
    )
    return np.float32(2) * p * q / (q * q + p * p)


# Loops that are given few arrays, and are not merged into others, are the ones that the compiler makes wide.
@_kernel("never")
@no_type_check
def _gate(out: Any, heard: Any, condition: Any, bias: Any) -> None:
    n, half = len(out), np.float32(0.5)
    for k in range(n):
        a, b = heard[k] + condition[k] + bias[k], heard[n + k] + condition[n + k] + bias[n + k]
        out[k] = _tanh(a) * (half + half * _tanh(half * b))


@_kernel("never")
@no_type_check
def _add(to: Any, a: Any, b: Any, scale: Any) -> None:
    for k in range(len(to)):
        to[k] = (to[k] + a[k] + b[k]) * scale


@_kernel("never")
@no_type_check
def _product(x: Any, weights: Any, out: Any) -> None:
    if len(x) > _FEW:
        np.dot(x, weights, out)
        return
    for row in range(len(x)):
        np.dot(x[row], weights, out[row])


@_kernel("never")
@no_type_check
def _run(
    hidden: Float[np.ndarray, "rows hidden"],
    gates: Float[np.ndarray, "rows layers gates"],
    real: Bool[np.ndarray, "rows"],
    dilated: Float[np.ndarray, "layers heard gates"],
    gate_biases: Float[np.ndarray, "layers gates"],
    paths: Float[np.ndarray, "layers hidden out"],
    biases: Float[np.ndarray, "layers out"],
    dilations: Int[np.ndarray, "layers"],
    begins: Int[np.ndarray, "layers"],
    before: Float[np.ndarray, "batch places hidden"],
    time: int,
) -> Float[np.ndarray, "rows skip"]:
    """The sum of the skip paths over the next frames of all clips, one after the other; `hidden` is used up."""
    rows, width = hidden.shape
    frames = rows // len(before)
    heard = np.empty((rows, 2 * width), np.float32)
    gated = np.empty((rows, 2 * width), np.float32)
    inner = np.empty((rows, width), np.float32)
    out = np.empty((rows, biases.shape[1]), np.float32)
    skips = np.zeros((rows, biases.shape[1] - width), np.float32)
    for layer in range(len(dilations)):
        for row in range(rows):
            # The place of the frame that was given `dilation` frames ago is that of this frame.
            place = begins[layer] + (time + row % frames) % dilations[layer]
            kept = before[row // frames, place]
            heard[row, :width] = kept
            heard[row, width:] = hidden[row]
            kept[:] = hidden[row]
        _product(heard, dilated[layer], gated)
        for row in range(rows):
            _gate(inner[row], gated[row], gates[row, layer], gate_biases[layer])
        _product(inner, paths[layer], out)
        for row in range(rows):
            _add(hidden[row], out[row, :width], biases[layer, :width], np.float32(real[row]))
            _add(skips[row], out[row, width:], biases[layer, width:], np.float32(1))
    return skips
