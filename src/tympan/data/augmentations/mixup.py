"""Mixup: a part of another clip is heard too, and a part of its target is to be answered."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from ...memory import plain
from ...signals import Signal
from . import Augmentation, On
from ._places import begins, lengths

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
        chosen, uniform = self.drawn(key, seed)
        return torch.where(chosen, self._share(uniform), 1.0)

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch draws"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        share, first, length = self._share(uniform), begins(real), lengths(real)
        there = _through(first, length, x.shape[2])
        if not plain(x):
            mean = x.sum(2, keepdim=True) / length.clamp(min=1)[:, None, None]
            centred = x - mean * real[:, None]
            return torch.lerp(centred.roll(-1, 0), centred, share[:, None, None]), there
        y = torch.empty_like(x)
        # Clip after clip, so that each is read from memory once; its mean, which is of real samples, comes off last.
        clips = [*zip(x, first.tolist(), (first + length).tolist(), strict=True)]
        means = [x[0].sum(1, keepdim=True) / length[0].clamp(min=1)]
        for i, s in enumerate(share.tolist()):
            after = (i + 1) % len(x)
            if after:
                means.append(x[after].sum(1, keepdim=True) / length[after].clamp(min=1))
            torch.lerp(x[after], x[i], s, out=y[i])
            for part, k in ((s, i), (1 - s, after)):
                _, begin, end = clips[k]
                y[i, :, begin:end].sub_(part * means[k])
        return y, there

    def _share(self, uniform: Float[Tensor, "batch draws"]) -> Float[Tensor, " batch"]:
        """The middle one of 2 alpha - 1 even numbers is distributed so."""
        return uniform[:, : 2 * self.alpha - 1].median(1).values


def _through(
    begin: Int[Tensor, " batch"], length: Int[Tensor, " batch"], frames: int
) -> Bool[Tensor, "batch {frames}"]:
    """From where the first of a clip and its next begins to where the last one ends, of clips that begin and last so.

    Between two that lie apart there is silence, which counts as sound: all that follows takes real samples to be in one
    piece.
    """
    begin, end = begin.masked_fill(length == 0, frames), begin + length
    first, last = begin.minimum(begin.roll(-1)), end.maximum(end.roll(-1))
    if first.device.type == "cpu":  # a slice of each clip is written twenty times as fast
        there = torch.zeros(len(first), frames, dtype=torch.bool)
        for row, a, b in zip(there.numpy(), first.tolist(), last.tolist(), strict=True):
            row[a:b] = True
        return there
    place = torch.arange(frames, device=first.device)
    return (place >= first[:, None]) & (place < last[:, None])
