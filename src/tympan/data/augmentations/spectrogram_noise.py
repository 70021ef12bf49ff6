"""Spectrogram noise: faint noise is added to every cell, and the clip is moved by a few frames."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...memory import plain
from ...signals import Signal
from . import Augmentation, On
from ._random import even


class SpectrogramNoise(Augmentation):
    """Add noise, even from 0 to a level that is drawn evenly for each clip, and roll the clip in time.

    What leaves at the end comes at the beginning. As in AST (Gong et al. 2021, arXiv:2104.01778), by its numbers.
    Padding stays where it is, and a clip that has some is not rolled.
    """

    on: ClassVar[On] = "features"
    draws: ClassVar[int] = 4
    moves_sound: ClassVar[bool] = True

    max_level: float = Field(default=0.1, gt=0)
    """The highest level, in the features' own unit."""
    max_shift: float = Field(default=0.1, ge=0)
    """The furthest that a clip is rolled, in seconds."""

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch 4"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        frames = x.shape[2]
        y = even(uniform[:, 2:], x.shape[1] * frames).view_as(x)
        y = y.add_(1).mul_(self.max_level / 2 * uniform[:, :1, None]).mul_(real[:, None])
        most = min(round(self.max_shift * frames / signal.duration), frames - 1)
        by = (uniform[:, 1] * (2 * most + 1)).long() - most
        by = torch.where(real.all(1), by, 0) % frames
        if plain(x):  # slices are added at the speed of memory
            for given, made, later in zip(x, y, by.tolist(), strict=True):
                made[:, later:] += given[:, : frames - later]
                made[:, :later] += given[:, frames - later :]
            return y, real
        at = (torch.arange(frames, device=x.device) - by[:, None]) % frames
        return y + x.gather(2, at[:, None].expand_as(y)), real
