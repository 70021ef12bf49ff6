"""What hides rectangles of features, as SpecAugment's masks do: where they lie, and what is put there."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...memory import plain
from ...signals import Signal
from ..draw import numbers
from . import Augmentation, On
from ._places import sounding

MOST = 8
"""The most masks of one augmentation."""

Numbers = Any
"""Numpy's array in the processor's memory, where it begins each of many small steps sooner; elsewhere a tensor."""
Holes = tuple[Numbers, Numbers, Numbers, Numbers]
"""Of each hole of each clip the first channel and the one after the last, and the same of frames: `(batch, holes)`,
whole numbers as float32. One that ends where it begins hides nothing."""


class Mask(Augmentation):
    """An augmentation that hides rectangles of a clip's real cells behind their mean."""

    on: ClassVar[On] = "features"

    @abstractmethod
    def holes(self, real: Numbers, uniform: Numbers, channels: int, signal: Signal) -> Holes:
        """Where the holes of each clip lie.

        Args:
            real: `(batch, frames)`, which frames are no padding.
            uniform: `(batch, draws)`, float32 numbers in [0, 1).
            channels: how many there are, in one channel of sound.

        Raises:
            ValueError: a hole is too high for so few channels.
        """

    def fill(self, x: Numbers, real: Numbers, signal: Signal) -> Numbers:
        """What is put into the holes: one number, or `(batch, 1, 1)`."""
        return mean(x, real, signal)

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch draws"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        if plain(x):
            return self._written(x.clone(), real, uniform.numpy(), signal, np.ones(len(x), bool)), real
        return self._covered(x, real, uniform, signal, torch.ones(len(x), dtype=torch.bool, device=x.device)), real

    def __call__(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        key: Int[Tensor, "batch 2"],
        seed: int,
        signal: Signal,
        ours: bool = False,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        if plain(x):
            u = numbers(key.numpy(), seed, self.type, 1 + self.draws)
            return self._written(x if ours else x.clone(), real, u[:, 1:], signal, u[:, 0] < self.p), real
        chosen, uniform = self.drawn(key.to(x.device), seed)
        return self._covered(x, real, uniform, signal, chosen), real

    def _written(self, x: Tensor, real: Tensor, uniform: np.ndarray, signal: Signal, chosen: np.ndarray) -> Tensor:
        """Into `x` itself, at the speed of memory."""
        from ._hide import hide  # numba

        y, there = x.numpy(), real.numpy()
        cells = y.reshape(len(y), signal.planes, -1, y.shape[2])
        fill = np.array(each(self.fill(y, there, signal), len(y)), np.float32)
        hide(cells, fill, chosen, *self.holes(there, uniform, cells.shape[2], signal))
        return x

    def _covered(self, x: Tensor, real: Tensor, uniform: Tensor, signal: Signal, chosen: Tensor) -> Tensor:
        channels = x.shape[1] // signal.planes
        lowest, above, first, end = self.holes(real, uniform, channels, signal)
        along = _within(first, torch.where(chosen[:, None], end, first), x.shape[2])
        there = torch.bmm(_within(lowest, above, channels).mT, along) > 0
        return torch.where(there.repeat(1, signal.planes, 1), self.fill(x, real, signal), x)


def _within(
    first: Float[Tensor, "batch holes"], end: Float[Tensor, "batch holes"], places: int
) -> Float[Tensor, "batch holes {places}"]:
    place = torch.arange(places, device=first.device)
    return ((place >= first[:, :, None]) & (place < end[:, :, None])).float()


def real_places(real: Numbers) -> tuple[Numbers, Numbers]:
    """The first real place of each clip, and how many are real: `(batch, 1)` each, as float32."""
    if isinstance(real, Tensor):
        begin, end = sounding(real).float().unbind(1)
        return begin[:, None], (end - begin)[:, None]
    if np.count_nonzero(real) == real.size:  # most batches hold no padding, which is seen at once
        first = np.zeros((len(real), 1), np.float32)
        return first, first + real.shape[1]
    first, length = real_places(torch.from_numpy(real))
    return first.numpy(), length.numpy()


def masked(uniform: Numbers, masks: int, widest: int, first: Numbers, length: Numbers) -> tuple[Numbers, Numbers]:
    """Where each clip's masks begin and end, among `length` places from `first` on.

    Widths are even from 1 to `widest` or half the length, starts among those that fit.
    """
    width = 1 + uniform[:, :masks] * (length // 2).clip(1, widest) // 1
    start = first + uniform[:, masks : 2 * masks] * (length - width + 1) // 1
    return start, start + width


def mean(x: Numbers, real: Numbers, signal: Signal) -> Numbers:
    """What the signal says is the mean of its values; else that of each clip's real cells, `(batch, 1, 1)`. Padding is
    0."""
    if signal.mean is not None:
        return float(signal.mean)
    count = real_places(real)[1].clip(1, None) * x.shape[1]
    return (x.sum((1, 2)) / count[:, 0])[:, None, None]


def each(value: Numbers, clips: int) -> list[float]:
    """One number for each of so many clips, of what `mean` returned."""
    return [value] * clips if isinstance(value, float) else value.flatten().tolist()
