"""What was said of the windows over a recording, laid end to end."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor


def apart(reach: float | None, rates: Sequence[float | None], sample_rate: int) -> tuple[int, int] | tuple[()]:
    """How many samples two windows must have in common for one answer over time to what is near, and of how many
    samples the distance between them is made; nothing where answers are to more than that.

    Args:
        reach: seconds before and after its own time that a frame hears (`Model.reach`).
        rates: of each answer (Hz).
        sample_rate: of the sound (Hz).
    """
    if reach is None or len(rates) > 1 or rates[0] is None or sample_rate % rates[0]:
        return ()
    step = round(sample_rate / rates[0])
    # A hundredth of a second more is what a resampler hears.
    return math.ceil(2 * (reach + 0.01) * sample_rate) + 2 * step, step


def stitch(
    starts: Sequence[int],
    parts: Sequence[Float[Tensor, "channels _"]],
    rate: float | None,
    sample_rate: int,
    near: bool,
) -> Float[Tensor, "channels frames"]:
    """One prediction from those of the windows.

    Args:
        starts: first sample of each window.
        parts: what was said of each.
        rate: frames per second (Hz); without one the windows are averaged.
        sample_rate: of the sound (Hz).
        near: each frame is taken from the window in which it lies further from the edge; else overlaps are averaged.
    """
    if len(parts) == 1:
        return parts[0]
    if rate is None:
        return torch.stack(list(parts)).mean(0)
    places = [round(first / sample_rate * rate) for first in starts]
    ends = [place + part.shape[1] for place, part in zip(places, parts, strict=True)]
    if near:
        cuts = [0, *((end + place) // 2 for end, place in zip(ends[:-1], places[1:], strict=True)), ends[-1]]
        spans = zip(parts, places, pairwise(cuts), strict=True)
        return torch.cat([part[:, begin - place : end - place] for part, place, (begin, end) in spans], 1)
    total = torch.zeros(parts[0].shape[0], ends[-1])
    weight = torch.zeros(total.shape[1])
    for place, end, part in zip(places, ends, parts, strict=True):
        total[:, place:end] += part
        weight[place:end] += 1
    return total / weight
