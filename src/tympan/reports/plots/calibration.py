"""Whether probabilities mean what they say: the reliability diagram."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ..table import numerals
from . import MODEL, MUTED, Plot, plot

_BINS = 10


def reliability(output: str, claim: str, said: Float[np.ndarray, "known"], right: Bool[np.ndarray, "known"]) -> Plot:
    """How often a claim is true over the probability given to it, in ten bins, with counts.

    Args:
        claim: what the probability is of, in words that go on in a sentence.
        said: probabilities, at least one.
        right: whether the claim was true.
    """
    edges = np.linspace(0, 1, _BINS + 1)
    place = np.clip((said * _BINS).astype(int), 0, _BINS - 1)
    counts = np.bincount(place, minlength=_BINS)
    there = counts > 0
    n = counts[there]
    mean = np.bincount(place, said, _BINS)[there] / n
    share = np.bincount(place, right, _BINS)[there] / n
    low, high = _wilson(share, n)
    gap = numerals(float((np.abs(share - mean) * n).sum() / n.sum()))[0]

    def paint(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
        axes.vlines(mean, low, high, color=MODEL, linewidth=1.2, alpha=0.6)
        axes.plot(mean, share, color=MODEL, linewidth=1, alpha=0.5)
        axes.scatter(mean, share, s=14 + 90 * n / n.max(), color=MODEL, zorder=3, linewidths=0)
        middles = (edges[:-1] + edges[1:])[there] / 2
        for x, count in zip(middles, n, strict=True):
            axes.text(x, -0.09, f"{count:,}", ha="center", va="center", fontsize=7.5, color=MUTED)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.15, 1.03), aspect="equal")
        axes.set(xlabel=f"probability that {claim}", ylabel="how often that is so")
        axes.set_title(f"{output}: calibration error {gap}")

    return plot(
        f"{output}-calibration",
        f"How often {claim}, among answers with about the same probability for that; on the dashed line probabilities "
        "mean what they say, below it they are too high. The numbers below count the answers of each tenth, and the "
        "lines are 95 % intervals, as if all answers were independent. The calibration error is the mean distance from "
        "the dashed line over all answers.",
        f"Reliability diagram of {output}: expected calibration error {gap} over {int(n.sum())} answers",
        {
            "from": edges[:-1][there].tolist(),
            "to": edges[1:][there].tolist(),
            "mean_probability": mean.tolist(),
            "share_true": share.tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
            "count": n.tolist(),
        },
        paint,
        (5.4, 4.4),
    )


def _wilson(
    share: Float[np.ndarray, "bins"], n: np.ndarray
) -> tuple[Float[np.ndarray, "bins"], Float[np.ndarray, "bins"]]:
    """Wilson's 95 % interval of a share of n, which stays within 0 and 1."""
    z2 = 1.96**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return middle - half, middle + half
