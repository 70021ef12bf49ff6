"""The mean over classes of the part that is recognised (also called balanced accuracy)."""

import numpy as np
from jaxtyping import Float

from .. import Metric
from ._classes import answers


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
        right, count = rows.sum(0).reshape(2, -1)
        return float((right[count > 0] / count[count > 0]).mean())
