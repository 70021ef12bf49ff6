"""What hides rectangles of features, as SpecAugment's masks do: where they lie, and what is put there."""

from abc import abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...memory import plain
from ...signals import Signal
from . import Augmentation, On
from ._places import lengths

MOST = 8
"""The most masks of one augmentation."""

Spans = Int[Tensor, "batch #holes 2"]
"""Where each hole of each clip begins and ends; one that ends where it begins hides nothing."""


class Mask(Augmentation):
    """An augmentation that hides rectangles of a clip's real cells behind their mean."""

    on: ClassVar[On] = "features"

    @abstractmethod
    def holes(
        self, real: Bool[Tensor, "batch frames"], uniform: Float[Tensor, "batch draws"], channels: int, signal: Signal
    ) -> tuple[Spans, Spans]:
        """The channels of each hole, of `channels` that there are, and its frames, of those that are real.

        Raises:
            ValueError: a hole is too high for so few channels.
        """

    def fill(self, x: Tensor, real: Tensor, signal: Signal) -> Float[Tensor, " batch"]:
        """What is put into the holes of each clip."""
        return mean(x, real, signal)

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch draws"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        return self._covered(x, real, uniform, signal, torch.ones_like(uniform[:, 0], dtype=torch.bool), False), real

    def __call__(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        key: Int[Tensor, "batch 2"],
        seed: int,
        signal: Signal,
        ours: bool = False,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        chosen, uniform = self.drawn(key.to(x.device), seed)
        return self._covered(x, real, uniform, signal, chosen, ours), real

    def _covered(
        self, x: Tensor, real: Tensor, uniform: Tensor, signal: Signal, chosen: Bool[Tensor, " batch"], ours: bool
    ) -> Tensor:
        channels = x.shape[1] // signal.planes
        high, along = torch.broadcast_tensors(*self.holes(real, uniform, channels, signal))
        along = torch.where(chosen[:, None, None], along, 0)
        fill = self.fill(x, real, signal)
        if plain(x):  # slices are written at the speed of memory
            y = x if ours else x.clone()
            cells = y.numpy().reshape(len(y), signal.planes, channels, -1)
            for row, bands, stretches, value in zip(cells, high.tolist(), along.tolist(), fill.tolist(), strict=True):
                for (lowest, above), (first, end) in zip(bands, stretches, strict=True):
                    row[:, lowest:above, first:end] = value
            return y
        there = torch.bmm(_within(high, channels).mT, _within(along, x.shape[2])) > 0
        return torch.where(there.repeat(1, signal.planes, 1), fill[:, None, None], x)


def _within(spans: Spans, places: int) -> Float[Tensor, "batch holes {places}"]:
    place = torch.arange(places, device=spans.device)
    return ((place >= spans[:, :, :1]) & (place < spans[:, :, 1:])).float()


def masked(
    uniform: Float[Tensor, "batch draws"],
    masks: int,
    widest: int,
    first: Int[Tensor, "batch 1"],
    length: Int[Tensor, "batch 1"],
) -> Int[Tensor, "batch {masks} 2"]:
    """Where each clip's masks begin and end, among `length` places from `first` on.

    Widths are even from 1 to `widest` or half the length, starts among those that fit.
    """
    width, start = uniform[:, : 2 * masks].chunk(2, 1)
    width = 1 + (width * (length // 2).clamp(1, widest)).long()
    start = first + (start * (length - width + 1)).long()
    return torch.stack([start, start + width], 2)


def mean(
    x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"], signal: Signal
) -> Float[Tensor, " batch"]:
    """What the signal says is the mean of its values; else that of each clip's real cells. Padding is 0."""
    if signal.mean is not None:
        return x.new_full((len(x),), signal.mean)
    return x.sum((1, 2)) / (lengths(real).clamp(min=1) * x.shape[1])
