"""Area under the receiver operating characteristic."""

import numpy as np
from jaxtyping import Float, Int

from .. import Metric
from ..drawn import auroc
from ._classes import one_vs_rest


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
        return float(self.drawn(rows, np.ones((1, len(rows)), np.int64))[0])

    def drawn(
        self, rows: Float[np.ndarray, "recordings columns"], counts: Int[np.ndarray, "draws recordings"]
    ) -> Float[np.ndarray, "draws"]:
        return one_vs_rest(auroc, rows, counts)
