"""Area under the receiver operating characteristic."""

import numpy as np
from jaxtyping import Bool, Float, Int

from .. import Metric
from ..drawn import auroc
from ._classes import one_vs_rest, one_vs_rest_drawn


class AUROC(Metric):
    """The probability that a positive recording ranks above a negative one, where a tie counts half.

    Of classes, the mean over each against the rest. Undefined without a positive or without a negative.
    """

    spaces = frozenset({"binary", "class"})
    higher_is_better = True
    once_per_clip = True

    def row(self, prediction: Float[np.ndarray, "values 1"], truth: Float[np.ndarray, "1"]) -> tuple[float, ...]:
        return *map(float, prediction[:, 0]), float(truth[0])

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        return one_vs_rest(_area, rows)

    def drawn(
        self, rows: Float[np.ndarray, "recordings columns"], counts: Int[np.ndarray, "draws recordings"]
    ) -> Float[np.ndarray, "draws"]:
        return one_vs_rest_drawn(auroc, rows, counts)


def _area(scores: Float[np.ndarray, "recordings"], positive: Bool[np.ndarray, "recordings"]) -> float:
    above, below = scores[positive], np.sort(scores[~positive])
    if not (len(above) and len(below)):
        return float("nan")
    # Negatives below each positive, and below or equal to it: their mean gives half a point for a tie.
    wins = np.searchsorted(below, above, "left").sum() + np.searchsorted(below, above, "right").sum()
    return float(wins / (2 * len(above) * len(below)))
