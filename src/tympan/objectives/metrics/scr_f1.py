"""Skin-conductance responses that are found again: neither missed nor invented."""

import numpy as np
from jaxtyping import Float
from pydantic import Field

from .. import Metric


class ScrF1(Metric):
    """F1 of skin-conductance responses, whose peaks are matched one to one with those of the truth.

    Responses are those of the phasic part, above 0.05 Hz (`tympan.skin_conductance`). Those of a prediction must be as
    high as those of the truth, so that the ripples of a flat one are none. Undefined where the truth has no response:
    such recordings do not count, whatever is said of them.
    """

    spaces = frozenset({"real"})
    higher_is_better = True
    timed = True

    tolerance: float = Field(default=2.0, ge=0)
    """How far the peaks of a pair may be apart, in seconds."""
    amplitude: float = Field(default=0.1, ge=0, le=1)
    """The least amplitude of a response, as a share of the largest in the truth of the recording."""

    def row(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, prediction: Float[np.ndarray, "1 frames"], truth: Float[np.ndarray, "frames"], rate: float
    ) -> tuple[float, ...]:
        from ...skin_conductance import responses, tonic_phasic

        known = ~np.isnan(truth)
        if not np.isfinite(prediction[0, known]).all():
            return (float("nan"),) * 3
        phasic, of_truth = (tonic_phasic(np.where(known, x, np.nan), rate)[1] for x in (prediction[0], truth))
        found = responses(of_truth, rate, 1e-9 * np.abs(truth[known]).max())  # what the filter leaves of a constant
        least = self.amplitude * found.amplitude.max(initial=0.0)
        true = found.peak[found.amplitude >= least]
        predicted = responses(phasic, rate, least).peak
        return float(_pairs(predicted, true, self.tolerance)), float(len(predicted)), float(len(true))

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        pairs, predicted, true = rows.sum(0)
        return float(2 * pairs / (predicted + true)) if true else float("nan")


def _pairs(a: Float[np.ndarray, "times"], b: Float[np.ndarray, "others"], tolerance: float) -> int:
    """The most pairs of two lists of times in order that are within the tolerance, each time in one pair."""
    i = j = pairs = 0
    # The earlier of the two firsts can only be paired with the other first, or with none: taking it loses nothing.
    while i < len(a) and j < len(b):
        near = bool(abs(a[i] - b[j]) <= tolerance + 1e-9)
        pairs += near
        i, j = i + int(near or a[i] < b[j]), j + int(near or b[j] < a[i])
    return pairs
