"""CREPE's six convolutions over 1,024 samples as products of spectra: for answers, on the processor, in float32."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain
from threading import Lock
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

_WINDOW = 1024  # samples
_STRIDE = 4  # samples, of the first convolution
_BLOCK = 16  # positions of the first convolution, from one of its vectors to the next
_AT_ONCE = 64  # windows for which the spectra of the weights are read once
_IN_CACHE = 16  # windows whose first spectra, for so many filters, stay in the processor's cache:
_NARROW = 64
_ALONE = Lock()  # which products are taken is the process's to say


class Spectra:
    """The layers in evaluation and without gradients: the same answers to a millionth, at a tenth of the products.

    What is derived from the weights is computed when they are first used and when one of them has changed (capacity
    full: 175 MB). A copy computes its own.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[Tensor, int, int]] = []
        self._first: list[_Layer] = []
        self._others: list[_Layer] = []
        self._before = self._vectors = 0

    def __reduce__(self) -> tuple[type["Spectra"], tuple[()]]:
        return Spectra, ()

    def forget(self) -> None:
        """Let go of what was derived."""
        self._seen, self._first, self._others = [], [], []

    def can(self, layers: nn.Sequential, x: Float[Tensor, "windows channels samples"]) -> bool:
        """Whether this can answer: float32 windows of 1,024 samples on the processor, and nothing records the way."""
        recorded = torch.is_grad_enabled() or torch.compiler.is_compiling()
        if layers.training or recorded or torch.is_autocast_enabled("cpu") or x.shape[2] != _WINDOW or not len(x):
            return False
        weights = list(layers.parameters())
        alike = all(t.device.type == "cpu" and t.dtype == torch.float32 for t in (x, *weights))
        # Whether a tensor that was made for inference has changed, nobody knows.
        return alike and not any(t.is_inference() for t in (*weights, *layers.buffers()))

    def __call__(
        self, layers: nn.Sequential, x: Float[Tensor, "windows channels samples"]
    ) -> Float[Tensor, "windows filters frames"]:
        """What the layers say."""
        with _ALONE, _quick_products():
            self._derive(layers)
            return torch.cat([self._answer(part) for part in x.split(_AT_ONCE)])

    def _derive(self, layers: nn.Sequential) -> None:
        now = [(t, t.data_ptr(), t._version) for t in chain(layers.parameters(), layers.buffers())]
        if [(id(t), *marks) for t, *marks in now] == [(id(t), *marks) for t, *marks in self._seen]:
            return
        pads = [m.padding[0] for m in layers if isinstance(m, nn.ConstantPad1d)]
        convolutions = [m for m in layers if isinstance(m, nn.Conv1d)]
        norms = [m for m in layers if isinstance(m, nn.BatchNorm1d)]
        first, *others = map(_Folded.of, convolutions, norms)
        # The first has few channels, and strides: of 16 positions together, each begins at its own sample, and from
        # there on hears one vector of 64 samples after another.
        taps = first.weight.unflatten(0, (-1, _BLOCK * _STRIDE)).transpose(1, 2).flatten(1, 2)
        blocks = _WINDOW // _STRIDE // _BLOCK
        vectors = blocks + len(taps) - 1
        narrow = first._replace(weight=taps).split(_NARROW)
        self._first = [_Layer(part, vectors, blocks, before=0, pairs=blocks) for part in narrow]
        frames = [_WINDOW // _STRIDE >> i for i in range(1, len(pads))]
        self._others = [_Layer(*each) for each in zip(others, frames, frames, pads[1:], strict=True)]
        self._others[0].split(_NARROW)
        self._before, self._vectors, self._seen = pads[0], vectors, now

    def _answer(self, x: Tensor) -> Tensor:
        parts = (_vectors(part, self._before, self._vectors) for part in x.split(_IN_CACHE))
        heard = [self._first[0].spectra(part) for part in parts]
        second, *others = self._others
        y = second(second.spectra(torch.cat([few([z]) for z in heard], 1)) for few in self._first)
        for layer in others:
            y = layer([layer.spectra(y)])
        return y.permute(1, 2, 0)


class _Folded(NamedTuple):
    """A convolution with the normalisation behind it, whose ReLU then ends at another value than 0."""

    weight: Float[Tensor, "taps channels filters"]
    bias: Float[Tensor, "filters"]
    low: Float[Tensor, "filters"]
    high: Float[Tensor, "filters"]

    @classmethod
    def of(cls, convolution: nn.Conv1d, norm: nn.BatchNorm1d) -> "_Folded":
        assert convolution.bias is not None and norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        zero = norm.bias - norm.running_mean * scale
        # Where the scale is negative, the ReLU is turned round. Pooling, which comes behind, then takes the smaller of
        # two: the larger again, as both are turned round.
        return cls(
            (convolution.weight * scale[:, None, None]).permute(2, 1, 0),
            convolution.bias * scale + zero,
            zero.where(scale >= 0, -math.inf),
            zero.where(scale < 0, math.inf),
        )

    def split(self, filters: int) -> list["_Folded"]:
        return [_Folded(*parts) for parts in zip(*(t.split(filters, -1) for t in self), strict=True)]


class _Layer:
    """A convolution, its ReLU, normalisation and pooling, with positions first: every transform is one product."""

    def __init__(self, of: _Folded, inputs: int, outputs: int, before: int, pairs: int = 1) -> None:
        """Of so many `inputs`, before which `before` are 0.

        With `pairs: 1`, neighbours among the outputs are pooled; else, in every output, the two halves of the windows.
        """
        self.into, taps, back = (m.float() for m in correlation(inputs, outputs, len(of.weight), before))
        self.back = back if pairs > 1 else torch.cat([back[::2], back[1::2]])
        self.pairs = pairs
        self.weights = [(taps @ of.weight.flatten(1)).unflatten(1, of.weight.shape[1:])]
        self.bias, self.low, self.high = of.bias, of.low, of.high

    def split(self, channels: int) -> None:
        """Hear so many channels at a time."""
        self.weights = [part.contiguous() for part in self.weights[0].split(channels, 1)]

    def spectra(self, x: Float[Tensor, "inputs windows channels"]) -> Float[Tensor, "products windows channels"]:
        return (self.into @ x.flatten(1)).unflatten(1, x.shape[1:])

    def __call__(
        self, spectra: Iterable[Float[Tensor, "products windows channels"]]
    ) -> Float[Tensor, "frames pooled filters"]:
        """The frames from the spectra of all channels, some after the others."""
        spectra = iter(spectra)
        y = torch.bmm(next(spectra), self.weights[0])
        for weight, more in zip(self.weights[1:], spectra, strict=True):
            y.baddbmm_(more, weight)
        y[0] += self.bias  # a constant is the first product's
        y, windows = (self.back @ y.flatten(1)).view(self.pairs, 2, -1, y.shape[2]), y.shape[1]
        y = torch.maximum(y[:, 0], y[:, 1]).clamp_(self.low, self.high)
        return y.view(-1, windows // (_BLOCK if self.pairs > 1 else 1), y.shape[2])


def _vectors(
    x: Float[Tensor, "windows channels samples"], before: int, count: int
) -> Float[Tensor, "{count} shifted values"]:
    """So many vectors of 64 samples from each of 16 shifts of each window: first from every second shift."""
    step, (windows, channels, samples) = _BLOCK * _STRIDE, x.shape
    length = step * (count + 1) - _STRIDE
    x = nn.functional.pad(x, (before, length - before - samples))
    sizes = (count, 2, _BLOCK // 2, windows, channels, step)
    x = x.as_strided(sizes, (step, _STRIDE, 2 * _STRIDE, channels * length, length, 1))
    return x.reshape(count, _BLOCK * windows, channels * step)


def correlation(inputs: int, outputs: int, taps: int, before: int) -> tuple[Tensor, Tensor, Tensor]:
    """The sums y[a] = Σ w[t] x[a + t - before], in which x is 0 outside, as y = back @ ((into @ x) * (taps @ w)).

    Spectra of the shortest period in which nothing meets what it should not. Every product of two complex values is
    three of real ones (Gauss), whose sums are in the matrices.

    Returns:
        `into` (products, inputs), `taps` (products, taps), `back` (outputs, products), all float64. The first product
        is the sum of x and of w, and in every y.
    """
    lowest, highest = max(-before, 1 - outputs), min(taps - 1 - before, inputs - 1)
    period = max(inputs - lowest, outputs + highest)
    edges = torch.tensor([0.0, period / 2] if period % 2 == 0 else [0.0], dtype=torch.float64)
    inner = torch.arange(1, (period + 1) // 2, dtype=torch.float64)

    def waves(at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        turn = 2 * math.pi / period * at.double()
        return (edges[:, None] * turn).cos(), (inner[:, None] * turn).cos(), (inner[:, None] * turn).sin()

    edge, c, s = waves(torch.arange(inputs))
    into = torch.cat([edge, c, -s, c - s])
    shifts = torch.arange(taps) - before
    edge, c, s = waves(shifts)
    met = (shifts >= lowest) & (shifts <= highest)
    weights = torch.cat([edge, 2 * c, 2 * s, 2 * (c + s)]) * met / period
    edge, c, s = waves(torch.arange(outputs))
    return into, weights, torch.cat([edge, c + s, s - c, -s]).T.contiguous()


@contextmanager
def _quick_products() -> Iterator[None]:
    """Matrix products by oneDNN where it computes them in float32: MKL takes twice as long on AMD's processors.

    oneDNN is asked for by allowing it bfloat16, which it takes where the processor has AMX.
    """
    matmul = torch.backends.mkldnn.matmul  # pyright: ignore[reportAttributeAccessIssue]
    before = matmul.fp32_precision
    try:
        matmul.fp32_precision = "bf16"
        if not _exact():
            matmul.fp32_precision = before
        yield
    finally:
        matmul.fp32_precision = before


@cache
def _exact() -> bool:
    """Whether matrix products, as they are asked for now, are float32's."""
    a, b = torch.randn(2, 4, 256, 256, generator=torch.Generator().manual_seed(0))
    return bool((torch.bmm(a, b) - torch.bmm(a.double(), b.double())).abs().max() < 1e-3)
