"""The mean over classes of the part that is recognised (also called balanced accuracy)."""

import numpy as np
from jaxtyping import Float, Int

from .. import Metric
from ._classes import answers, sums_drawn


class UnweightedAverageRecall(Metric):
    """The mean of each class's recall over the classes that occur; of yes and no, at a threshold of 0.5, for a label.

    Saying one class always gives 1 / classes, however unequal they are.
    """

    spaces = frozenset({"binary", "class"})
    higher_is_better = True

    def row(
        self, prediction: Float[np.ndarray, "values known"], truth: Float[np.ndarray, "known"]
    ) -> tuple[float, ...]:
        answer = answers(prediction)
        right = np.where(np.isnan(answer), np.nan, answer == truth)
        here = [truth == c for c in range(max(len(prediction), 2))]
        return *(float(right[h].sum()) for h in here), *(float(h.sum()) for h in here)

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        return float(_recall(rows.sum(0)[None])[0])

    def drawn(
        self, rows: Float[np.ndarray, "recordings columns"], counts: Int[np.ndarray, "draws recordings"]
    ) -> Float[np.ndarray, "draws"]:
        return _recall(sums_drawn(rows, counts))


def _recall(sums: Float[np.ndarray, "draws columns"]) -> Float[np.ndarray, "draws"]:
    right, count = np.split(sums, 2, axis=1)
    with np.errstate(invalid="ignore"):
        recall = np.where(count == 0, 0.0, right / np.where(count == 0, 1.0, count))
        return recall.sum(1) / (count != 0).sum(1)
