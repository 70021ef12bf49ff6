"""Mean absolute error in per cent of the truth."""

import numpy as np
from jaxtyping import Float

from ._draws import Quotient


class MAPE(Quotient):
    """Mean absolute percentage error over all known frames of all recordings; a truth of 0 is left out."""

    spaces = frozenset({"real"})
    higher_is_better = False

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        there = truth != 0
        return float(100 * np.abs(prediction[0, there] / truth[there] - 1).sum()), float(there.sum())

    def unit(self, unit: str) -> str:
        return "%"
