"""Concordance correlation: Pearson's, less what the levels and the sizes differ."""

import numpy as np
from jaxtyping import Float

from .. import Metric
from ._moments import moments, pooled


class CCC(Metric):
    """The concordance correlation coefficient (Lin 1989) over all known frames of all recordings, from -1 to 1.

    A prediction that never varies has 0; a truth that never varies leaves it undefined.
    """

    spaces = frozenset({"real"})
    higher_is_better = True

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        return moments(prediction, truth)

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        xx, yy, xy, apart = pooled(rows)
        return float(2 * xy / (xx + yy + apart)) if yy > 0 else float("nan")
