"""What the metrics of labels and classes share: the answer given, and one class against the rest."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from ..drawn import Array
from ..resample import mean


def answers(prediction: Float[np.ndarray, "values known"]) -> Float[np.ndarray, "known"]:
    """The number of the class that is given: the likeliest, or 1 where the only probability is 0.5 or more."""
    answer = (prediction[0] >= 0.5) if len(prediction) == 1 else prediction.argmax(0)
    return np.where(np.isnan(prediction).any(0), np.nan, answer)  # a broken prediction is not a "no"


def one_vs_rest(
    figures: Callable[[Array, Array, Array], Array],
    rows: Float[np.ndarray, "recordings columns"],
    counts: Int[np.ndarray, "draws recordings"],
) -> Float[np.ndarray, "draws"]:
    """In every draw, the mean over classes of a ranking's figure, one of `objectives.drawn`, where it is defined; rows
    are probabilities and the class."""
    scores, truth = rows[:, :-1], rows[:, -1]
    broken = np.isnan(scores).any(1)
    scores, truth, weights = scores[~broken], truth[~broken], counts[:, ~broken].astype(float)
    classes = [1] if scores.shape[1] == 1 else range(scores.shape[1])
    own = [figures((truth == c).astype(float), p, weights) for c, p in zip(classes, scores.T, strict=True)]
    return np.where(counts[:, broken].any(1), np.nan, mean(np.stack(own, 1)))
