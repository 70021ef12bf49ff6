"""The part of the answers that is right."""

import numpy as np
from jaxtyping import Float

from ._classes import answers
from ._draws import Quotient


class Accuracy(Quotient):
    """The part of the known frames of all recordings whose class, or label at a threshold of 0.5, is right."""

    spaces = frozenset({"binary", "class"})
    higher_is_better = True

    def row(
        self, prediction: Float[np.ndarray, "values known"], truth: Float[np.ndarray, "known"]
    ) -> tuple[float, ...]:
        answer = answers(prediction)
        right = np.where(np.isnan(answer), np.nan, answer == truth)
        return float(right.sum()), float(len(truth))
