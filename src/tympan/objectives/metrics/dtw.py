"""Distance of two curves after the best warping of their times."""

import numpy as np
from jaxtyping import Float
from pydantic import Field

from .. import Metric
from ._stretches import stretches


class DTW(Metric):
    """Dynamic time warping: the least sum of absolute differences over all warping paths (Sakoe & Chiba 1978).

    Every stretch of known frames is warped by itself, and the sums of a recording are added. The figure of several
    recordings is their mean.
    """

    spaces = frozenset({"real"})
    higher_is_better = False
    timed = True

    band: float | None = Field(default=None, ge=0)
    """How far a time may be warped, in seconds; by default as far as it likes."""
    normalize: bool = False
    """Divide by the number of pairs on the path, so that recordings of different lengths compare; of equally cheap
    paths, the one with the fewest."""

    def row(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, prediction: Float[np.ndarray, "1 frames"], truth: Float[np.ndarray, "frames"], rate: float
    ) -> tuple[float, ...]:
        from ..alignment import dtw, warping_path

        band = None if self.band is None else round(self.band * rate)
        curves = [(np.ascontiguousarray(prediction[0, at]), truth[at].copy()) for at in stretches(truth)]
        if not self.normalize:
            return (sum(dtw(p, t, band) for p, t in curves),)
        cost, pairs = np.sum([warping_path(p, t, band) for p, t in curves], 0)
        return (float(cost / pairs),)

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        return float(rows.mean())

    def unit(self, unit: str) -> str:
        return unit
