"""Huber's error: squared where small, absolute where large."""

from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from .. import Loss


class Huber(Loss):
    """Half the square of errors below `delta`, a straight line above (Huber 1964): few outliers do not decide."""

    space = "real"

    delta: float = Field(default=1.0, gt=0)
    """The error at which the square becomes a line, in standard deviations of the training part."""

    def values(
        self,
        prediction: Float[Tensor, "batch outputs frames"],
        target: Float[Tensor, "batch channels frames"],
        known: Bool[Tensor, "batch channels frames"],
    ) -> Float[Tensor, "batch channels frames"]:
        return nn.functional.huber_loss(prediction, target, reduction="none", delta=self.delta)
