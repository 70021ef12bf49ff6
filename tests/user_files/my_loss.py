"""The logarithm of the hyperbolic cosine of the error."""

import torch
from torch import Tensor

from tympan.objectives import Loss


class LogCosh(Loss):
    """Squared where small, absolute where large."""

    space = "real"

    def values(self, prediction: Tensor, target: Tensor, known: Tensor) -> Tensor:
        return torch.log(torch.cosh((prediction - target).clamp(-20, 20)))
