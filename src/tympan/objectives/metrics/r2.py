"""Coefficient of determination."""

import numpy as np
from jaxtyping import Float

from ..drawn import Array
from ._draws import Counts, OfDraws, Rows
from ._moments import deviations


class R2(OfDraws):
    """1 - (squared error) / (squared deviation of the truth from its mean), over all known frames of all recordings.

    Undefined for one value, and for a truth that never varies.
    """

    spaces = frozenset({"real"})
    higher_is_better = True

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        # Deviations from the first value, so that a large offset costs no digits and a constant has exactly none.
        y = truth - truth[0]
        error = ((prediction[0] - truth) ** 2).sum()
        return float(len(y)), float(truth[0] + y.mean()), float(((y - y.mean()) ** 2).sum()), float(error)

    def of_draws(self, rows: Rows, counts: Counts) -> Array:
        n, mean, within, error = rows.T
        # Parallel variance (Chan, Golub & LeVeque 1983): within recordings, and between their means.
        variation = counts @ within + (counts * n * deviations(mean, counts * n) ** 2).sum(1)
        return np.where(variation > 0, 1 - counts @ error / variation, np.nan)
