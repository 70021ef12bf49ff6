"""Average precision: the area under the precision-recall steps."""

import numpy as np
from jaxtyping import Bool, Float, Int

from .. import Metric
from ..drawn import average_precision
from ._classes import one_vs_rest, one_vs_rest_drawn


class AveragePrecision(Metric):
    """Precision averaged over the recall that each threshold adds; a random ranking scores the share of positives.

    Of classes, the mean over each against the rest. Undefined without a positive.
    """

    spaces = frozenset({"binary", "class"})
    higher_is_better = True
    once_per_clip = True

    def row(self, prediction: Float[np.ndarray, "values 1"], truth: Float[np.ndarray, "1"]) -> tuple[float, ...]:
        return *map(float, prediction[:, 0]), float(truth[0])

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        return one_vs_rest(_precision, rows)

    def drawn(
        self, rows: Float[np.ndarray, "recordings columns"], counts: Int[np.ndarray, "draws recordings"]
    ) -> Float[np.ndarray, "draws"]:
        return one_vs_rest_drawn(average_precision, rows, counts)


def _precision(scores: Float[np.ndarray, "recordings"], positive: Bool[np.ndarray, "recordings"]) -> float:
    order = np.argsort(-scores)
    ranked, hits = scores[order], np.cumsum(positive[order])
    if not hits[-1]:
        return float("nan")
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # ties are taken together
    found = hits[last]
    return float((np.diff(found, prepend=0) * found / (last + 1)).sum() / hits[-1])
