"""Pearson's correlation."""

import numpy as np
from jaxtyping import Float

from .. import Metric


class Pearson(Metric):
    """Pearson's correlation over all known frames of all recordings; undefined where either never varies."""

    spaces = frozenset({"real"})
    higher_is_better = True

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        # Deviations from the first value, so that a large offset costs no digits and a constant has exactly none.
        x, y = prediction[0] - prediction[0, 0], truth - truth[0]
        dx, dy = x - x.mean(), y - y.mean()
        means = prediction[0, 0] + x.mean(), truth[0] + y.mean()
        return float(len(x)), *map(float, (*means, dx @ dx, dy @ dy, dx @ dy))

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        n, x, y, xx, yy, xy = rows.T
        # Parallel covariance (Chan, Golub & LeVeque 1983): within recordings, and between their means.
        x, y = x - x[0], y - y[0]
        dx, dy = x - (n @ x) / n.sum(), y - (n @ y) / n.sum()
        sxx, syy, sxy = xx.sum() + n @ dx**2, yy.sum() + n @ dy**2, xy.sum() + (n * dx) @ dy
        if not (sxx > 0 and syy > 0):
            return float("nan")
        return float(np.clip(sxy / np.sqrt(sxx) / np.sqrt(syy), -1, 1))
