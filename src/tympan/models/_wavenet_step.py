"""A WaveNet's generation on the processor: a whole step is one compiled function.

Importing this imports numba, so import it where it is used. The kernel is compiled at the first call and kept on disk.
"""

from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..kernel import kernel
from ._wavenet_grid import HEARD, SLOPE, begin

_FAST = {"contract", "nsz", "arcp", "reassoc"}
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
        self.sound = (
            np.ascontiguousarray(hidden.transpose(1, 2).numpy()),
            np.ascontiguousarray(named.transpose(1, 2).numpy()),
            np.ascontiguousarray(real.numpy()),
        )
        enter = w["upsampler.enter.weight"]
        self.recent = np.zeros((len(hidden), HEARD, enter.shape[1]), np.float32)
        # The place in the step comes first, then the channel.
        places = w["upsampler.lengthen.weight"].reshape(width, -1, width).transpose(2, 1, 0).reshape(width, -1)
        self.dense = (
            np.ascontiguousarray(enter.transpose(2, 1, 0).reshape(-1, width)),
            w["upsampler.enter.bias"],
            np.ascontiguousarray(places),
            np.ascontiguousarray(w["upsampler.lengthen.bias"].reshape(width, -1).T.reshape(-1)),
            np.ascontiguousarray(w["gates.weight"][:, :, 0].T),
            np.ascontiguousarray(w["after.1.weight"][:, :, 0].T),
            w["after.1.bias"],
            np.ascontiguousarray(w["after.3.weight"][:, :, 0].T),
            w["after.3.bias"],
            np.ascontiguousarray(w["attention.weight"][0, :, 0]),
        )
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
        recent = self.recent
        recent[:, :-1] = recent[:, 1:]
        recent[:, -1, :-1], recent[:, -1, -1] = past.numpy(), known.numpy()
        first, last = begin(self.step_number, self.per_step), begin(self.step_number + 1, self.per_step)
        self.step_number += 1
        return torch.from_numpy(
            _step(recent.reshape(len(recent), -1), first, last, self.sound, self.dense, self.layers, self.before)
        )


@kernel(_FAST, "always")
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
@kernel(_FAST)
@no_type_check
def _gate(out: Any, heard: Any, condition: Any, bias: Any) -> None:
    n, half = len(out), np.float32(0.5)
    for k in range(n):
        a, b = heard[k] + condition[k] + bias[k], heard[n + k] + condition[n + k] + bias[n + k]
        out[k] = _tanh(a) * (half + half * _tanh(half * b))


@kernel(_FAST)
@no_type_check
def _add(to: Any, a: Any, b: Any, scale: Any) -> None:
    for k in range(len(to)):
        to[k] = (to[k] + a[k] + b[k]) * scale


@kernel(_FAST)
@no_type_check
def _product(x: Any, weights: Any, out: Any) -> None:
    if len(x) > _FEW:
        np.dot(x, weights, out)
        return
    for row in range(len(x)):
        np.dot(x[row], weights, out[row])


@kernel(_FAST)
@no_type_check
def _activate(x: Any, bias: Any, slope: Any) -> None:
    for k in range(len(x)):
        y = x[k] + bias[k]
        x[k] = max(y, slope * y)


@kernel(_FAST)
@no_type_check
def _layer(x: Any, weight: Any, bias: Any, slope: Any) -> Any:
    """A dense layer with a leaky ReLU: an ordinary one of slope 0, none of slope 1."""
    out = np.empty((len(x), weight.shape[1]), np.float32)
    _product(x, weight, out)
    for row in range(len(x)):
        _activate(out[row], bias, slope)
    return out


@kernel(_FAST)
@no_type_check
def _step(recent: Any, first: int, last: int, sound: Any, dense: Any, layers: Any, before: Any) -> Any:
    all_hidden, all_named, all_real = sound
    enter, enter_bias, lengthen, lengthen_bias, gates, after, after_bias, end, end_bias, attention = dense
    batch, there, width = all_hidden.shape
    frames, slope = last - first, np.float32(SLOPE)
    upsampled = _layer(_layer(recent, enter, enter_bias, slope), lengthen, lengthen_bias, slope)
    # What is beyond the features' end is 0, and not real.
    hidden = np.zeros((batch * frames, width), np.float32)
    real = np.zeros(batch * frames, np.bool_)
    conditions = np.zeros((batch * frames, len(gates)), np.float32)
    for row in range(len(hidden)):
        clip, place = row // frames, row % frames
        conditions[row, :width] = upsampled[clip, place * width : (place + 1) * width]
        if first + place < there:
            hidden[row] = all_hidden[clip, first + place]
            conditions[row, width:] = all_named[clip, first + place]
            real[row] = all_real[clip, first + place]
    conditioned = np.empty((len(hidden), gates.shape[1]), np.float32)
    _product(conditions, gates, conditioned)
    y = _stacks(hidden, conditioned, real, layers, before, first)
    none, silent = np.float32(0), np.zeros(y.shape[1], np.float32)
    for row in range(len(y)):
        _activate(y[row], silent, none)
    y = _layer(_layer(y, after, after_bias, none), end, end_bias, np.float32(1))
    return _attended(y, real, attention, batch)


@kernel(_FAST)
@no_type_check
def _attended(y: Any, real: Any, attention: Any, batch: int) -> Any:
    """The frames of each clip weighted by attention: the real ones alone, or all where none is."""
    frames = len(y) // batch
    out = np.zeros((batch, y.shape[1]), np.float32)
    for clip in range(batch):
        rows = range(clip * frames, (clip + 1) * frames)
        none, top, total = True, np.float32(-np.inf), np.float32(0)
        for row in rows:
            none = none and not real[row]
        score = np.zeros(frames, np.float32)
        for row in rows:
            for k in range(y.shape[1]):
                score[row - rows.start] += y[row, k] * attention[k]
            if none or real[row]:
                top = max(top, score[row - rows.start])
        for row in rows:
            if none or real[row]:
                weight = np.exp(score[row - rows.start] - top)
                total += weight
                for k in range(y.shape[1]):
                    out[clip, k] += weight * y[row, k]
        for k in range(y.shape[1]):
            out[clip, k] /= total
    return out


@kernel(_FAST)
@no_type_check
def _stacks(
    hidden: Float[np.ndarray, "rows hidden"],
    gates: Float[np.ndarray, "rows layers*gates"],
    real: Bool[np.ndarray, "rows"],
    layers: Any,
    before: Float[np.ndarray, "batch places hidden"],
    time: int,
) -> Float[np.ndarray, "rows skip"]:
    """The sum of the skip paths over the next frames of all clips, one after the other; `hidden` is used up."""
    dilated, gate_biases, paths, biases, dilations, begins = layers
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
            _gate(inner[row], gated[row], gates[row, 2 * width * layer : 2 * width * (layer + 1)], gate_biases[layer])
        _product(inner, paths[layer], out)
        for row in range(rows):
            _add(hidden[row], out[row, :width], biases[layer, :width], np.float32(real[row]))
            _add(skips[row], out[row, width:], biases[layer, width:], np.float32(1))
    return skips
