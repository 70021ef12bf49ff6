"""Means and covariances of a prediction and the truth, kept for each recording and put together for all of them."""

import numpy as np
from jaxtyping import Float

from ..drawn import Array


def moments(prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
    """One recording's count, means of both, and sums of squared and of multiplied deviations from them."""
    # Deviations from the first value, so that a large offset costs no digits and a constant has exactly none.
    x, y = prediction[0] - prediction[0, 0], truth - truth[0]
    dx, dy = x - x.mean(), y - y.mean()
    means = prediction[0, 0] + x.mean(), truth[0] + y.mean()
    return float(len(x)), *map(float, (*means, dx @ dx, dy @ dy, dx @ dy))


def pooled(
    rows: Float[np.ndarray, "recordings 6"], counts: Float[np.ndarray, "draws recordings"]
) -> tuple[Array, Array, Array, Array]:
    """Over all frames of each draw: the sums of squared deviations of the prediction and of the truth, the sum of their
    products, and the number of frames times the squared difference of the means."""
    n, x, y, xx, yy, xy = rows.T
    frames = counts * n
    apart = (frames @ (x - y)) ** 2 / frames.sum(1)
    # Parallel covariance (Chan, Golub & LeVeque 1983): within recordings, and between their means.
    dx, dy = deviations(x, frames), deviations(y, frames)
    within = (counts @ own for own in (xx, yy, xy))
    between = ((frames * of).sum(1) for of in (dx**2, dy**2, dx * dy))
    return *(a + b for a, b in zip(within, between, strict=True)), apart


def deviations(
    values: Float[np.ndarray, "recordings"], weights: Float[np.ndarray, "draws recordings"]
) -> Float[np.ndarray, "draws recordings"]:
    """How far values lie from the weighted mean of each draw; exactly 0 where all that count are equal."""
    first = values[(weights > 0).argmax(1)]
    away = values - first[:, None]
    return away - ((weights * away).sum(1) / weights.sum(1))[:, None]
