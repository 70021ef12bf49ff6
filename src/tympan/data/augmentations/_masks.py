"""What the masks of SpecAugment share: where they lie, and what is put there."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ._places import plain

MOST = 8
"""The most masks of one augmentation."""


def masked(
    uniform: Float[Tensor, "batch draws"],
    masks: int,
    widest: int,
    first: Int[Tensor, "batch 1"],
    length: Int[Tensor, "batch 1"],
) -> tuple[Int[Tensor, "batch {masks}"], Int[Tensor, "batch {masks}"]]:
    """The width and the start of each clip's masks, among `length` places from `first` on.

    Widths are even from 1 to `widest` or half the length, starts among those that fit.
    """
    width, start = uniform[:, : 2 * masks].chunk(2, 1)
    width = 1 + (width * (length // 2).clamp(1, widest)).long()
    return width, first + (start * (length - width + 1)).long()


def covered(
    x: Float[Tensor, "batch channels frames"],
    width: Int[Tensor, "batch masks"],
    start: Int[Tensor, "batch masks"],
    dim: Literal[1, 2],
    fill: Float[Tensor, " batch"],
    planes: int = 1,
) -> Float[Tensor, "batch channels frames"]:
    """The same, but each clip's `fill` where its masks lie along a dimension; in each of several planes of channels."""
    if plain(x):  # slices are written at the speed of memory
        y = x.clone()
        rows = zip(y.unflatten(1, (planes, -1)), start.tolist(), (start + width).tolist(), fill, strict=True)
        for row, firsts, ends, value in rows:
            for first, end in zip(firsts, ends, strict=True):
                row.narrow(dim, first, end - first).fill_(value)
        return y
    place = torch.arange(x.shape[dim] // (planes if dim == 1 else 1), device=x.device)
    there = ((place >= start[:, :, None]) & (place < (start + width)[:, :, None])).any(1)
    there = there.repeat(1, planes)[:, :, None] if dim == 1 else there[:, None]
    return torch.where(there, fill[:, None, None], x)


def mean(x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]) -> Float[Tensor, " batch"]:
    """The mean of each clip's real cells; padding is 0."""
    return x.sum((1, 2)) / (real.sum(1) * x.shape[1])
