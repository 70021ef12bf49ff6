"""Largest difference of two curves after the best warping of their times; not the distance of embeddings."""

import numpy as np
from jaxtyping import Float

from .. import Metric
from ._stretches import stretches


class Frechet(Metric):
    """The discrete Fréchet distance of two curves of values over time (Eiter & Mannila 1994).

    The largest absolute difference on the warping path where it is least. Every stretch of known frames is warped by
    itself, and the largest counts. The figure of several recordings is their mean.
    """

    spaces = frozenset({"real"})
    higher_is_better = False
    timed = True

    def row(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, prediction: Float[np.ndarray, "1 frames"], truth: Float[np.ndarray, "frames"], rate: float
    ) -> tuple[float, ...]:
        from ..alignment import frechet

        curves = [(np.ascontiguousarray(prediction[0, at]), truth[at].copy()) for at in stretches(truth)]
        return (float(np.max([frechet(p, t) for p, t in curves])),)

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        return float(rows.mean())

    def unit(self, unit: str) -> str:
        return unit
