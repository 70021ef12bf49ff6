"""The mean over classes of the part that is recognised (also called balanced accuracy)."""

import numpy as np
from jaxtyping import Float

from ..drawn import Array
from ._classes import answers
from ._draws import OfSums


class UnweightedAverageRecall(OfSums):
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

    def of_sums(self, sums: Float[np.ndarray, "draws columns"]) -> Array:
        right, count = np.split(sums, 2, axis=1)
        recall = np.where(count == 0, 0.0, right / np.where(count == 0, 1.0, count))
        return recall.sum(1) / (count != 0).sum(1)
