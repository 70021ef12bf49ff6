"""Mixup: a part of another clip is heard too, and a part of its target is to be answered."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from ...signals import Signal
from ..draw import uniform as draw
from . import Augmentation, On

_MOST = 20


class Mixup(Augmentation):
    """Mix each clip with the next one of its batch, and its target likewise (Zhang et al. 2018, arXiv:1710.09412).

    The clip's own share is drawn from Beta(alpha, alpha). Both are mixed without their means. What is unknown of
    either stays unknown. The last clip is mixed with the first; a batch of one with itself.
    """

    on: ClassVar[On] = "waveform"
    draws: ClassVar[int] = 2 * _MOST - 1
    mixes: ClassVar[bool] = True

    alpha: int = Field(default=10, ge=1, le=_MOST)
    """Of the Beta distribution: 1 draws all shares alike, more draws them closer to a half."""

    def share(self, key: Int[Tensor, "batch 2"], seed: int) -> Float[Tensor, " batch"]:
        u = draw(key, seed, self.type, 1 + self.draws)
        return torch.where(u[:, 0] < self.p, self._share(u[:, 1:]), 1.0)

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch draws"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        share = self._share(uniform)[:, None, None]
        mean = x.sum(2, keepdim=True) / real.sum(1).clamp(min=1)[:, None, None]
        next_real = real.roll(-1, 0)
        # One pass over both; the means, which are of real samples alone, are taken off after it.
        y = torch.lerp(x.roll(-1, 0), x, share)
        own, other = (share * mean), (1 - share) * mean.roll(-1, 0)
        if bool(real.all()) if real.device.type == "cpu" else False:
            return y.sub_(own + other), real
        return y - own * real[:, None] - other * next_real[:, None], real | next_real

    def _share(self, uniform: Float[Tensor, "batch draws"]) -> Float[Tensor, " batch"]:
        """The middle one of 2 alpha - 1 even numbers is distributed so."""
        return uniform[:, : 2 * self.alpha - 1].median(1).values
