"""What the masks of SpecAugment share: where they lie, and what is put there."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MOST = 8
"""The most masks of one augmentation."""


def hidden(
    uniform: Float[Tensor, "batch draws"],
    masks: int,
    widest: int,
    first: Int[Tensor, "batch 1"],
    length: Int[Tensor, "batch 1"],
    places: int,
) -> Bool[Tensor, "batch {places}"]:
    """Which of `places` each clip's masks hide, among `length` of them from `first` on.

    Widths are even from 1 to `widest` or half the length, starts among those that fit.
    """
    width, start = uniform[:, : 2 * masks].chunk(2, 1)
    width = 1 + (width * (length // 2).clamp(1, widest)).long()
    start = first + (start * (length - width + 1)).long()
    place = torch.arange(places, device=uniform.device)
    return ((place >= start[:, :, None]) & (place < (start + width)[:, :, None])).any(1)


def cover(
    x: Float[Tensor, "batch channels frames"],
    real: Bool[Tensor, "batch frames"],
    hidden: Bool[Tensor, "batch #channels #frames"],
) -> Float[Tensor, "batch channels frames"]:
    """The mean of each clip's real cells where `hidden`.

    Products, not selections: features are finite, and one that is broadcast is more than twice as fast.
    """
    weight = real.to(x.dtype)[:, None]
    mean = torch.bmm(weight, x.mT).sum(2, keepdim=True) / (weight.sum(2, keepdim=True) * x.shape[1])
    return (x * (~hidden).to(x.dtype)).add_(hidden * mean)
