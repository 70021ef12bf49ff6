"""Pearson's correlation."""

import numpy as np
from jaxtyping import Float

from .. import Metric
from ._moments import moments, pooled


class Pearson(Metric):
    """Pearson's correlation over all known frames of all recordings; undefined where either never varies."""

    spaces = frozenset({"real"})
    higher_is_better = True

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        return moments(prediction, truth)

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        xx, yy, xy, _ = pooled(rows)
        if not (xx > 0 and yy > 0):
            return float("nan")
        return float(np.clip(xy / np.sqrt(xx) / np.sqrt(yy), -1, 1))
