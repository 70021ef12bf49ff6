"""Pearson's correlation."""

import numpy as np
from jaxtyping import Float

from ..drawn import Array
from ._draws import Counts, OfDraws, Rows
from ._moments import moments, pooled


class Pearson(OfDraws):
    """Pearson's correlation over all known frames of all recordings; undefined where either never varies."""

    spaces = frozenset({"real"})
    higher_is_better = True

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        return moments(prediction, truth)

    def of_draws(self, rows: Rows, counts: Counts) -> Array:
        xx, yy, xy, _ = pooled(rows, counts)
        return np.where((xx > 0) & (yy > 0), np.clip(xy / np.sqrt(xx) / np.sqrt(yy), -1, 1), np.nan)
