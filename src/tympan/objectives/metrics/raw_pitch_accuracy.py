"""The part of the pitches that is right."""

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ._cents import cents
from ._draws import Quotient


class RawPitchAccuracy(Quotient):
    """The part of the known frames of all recordings whose frequency is less than a tolerance off.

    Salamon, Gómez, Ellis & Richard 2014, doi 10.1109/MSP.2013.2271648. A frame whose truth has no pitch (NaN, 0) does
    not count; one whose answer has none is wrong.
    """

    spaces = frozenset({"real"})
    higher_is_better = True

    tolerance: float = Field(default=50.0, gt=0)
    """What is less off than this is right, in cents: 50 are a quarter tone."""

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        away = cents(prediction, truth)
        return float((away < self.tolerance).sum()), float(len(away))
