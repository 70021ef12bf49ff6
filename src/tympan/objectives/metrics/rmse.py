"""Root of the mean squared error."""

import numpy as np
from jaxtyping import Float

from .. import Metric


class RMSE(Metric):
    """The root of the mean squared error over all known frames of all recordings."""

    spaces = frozenset({"real"})
    higher_is_better = False

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        return float(((prediction[0] - truth) ** 2).sum()), float(len(truth))

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        total, n = rows.sum(0)
        return float(np.sqrt(total / n))

    def unit(self, unit: str) -> str:
        return unit
