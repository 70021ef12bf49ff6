"""What the metrics of labels and classes share: the answer given, and one class against the rest."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float


def answers(prediction: Float[np.ndarray, "values known"]) -> Float[np.ndarray, "known"]:
    """The number of the class that is given: the likeliest, or 1 where the only probability is 0.5 or more."""
    answer = (prediction[0] >= 0.5) if len(prediction) == 1 else prediction.argmax(0)
    return np.where(np.isnan(prediction).any(0), np.nan, answer)  # a broken prediction is not a "no"


def one_vs_rest(
    figure: Callable[[Float[np.ndarray, "recordings"], Bool[np.ndarray, "recordings"]], float],
    rows: Float[np.ndarray, "recordings columns"],
) -> float:
    """The mean over classes of a ranking's figure, where it is defined; rows are probabilities and the class."""
    scores, truth = rows[:, :-1], rows[:, -1]
    if np.isnan(scores).any():
        return float("nan")
    if scores.shape[1] == 1:
        return figure(scores[:, 0], truth == 1)
    figures = [f for c in range(scores.shape[1]) if not np.isnan(f := figure(scores[:, c], truth == c))]
    return sum(figures) / len(figures) if figures else float("nan")
