"""Spearman's rank correlation."""

import numpy as np
from jaxtyping import Float

from ..drawn import Array
from ._draws import Counts, OfDraws, Rows


class Spearman(OfDraws):
    """Spearman's rank correlation of recordings: whether larger is answered larger, whatever the scale; undefined where
    either never varies. Equal values share the mean of their ranks."""

    spaces = frozenset({"real"})
    higher_is_better = True
    once_per_clip = True

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        return float(prediction[0, 0]), float(truth[0])

    def of_draws(self, rows: Rows, counts: Counts) -> Array:
        said, truth = (_ranks(own, counts) for own in rows.T)
        xx, yy, xy = ((counts * of).sum(1) for of in (said**2, truth**2, said * truth))
        return np.where((xx > 0) & (yy > 0), np.clip(xy / np.sqrt(xx) / np.sqrt(yy), -1, 1), np.nan)


def _ranks(values: Float[np.ndarray, "recordings"], counts: Counts) -> Counts:
    """The ranks of the recordings in each draw, less their mean."""
    order = np.argsort(values)
    first = np.flatnonzero(np.append(True, np.diff(values[order]) != 0))
    equal = np.add.reduceat(counts[:, order], first, 1)
    ranks = np.cumsum(equal, 1) - (equal - 1) / 2
    found = np.empty_like(counts)
    found[:, order] = ranks.repeat(np.diff(np.append(first, len(values))), 1)
    return found - (counts.sum(1, keepdims=True) + 1) / 2
