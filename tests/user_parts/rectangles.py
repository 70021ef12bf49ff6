"""Struck rectangles that also say where their corners are."""

from typing import Any

import numpy as np

from tympan.data.synthesizers.rectangular_membrane import RectangularMembrane


class Rectangles(RectangularMembrane):
    """The drums of `rectangular_membrane`, with the value `vertices`: of unit area, about their centre."""

    def parameters(self, rng: np.random.Generator, index: int) -> dict[str, Any]:
        drawn = super().parameters(rng, index)
        sides = np.array([drawn["width"], drawn["height"]]) / drawn["mean_side"]
        return {**drawn, "vertices": np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * sides}
