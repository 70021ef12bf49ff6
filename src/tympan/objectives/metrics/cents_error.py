"""Median absolute error of the pitch."""

import numpy as np
from jaxtyping import Float

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
        known = rows[~np.isnan(rows[:, 0]), 0]
        middle = float(np.median(known)) if len(known) else float("nan")
        return middle if np.isfinite(middle) else float("nan")

    def unit(self, unit: str) -> str:
        return "cents"
