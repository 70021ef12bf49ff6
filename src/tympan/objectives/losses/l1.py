"""Absolute error."""

from jaxtyping import Bool, Float
from torch import Tensor

from .. import Loss


class L1(Loss):
    """Absolute error of each value; least where the prediction is the median."""

    space = "real"

    def values(
        self,
        prediction: Float[Tensor, "batch outputs frames"],
        target: Float[Tensor, "batch channels frames"],
        known: Bool[Tensor, "batch channels frames"],
    ) -> Float[Tensor, "batch channels frames"]:
        return (prediction - target).abs()
