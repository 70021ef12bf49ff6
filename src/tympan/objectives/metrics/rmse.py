"""Root of the mean squared error."""

import numpy as np
from jaxtyping import Float

from ..drawn import Array
from ._draws import Quotient


class RMSE(Quotient):
    """The root of the mean squared error over all known frames of all recordings."""

    spaces = frozenset({"real"})
    higher_is_better = False

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        return float(((prediction[0] - truth) ** 2).sum()), float(len(truth))

    def of_sums(self, sums: Float[np.ndarray, "draws 2"]) -> Array:
        return np.sqrt(super().of_sums(sums))

    def unit(self, unit: str) -> str:
        return unit
