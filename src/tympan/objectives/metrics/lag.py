"""How late or early a prediction is."""

import numpy as np
from jaxtyping import Float
from pydantic import Field

from .. import Metric
from ..accumulate import mean
from ._stretches import longest, varies


class Lag(Metric):
    """The size of the shift, in seconds, at which prediction and truth correlate best; early and late count alike.

    Pearson's correlation of the frames that overlap, at least half of them, in the longest stretch of known frames; of
    equally good shifts the smallest. Undefined where either curve never varies. The figure of several recordings is
    the mean over those where it is defined.
    """

    spaces = frozenset({"real"})
    higher_is_better = False
    timed = True

    limit: float = Field(default=8.0, gt=0)
    """The largest shift that is tried, in seconds."""

    def row(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, prediction: Float[np.ndarray, "1 frames"], truth: Float[np.ndarray, "frames"], rate: float
    ) -> tuple[float, ...]:
        p, t = longest(prediction, truth)
        if not (varies(p) and varies(t)):
            return (float("nan"),)
        n, best, found = len(t), -np.inf, float("nan")
        for shift in range(min(int(self.limit * rate + 1e-9), n // 2) + 1):
            for early, late in ((p, t), (t, p)):
                r = _correlation(early[: n - shift], late[shift:])
                if r > best + 1e-12:  # rounding does not decide between equally good ones
                    best, found = r, shift / rate
        return (found,)

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        return float(mean(rows[:, 0]))

    def unit(self, unit: str) -> str:
        return "s"


def _correlation(x: Float[np.ndarray, "known"], y: Float[np.ndarray, "known"]) -> float:
    if not (varies(x) and varies(y)):
        return -np.inf
    dx, dy = x - x.mean(), y - y.mean()
    return float(dx @ dy / np.sqrt((dx @ dx) * (dy @ dy)))
