"""The part of the pitches that is right, whatever the octave."""

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ._cents import cents
from ._draws import Quotient


class RawChromaAccuracy(Quotient):
    """The part of the known frames of all recordings that is less than a tolerance off, but for whole octaves.

    As raw pitch accuracy otherwise (Salamon, Gómez, Ellis & Richard 2014, doi 10.1109/MSP.2013.2271648); by how much it
    is above that is the rate of octave errors.
    """

    spaces = frozenset({"real"})
    higher_is_better = True

    tolerance: float = Field(default=50.0, gt=0, le=600)
    """What is less off than this is right, in cents: 50 are a quarter tone."""

    def row(self, prediction: Float[np.ndarray, "1 known"], truth: Float[np.ndarray, "known"]) -> tuple[float, ...]:
        away = cents(prediction, truth)
        there = np.isfinite(away)
        folded = np.abs(away[there] - 1200 * np.round(away[there] / 1200))
        return float((folded < self.tolerance).sum()), float(len(away))
