"""Attention of turned queries and keys, and the layer of a transformer."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

Turn = tuple[Float[Tensor, "batch 1 frames half"], Float[Tensor, "batch 1 frames half"]]
"""Cosine and sine of every position's angles."""
Heads = Float[Tensor, "batch heads frames size"]
Others = tuple[Float[Tensor, "batch heads others size"], Float[Tensor, "batch heads others size"]]
"""Keys and values of frames that may be attended to."""


def turn(real: Bool[Tensor, "batch frames"], size: int) -> Turn:
    """The turns of heads of `size` channels at every frame, counted from the first real one."""
    at = torch.arange(real.shape[1], device=real.device) - real.int().argmax(1, keepdim=True)
    speed = 10_000.0 ** -(torch.arange(0, size, 2, device=real.device) / size)
    angle = at[:, None, :, None] * speed
    return angle.cos(), angle.sin()


def earlier(real: Bool[Tensor, "batch frames"]) -> Bool[Tensor, "batch 1 frames frames"]:
    """Which frames each frame may attend to: real ones up to itself, and itself, so that padding has one too."""
    n = real.shape[1]
    up_to = torch.ones(n, n, dtype=torch.bool, device=real.device).tril()
    itself = torch.eye(n, dtype=torch.bool, device=real.device)
    return ((real[:, None] & up_to) | itself)[:, None]


class Attention(nn.Module):
    """Scaled dot products of several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.size = width // heads
        self.query, self.keys_and_values = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "batch frames width"],
        turned: Turn,
        others: Others,
        heard: Bool[Tensor, "batch 1 #frames others"],
    ) -> Float[Tensor, "batch frames width"]:
        """What each frame makes of the others, given their keys and values and which of them it may hear."""
        keys, values = others
        query = _turned(self._split(self.query(x)), turned).to(values.dtype)
        y = functional.scaled_dot_product_attention(query, keys, values, heard)
        return self.out(y.transpose(1, 2).flatten(2))

    def attended(self, x: Float[Tensor, "batch frames width"], turned: Turn) -> Others:
        """The keys and values of frames that may be attended to."""
        keys, values = self.keys_and_values(x).chunk(2, 2)
        values = self._split(values)
        return _turned(self._split(keys), turned).to(values.dtype), values

    def _split(self, x: Float[Tensor, "batch frames width"]) -> Heads:
        return x.unflatten(2, (-1, self.size)).transpose(1, 2)


class Layer(nn.Module):
    """Attention to a sequence itself, to another one if it `crosses`, and two dense layers; normalisation first."""

    def __init__(self, width: int, heads: int, dropout: float, crosses: bool) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.cross = (nn.LayerNorm(width), Attention(width, heads)) if crosses else (None, None)
        self.dense = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch frames width"],
        turned: Turn,
        heard: Tensor,
        sound: Any = None,
        sound_heard: Any = None,
        cache: "Cache | None" = None,
    ) -> Float[Tensor, "batch frames width"]:
        """The next sequence.

        Args:
            x: the sequence, or its newest frame, which comes after what the cache holds.
            turned: the turns of its frames.
            heard: which frames of the sequence each frame attends to.
            sound: keys and values of the other sequence.
            sound_heard: which frames of the other sequence each frame attends to.
            cache: keys and values of the earlier frames, to which those of `x` are added.
        """
        y = self.norm1(x)
        own = self.attention.attended(y, turned)
        if cache is not None:
            own = cache.add(*own)
        x = x + self.dropout(self.attention(y, turned, own, heard))
        if self.norm2 is not None and self.cross is not None:
            x = x + self.dropout(self.cross(self.norm2(x), turned, sound, sound_heard))
        return x + self.dense(x)


class Cache:
    """Keys and values of the frames so far, in memory that doubles when it is full."""

    def __init__(self) -> None:
        self.at = 0
        self.kept: list[Tensor] = []

    def add(self, keys: Heads, values: Heads) -> tuple[Tensor, Tensor]:
        """Those of one more frame; gives all, `(batch, heads, others, size)`."""
        new = [keys, values]
        if not self.kept:
            self.kept = new
        elif torch.is_grad_enabled():  # what gradients go back through is not written over
            self.kept = [torch.cat(pair, 2) for pair in zip(self.kept, new, strict=True)]
        else:
            if self.at == self.kept[0].shape[2]:
                self.kept = [torch.cat([kept, kept], 2) for kept in self.kept]
            for kept, one in zip(self.kept, new, strict=True):
                kept[:, :, self.at] = one[:, :, 0]
        self.at += 1
        return self.kept[0][:, :, : self.at], self.kept[1][:, :, : self.at]


def _turned(x: Heads, by: Turn) -> Heads:
    a, b = x.chunk(2, 3)
    cosine, sine = by
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], 3)
