"""What the metrics of pitch share: how far apart frequencies are, on a scale of 1,200 cents to an octave."""

import numpy as np
from jaxtyping import Float


def cents(prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> Float[np.ndarray, "pitched"]:
    """The absolute difference (cents) of every frame whose true frequency is above 0; infinite without an answer."""
    pitched = truth > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.abs(1200 * np.log2(prediction[0, pitched] / truth[pitched]))
    return np.where(np.isnan(away), np.inf, away)
