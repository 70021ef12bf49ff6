"""Metrics that make the figures of many draws of recordings at once, which is what an interval costs."""

from abc import abstractmethod

import numpy as np
from jaxtyping import Float, Int

from .. import Metric
from ..drawn import Array

Rows = Float[np.ndarray, "recordings columns"]
"""What is kept of each recording."""
Counts = Float[np.ndarray, "draws recordings"]
"""How often each recording counts in each draw."""


class OfDraws(Metric):
    """A metric whose figure is a formula of how often each recording counts."""

    @abstractmethod
    def of_draws(self, rows: Rows, counts: Counts) -> Array:
        """The figure of each draw; NaN where it is undefined. Rows are finite, and there is one at least."""

    def score(self, rows: Rows) -> float:
        return float(self.drawn(rows, np.ones((1, len(rows)), np.int64))[0])

    def drawn(self, rows: Rows, counts: Int[np.ndarray, "draws recordings"]) -> Float[np.ndarray, "draws"]:
        broken = ~np.isfinite(rows).all(1)  # 0 times infinity is no 0, and who draws it has no figure
        if broken.all():
            return np.full(len(counts), np.nan)
        with np.errstate(all="ignore"):
            found = self.of_draws(rows[~broken], counts[:, ~broken].astype(float))
        return np.where(counts[:, broken].any(1) | ~np.isfinite(found), np.nan, found)


class OfSums(OfDraws):
    """A metric whose figure is made of the sums of rows."""

    @abstractmethod
    def of_sums(self, sums: Float[np.ndarray, "draws columns"]) -> Array:
        """The figure of each draw, of the sum of its rows."""

    def of_draws(self, rows: Rows, counts: Counts) -> Array:
        return self.of_sums(counts @ rows)

    def score(self, rows: Rows) -> float:
        with np.errstate(all="ignore"):
            return float(self.of_sums(rows.sum(0, keepdims=True))[0])


class Quotient(OfSums):
    """A metric whose figure is one sum divided by another: errors by frames."""

    def of_sums(self, sums: Float[np.ndarray, "draws 2"]) -> Array:
        return np.divide(*sums.T)
