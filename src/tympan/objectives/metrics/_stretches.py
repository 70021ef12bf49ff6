"""The stretches of a recording whose truth is known without a gap."""

import numpy as np
from jaxtyping import Float


def stretches(truth: Float[np.ndarray, "frames"]) -> list[slice]:
    """Every stretch of known frames, in order."""
    edges = np.flatnonzero(np.diff(~np.isnan(truth), prepend=False, append=False))
    return [slice(begin, end) for begin, end in edges.reshape(-1, 2).tolist()]


def longest(
    prediction: Float[np.ndarray, "1 frames"], truth: Float[np.ndarray, "frames"]
) -> tuple[Float[np.ndarray, "known"], Float[np.ndarray, "known"]]:
    """The prediction and the truth in the longest stretch of known frames, the first of equally long ones."""
    at = max(stretches(truth), key=lambda part: part.stop - part.start)
    return prediction[0, at], truth[at]


def varies(x: Float[np.ndarray, "known"]) -> bool:
    """Whether a curve is finite and not always the same."""
    return bool(np.isfinite(x).all() and np.ptp(x) > 0)
