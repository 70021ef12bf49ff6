"""Concordance correlation: Pearson's, less what the levels and the sizes differ."""

import numpy as np
from jaxtyping import Float

from ..drawn import Array
from ._draws import Counts, OfDraws, Rows
from ._moments import moments, pooled


class CCC(OfDraws):
    """The concordance correlation coefficient (Lin 1989) over all known frames of all recordings, from -1 to 1.

    A prediction that never varies has 0; a truth that never varies leaves it undefined.
    """

    spaces = frozenset({"real"})
    higher_is_better = True

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        return moments(prediction, truth)

    def of_draws(self, rows: Rows, counts: Counts) -> Array:
        xx, yy, xy, apart = pooled(rows, counts)
        return np.where(yy > 0, 2 * xy / (xx + yy + apart), np.nan)
