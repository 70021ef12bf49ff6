"""Spearman's rank correlation."""

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from .. import Metric


class Spearman(Metric):
    """Spearman's rank correlation of recordings: whether larger is answered larger, whatever the scale; undefined where
    either never varies. Equal values share the mean of their ranks."""

    spaces = frozenset({"real"})
    higher_is_better = True
    once_per_clip = True

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        return float(prediction[0, 0]), float(truth[0])

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        if not np.ptp(rows, axis=0).all():
            return float("nan")
        said, truth = rankdata(rows, axis=0).T
        return float(np.clip(np.corrcoef(said, truth)[0, 1], -1, 1))
