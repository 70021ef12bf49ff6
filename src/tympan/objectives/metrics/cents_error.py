"""Median absolute error of the pitch."""

import numpy as np
from jaxtyping import Float, Int

from .. import Metric
from ._cents import cents


class CentsError(Metric):
    """The median over recordings of the median absolute error of their frames, in cents.

    A frame without an answer is infinitely far off, so that silence never pays; where that is most of them, there is no
    figure. A frame whose truth has no pitch (NaN, 0) does not count.
    """

    spaces = frozenset({"real"})
    higher_is_better = False

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        away = cents(prediction, truth)
        return (float(np.median(away)) if len(away) else float("nan"),)

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        return float(self.drawn(rows, np.ones((1, len(rows)), np.int64))[0])

    def drawn(
        self, rows: Float[np.ndarray, "recordings columns"], counts: Int[np.ndarray, "draws recordings"]
    ) -> Float[np.ndarray, "draws"]:
        known = np.flatnonzero(~np.isnan(rows[:, 0]))
        order = known[rows[known, 0].argsort()]
        below = counts[:, order].cumsum(1)
        n = counts[:, order].sum(1, keepdims=True)
        values = np.append(rows[order, 0], np.inf)  # of nothing
        lower, upper = ((below <= middle).sum(1) for middle in ((n - 1) // 2, n // 2))
        middle = (values[lower] + values[upper]) / 2
        return np.where(np.isfinite(middle), middle, np.nan)

    def unit(self, unit: str) -> str:
        return "cents"
