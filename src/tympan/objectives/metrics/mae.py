"""Mean absolute error."""

import numpy as np
from jaxtyping import Float

from ._draws import Quotient


class MAE(Quotient):
    """Mean absolute error over all known frames of all recordings."""

    spaces = frozenset({"real"})
    higher_is_better = False

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        return float(np.abs(prediction[0] - truth).sum()), float(len(truth))

    def unit(self, unit: str) -> str:
        return unit
