"""Concordance correlation as a loss: the course, the level and the size of a curve at once."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .. import Loss

_LEAST = 1e-6  # variance, of quantities with unit deviation, below which curves count as constant


class CCC(Loss):
    """1 - the concordance correlation (Lin 1989) of each clip and channel over its known frames, from 0 to 2.

    A clip's loss is the mean over its channels of which anything is known.
    """

    space = "real"
    timed = True
    per_clip = True

    def values(
        self,
        prediction: Float[Tensor, "batch outputs frames"],
        target: Float[Tensor, "batch channels frames"],
        known: Bool[Tensor, "batch channels frames"],
    ) -> Float[Tensor, "batch"]:
        n = known.sum(2).clamp(min=1)
        x, y = prediction.sum(2) / n, target.sum(2) / n
        dx = torch.where(known, prediction - x[..., None], 0.0)
        dy = torch.where(known, target - y[..., None], 0.0)
        shared, spread = 2 * (dx * dy).sum(2) / n, (dx.square() + dy.square()).sum(2) / n
        # The small number is in both, so that a constant that is met has no loss, and none has an infinite gradient.
        loss = 1 - (shared + _LEAST) / (spread + (x - y).square() + _LEAST)
        channels = known.any(2)
        return torch.where(channels, loss, 0.0).sum(1) / channels.sum(1).clamp(min=1)
