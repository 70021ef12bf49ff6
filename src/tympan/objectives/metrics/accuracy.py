"""The part of the answers that is right."""

import numpy as np
from jaxtyping import Float, Int

from .. import Metric
from ._classes import answers, sums_drawn


class Accuracy(Metric):
    """The part of the known frames of all recordings whose class, or label at a threshold of 0.5, is right."""

    spaces = frozenset({"binary", "class"})
    higher_is_better = True

    def row(
        self, prediction: Float[np.ndarray, "values known"], truth: Float[np.ndarray, "known"]
    ) -> tuple[float, ...]:
        answer = answers(prediction)
        right = np.where(np.isnan(answer), np.nan, answer == truth)
        return float(right.sum()), float(len(truth))

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        right, n = rows.sum(0)
        return float(right / n)

    def drawn(
        self, rows: Float[np.ndarray, "recordings columns"], counts: Int[np.ndarray, "draws recordings"]
    ) -> Float[np.ndarray, "draws"]:
        right, n = sums_drawn(rows, counts).T
        with np.errstate(invalid="ignore"):
            return right / n
