"""Mean distance of two outlines along rays from the centroid, in per cent of the mean side."""

import numpy as np
from jaxtyping import Float

from ...acoustics import radial
from ._draws import Quotient


class RadialError(Quotient):
    """Mean absolute difference of the radii, in per cent of the square root of the area; the mean over recordings.

    The answer is turned and mirrored as it overlaps most with the truth.
    """

    spaces = frozenset({"shape"})
    higher_is_better = False

    def row(self, prediction: Float[np.ndarray, "1 points"], truth: Float[np.ndarray, "points"]) -> tuple[float, ...]:
        return 100 * float(np.abs(radial.aligned(prediction[0], truth) - truth).mean()), 1.0

    def unit(self, unit: str) -> str:
        return "%"
