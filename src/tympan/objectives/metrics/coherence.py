"""Spectral coherence: how far two curves vary together, frequency by frequency."""

import numpy as np
from jaxtyping import Float

from .. import Metric
from ..accumulate import mean
from ._stretches import longest, varies

TOP = 0.5  # Hz, above which skin conductance hardly varies
SHORTEST, SEGMENT = 16.0, 40.0  # s, of a recording, and of a segment at most


class Coherence(Metric):
    """Magnitude-squared coherence, the mean from a lower edge to 0.5 Hz; of a linear law it is 1 (Welch 1967).

    Hann windows that overlap by half, of 40 s or as long as four of them fit. The lower edge is two cycles per segment:
    0.31 Hz for a recording of 16 s, 0.125 Hz for 40 s, 0.05 Hz from 100 s on. From few segments it is biased upwards:
    four of unrelated noise have about 0.3. It is taken from the longest stretch of known frames, and undefined
    where this is shorter than 16 s or either curve never varies. The figure of several recordings is the mean over
    those where it is defined.
    """

    spaces = frozenset({"real"})
    higher_is_better = True
    timed = True

    def row(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, prediction: Float[np.ndarray, "1 frames"], truth: Float[np.ndarray, "frames"], rate: float
    ) -> tuple[float, ...]:
        from scipy.signal import coherence

        p, t = longest(prediction, truth)
        segment = int(min(len(t) / 2.5, SEGMENT * rate))
        if segment < 2 or len(t) < SHORTEST * rate or not (varies(p) and varies(t)):
            return (float("nan"),)
        frequencies, values = coherence(p, t, fs=rate, nperseg=segment, noverlap=segment // 2)
        inside = (frequencies >= 2 * rate / segment * (1 - 1e-9)) & (frequencies <= TOP)
        return (float(values[inside].mean()) if inside.any() else float("nan"),)

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        return float(mean(rows[:, 0]))
