"""Where the sound of a clip lies, for changes that make it longer or shorter."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from ...memory import plain


def begins(real: Bool[Tensor, "batch frames"]) -> Int[Tensor, " batch"]:
    """The first real sample of each clip."""
    if real.device.type == "cpu":  # numpy stops at the first, and counts many at once
        return torch.from_numpy(real.numpy().argmax(1))
    return real.view(torch.uint8).argmax(1)


def lengths(real: Bool[Tensor, "batch frames"]) -> Int[Tensor, " batch"]:
    """How many samples of each clip are real."""
    if real.device.type == "cpu":
        return torch.tensor([int(np.count_nonzero(row)) for row in real.numpy()])
    return real.sum(1)


def sounding(real: Bool[Tensor, "batch frames"]) -> Int[Tensor, "batch 2"]:
    """Where each clip's real samples begin and end."""
    first = begins(real)
    return torch.stack([first, first + lengths(real)], 1)


def moved(
    x: Shaped[Tensor, "batch channels frames"], by: Int[Tensor, " batch"]
) -> Shaped[Tensor, "batch channels frames"]:
    """Each clip later by so many samples; what leaves is lost, and what comes is 0."""
    if plain(x):  # slices are copied at the speed of memory
        y, frames = torch.empty_like(x), x.shape[2]
        for given, made, later in zip(x.numpy(), y.numpy(), by.tolist(), strict=True):
            first, last = min(max(later, 0), frames), min(max(frames + later, 0), frames)
            made[:, first:last] = given[:, first - later : last - later]
            made[:, :first] = 0
            made[:, last:] = 0
        return y
    at = torch.arange(x.shape[2], device=x.device) - by[:, None]
    there = (at >= 0) & (at < x.shape[2])
    return x.gather(2, at.clamp(0, x.shape[2] - 1)[:, None].expand_as(x)) * there[:, None].to(x.dtype)


def put_back(
    y: Float[Tensor, "batch channels frames"], length: Int[Tensor, " batch"], real: Bool[Tensor, "batch frames"]
) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
    """Sound that begins at 0 and has a new length, where it was: it ends where it ended, but in clips that are padded
    on the right, where it begins where it began; and which samples are real."""
    frames = y.shape[2]
    length = length.clamp(1, frames)
    begin, end = sounding(real).unbind(1)
    first = torch.where(end == frames, frames - length, begin.minimum(frames - length))
    if plain(y):
        made, there = torch.empty_like(y), torch.zeros_like(real)
        each = zip(y.numpy(), made.numpy(), there.numpy(), first.tolist(), length.tolist(), strict=True)
        for given, row, kept, at, count in each:
            row[:, :at] = 0
            row[:, at : at + count] = given[:, :count]
            row[:, at + count :] = 0
            kept[at : at + count] = True
        return made, there
    place = torch.arange(frames, device=y.device)
    there = (place >= first[:, None]) & (place < (first + length)[:, None])
    return moved(y, first) * there[:, None].to(y.dtype), there
