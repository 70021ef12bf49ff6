"""The area that two outlines share, divided by the area that they cover (intersection over union)."""

import numpy as np
from jaxtyping import Float

from ...acoustics import radial
from ._draws import Quotient


class Overlap(Quotient):
    """Intersection over union of two outlines of unit area, from 0 to 1; the mean over recordings.

    The index of Jaccard (1912, doi 10.1111/j.1469-8137.1912.tb05611.x) of two areas. An answer is turned by whole
    sectors and mirrored as it fits best, for neither can be heard.
    """

    spaces = frozenset({"shape"})
    higher_is_better = True

    def row(self, prediction: Float[np.ndarray, "1 points"], truth: Float[np.ndarray, "points"]) -> tuple[float, ...]:
        return float(radial.overlap(radial.aligned(prediction[0], truth), truth)), 1.0
