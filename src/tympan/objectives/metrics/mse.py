"""Mean squared error."""

import numpy as np
from jaxtyping import Float

from ._draws import Quotient


class MSE(Quotient):
    """Mean squared error over all known frames of all recordings."""

    spaces = frozenset({"real"})
    higher_is_better = False

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        return float(((prediction[0] - truth) ** 2).sum()), float(len(truth))

    def unit(self, unit: str) -> str:
        return "" if not unit else f"({unit})²" if set(unit) & set(" /·^²") else f"{unit}²"
