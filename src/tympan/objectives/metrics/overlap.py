"""The area that two outlines share, divided by the area that they cover (intersection over union)."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from ...acoustics import radial
from .. import Metric


class Overlap(Metric):
    """Intersection over union of two outlines of unit area, from 0 to 1; the mean over recordings.

    The index of Jaccard (1912, doi 10.1111/j.1469-8137.1912.tb05611.x) of two areas.
    """

    spaces = frozenset({"shape"})
    higher_is_better = True

    pose: Literal["free", "fixed"] = "free"
    """Whether an answer counts in the pose that fits best, turned by whole sectors and mirrored, or as it is."""

    def row(self, prediction: Float[np.ndarray, "1 points"], truth: Float[np.ndarray, "points"]) -> tuple[float, ...]:
        said = radial.aligned(prediction[0], truth) if self.pose == "free" else prediction[0]
        return (float(radial.overlap(said, truth)),)

    def score(self, rows: Float[np.ndarray, "recordings columns"]) -> float:
        return float(rows.mean())
