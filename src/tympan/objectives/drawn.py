"""Figures of a label in many draws of its recordings at once; `weights (draws, recordings)`: how often each counts."""

import numpy as np
from jaxtyping import Float

_BINS = 10

Array = Float[np.ndarray, "..."]
"""Numbers of any shape."""


def ratio(weights: Array, above: Array, below: Array) -> Array:
    """Of two sums over recordings, such as hits and positives; NaN where the second is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weights @ above) / (weights @ below)


def auroc(y: Array, p: Array, weights: Array) -> Array:
    """Pairs that are ranked right, ties by half, in every draw."""
    if not len(y):
        return np.full(len(weights), np.nan)
    order = np.argsort(p, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(p[order]) != 0))
    yes = np.add.reduceat((weights * y)[:, order], first, 1)
    no = np.add.reduceat((weights * (1 - y))[:, order], first, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (yes * (np.cumsum(no, 1) - no / 2)).sum(1) / (yes.sum(1) * no.sum(1))


def average_precision(y: Array, p: Array, weights: Array) -> Array:
    """The mean precision over recall, as scikit-learn's average_precision_score has it."""
    if not len(y):
        return np.full(len(weights), np.nan)
    order = np.argsort(-p, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(p[order]) != 0))
    yes = np.add.reduceat((weights * y)[:, order], first, 1)
    every = np.add.reduceat(weights[:, order], first, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(np.cumsum(yes, 1) / np.cumsum(every, 1))
        return (precision * yes).sum(1) / yes.sum(1)


def calibration_error(y: Array, p: Array, weights: Array) -> Array:
    """The expected calibration error over ten even bins of probability (Naeini et al. 2015)."""
    place = np.minimum((p * _BINS).astype(int), _BINS - 1)
    bins = (place[:, None] == np.arange(_BINS)).astype(float)
    off = np.abs(weights @ (bins * (p - y)[:, None])).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return off / weights.sum(1)
