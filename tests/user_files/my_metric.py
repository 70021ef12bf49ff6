"""The median absolute error."""

import numpy as np

from tympan.objectives import Metric


class MedianError(Metric):
    """The median over recordings of their mean absolute error."""

    spaces = frozenset({"real"})
    higher_is_better = False

    def row(self, prediction: np.ndarray, truth: np.ndarray) -> tuple[float, ...]:
        return (float(np.abs(prediction[0] - truth).mean()),)

    def score(self, rows: np.ndarray) -> float:
        return float(np.median(rows))
