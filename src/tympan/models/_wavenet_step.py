"""The WaveNet's stacks on the processor, for the few frames of a step: one compiled loop over all layers.

Importing this imports numba, so import it where it is used. The kernel is compiled at the first call and kept on disk.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

_FEW = 8  # rows up to which one product of a vector for each is faster than one of matrices


class Stacks:
    """The weights of all layers side by side, and what each of them was given before."""

    def __init__(
        self,
        dilated: Sequence[tuple[np.ndarray, ...]],
        paths: Sequence[tuple[np.ndarray, ...]],
        dilations: Sequence[int],
        batch: int,
    ) -> None:
        """Pack the weights, once for a generation, and begin with silence.

        Args:
            dilated: the weight `(2 hidden, hidden, 2)` and bias of every dilated convolution.
            paths: the weight `(hidden + skip, hidden, 1)` and bias of every 1×1 convolution behind a gate.
            dilations: of every layer.
            batch: how many clips.
        """
        # A row of a product is (before, now) times the weights: both taps of the kernel at once.
        self.dilated = _side_by_side([np.concatenate([w[:, :, 0], w[:, :, 1]], 1).T for w, _ in dilated])
        self.paths = _side_by_side([w[:, :, 0].T for w, _ in paths])
        self.gate_biases = np.stack([b for _, b in dilated])
        self.biases = np.stack([b for _, b in paths])
        self.dilations = np.array(dilations)
        self.begins = np.cumsum(self.dilations) - self.dilations
        self.before = np.zeros((batch, int(self.dilations.sum()), self.paths.shape[1]), np.float32)
        self.heard = 0

    def __call__(
        self,
        hidden: Float[np.ndarray, "batch frames hidden"],
        gates: Float[np.ndarray, "batch frames layers gates"],
        real: Bool[np.ndarray, "batch frames"],
    ) -> Float[np.ndarray, "batch frames skip"]:
        """The sum of the skip paths over the next frames; `hidden` is used up."""
        batch, frames, width = hidden.shape
        skips = np.zeros((batch * frames, self.biases.shape[1] - width), np.float32)
        _run(
            hidden.reshape(-1, width),
            gates.reshape(batch * frames, -1, 2 * width),
            real.reshape(-1),
            self.dilated,
            self.gate_biases,
            self.paths,
            self.biases,
            self.dilations,
            self.begins,
            self.before,
            self.heard,
            skips,
        )
        self.heard += frames
        return skips.reshape(batch, frames, -1)


def _side_by_side(weights: list[np.ndarray]) -> Float[np.ndarray, "layers rows columns"]:
    return np.ascontiguousarray(np.stack(weights))


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
    skips: Float[np.ndarray, "rows skip"],
) -> None:
    rows, width = hidden.shape
    frames = rows // len(before)
    heard = np.empty((rows, 2 * width), np.float32)
    gated = np.empty((rows, 2 * width), np.float32)
    inner = np.empty((rows, width), np.float32)
    out = np.empty((rows, biases.shape[1]), np.float32)
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
