"""Means and covariances of a prediction and the truth, kept for each recording and put together for all of them."""

import numpy as np
from jaxtyping import Float


def moments(prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
    """One recording's count, means of both, and sums of squared and of multiplied deviations from them."""
    # Deviations from the first value, so that a large offset costs no digits and a constant has exactly none.
    x, y = prediction[0] - prediction[0, 0], truth - truth[0]
    dx, dy = x - x.mean(), y - y.mean()
    means = prediction[0, 0] + x.mean(), truth[0] + y.mean()
    return float(len(x)), *map(float, (*means, dx @ dx, dy @ dy, dx @ dy))


def pooled(rows: Float[np.ndarray, "recordings 6"]) -> tuple[float, float, float, float]:
    """Over all frames of all recordings: the sums of squared deviations of the prediction and of the truth, the sum of
    their products, and the number of frames times the squared difference of the means."""
    n, x, y, xx, yy, xy = rows.T
    apart = (n @ (x - y)) ** 2 / n.sum()
    # Parallel covariance (Chan, Golub & LeVeque 1983): within recordings, and between their means.
    x, y = x - x[0], y - y[0]
    dx, dy = x - (n @ x) / n.sum(), y - (n @ y) / n.sum()
    return xx.sum() + n @ dx**2, yy.sum() + n @ dy**2, xy.sum() + (n * dx) @ dy, apart
