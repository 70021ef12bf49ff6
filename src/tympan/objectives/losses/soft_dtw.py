"""Soft dynamic time warping: the course of a curve, with some freedom of its times."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor
from torch.autograd.function import once_differentiable

from .. import Loss


class SoftDTW(Loss):
    """Soft-DTW of squared differences (Cuturi & Blondel 2017) of each clip and channel, divided by its known frames.

    Only known frames count, one after the other. A clip's loss is the mean over its channels of which anything is
    known. It is computed on the processor, whatever device the prediction is on.
    """

    space = "real"
    per_clip = True

    gamma: float = Field(default=0.1, gt=0)
    """How soft the minimum over paths is, in squared deviations of the training part; towards 0 it becomes DTW."""
    band: int | None = Field(default=None, ge=0)
    """How far times may be warped, in frames of the target (Sakoe & Chiba 1978); by default as far as they like."""
    divergence: bool = True
    """Subtract how far each curve is from itself (Blondel, Mensch & Vert 2021), so that a perfect prediction has 0;
    without it a prediction that is too smooth has less than a perfect one, and the loss is also negative."""

    def values(
        self,
        prediction: Float[Tensor, "batch outputs frames"],
        target: Float[Tensor, "batch channels frames"],
        known: Bool[Tensor, "batch channels frames"],
    ) -> Float[Tensor, "batch"]:
        n = known.sum(2)
        x, y, lengths = prediction[known], target[known], n.flatten()
        value = soft_dtw(x, y, lengths, self.gamma, self.band)
        if self.divergence:
            alone = soft_dtw(x, x, lengths, self.gamma, self.band), soft_dtw(y, y, lengths, self.gamma, self.band)
            value = value - (alone[0] + alone[1]) / 2
        return (value.view(n.shape) / n.clamp(min=1)).sum(1) / (n > 0).sum(1).clamp(min=1)


def soft_dtw(
    a: Float[Tensor, "frames"],
    b: Float[Tensor, "frames"],
    lengths: Int[Tensor, "curves"],
    gamma: float,
    band: int | None = None,
) -> Float[Tensor, "curves"]:
    """Soft-DTW of pairs of curves that lie end to end, differentiable once; see `alignment.soft_dtw`."""
    return _SoftDTW.apply(a, b, lengths, gamma, band)  # pyright: ignore[reportReturnType]


class _SoftDTW(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        from .. import alignment

        *tensors, gamma, band = inputs
        a, b, lengths = (x.detach().cpu().numpy() for x in tensors)
        found = alignment.soft_dtw(a, b, lengths, gamma, band, any(ctx.needs_input_grad))
        # The derivatives are kept, not the tables: these are as large as the square of a curve's length.
        values, by_a, by_b = (torch.from_numpy(x).to(tensors[0]) for x in found)
        ctx.save_for_backward(by_a, by_b, tensors[2])
        return values

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *slopes: Any
    ) -> tuple[Tensor, Tensor, None, None, None]:
        by_a, by_b, lengths = ctx.saved_tensors
        slope = slopes[0].repeat_interleave(lengths)
        return slope * by_a, slope * by_b, None, None, None
