"""Squared error."""

from jaxtyping import Bool, Float
from torch import Tensor

from .. import Loss


class MSE(Loss):
    """Squared error of each value, of quantities with zero mean and unit deviation."""

    space = "real"

    def values(
        self,
        prediction: Float[Tensor, "batch outputs frames"],
        target: Float[Tensor, "batch channels frames"],
        known: Bool[Tensor, "batch channels frames"],
    ) -> Float[Tensor, "batch channels frames"]:
        return (prediction - target).square()
