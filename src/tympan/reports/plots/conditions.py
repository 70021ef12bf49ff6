"""The error of a quantity against what else is known of the sound: where a drum was struck, how long it rings."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from ...objectives.resample import MIN_GROUPS
from ..table import numerals, small
from . import MODEL, MUTED, Plot, plot

_SHOWN = 4
"""Conditions that are drawn for each output."""
_BINS = 8
_RESAMPLES = 1000


def draw(
    output: str,
    unit: str,
    error: Float[np.ndarray, "answers"],
    groups: Any,
    conditions: Mapping[str, Float[np.ndarray, "answers"]],
) -> list[Plot]:
    """The mean absolute error over bins of each condition that varies, the strongest rank correlations first.

    What differs within groups, as the strikes of a drum do, comes before what a group has in common, as its size.

    Args:
        error: predicted - true; NaN where either is unknown.
        groups: the group of each answer; intervals draw groups.
        conditions: numbers known of each answer, by name; NaN is unknown.
    """
    _, group = np.unique(np.asarray(groups, str), return_inverse=True)
    found = []
    for name, values in conditions.items():
        known = np.isfinite(values) & np.isfinite(error)
        if known.sum() > _BINS and np.ptp(values[known]):
            x, y = values[known], np.abs(error[known])
            r = float(np.corrcoef(rankdata(x), rankdata(y))[0, 1]) if np.ptp(y) else 0.0
            found.append((r, name, x, y, group[known]))
    found.sort(key=lambda one: (not _within(one[2], one[4]), -abs(one[0])))
    return [_plot(output, unit, *one) for one in found[:_SHOWN]]


def _within(x: Float[np.ndarray, "answers"], group: Int[np.ndarray, "answers"]) -> bool:
    """Whether any group has several values."""
    return len(np.unique(np.stack([x, group]), axis=1).T) > len(np.unique(group))


def _plot(output: str, unit: str, r: float, name: str, x: np.ndarray, y: np.ndarray, group: np.ndarray) -> Plot:
    # A bin holds its upper end, so that a value that many share, as strikes in the centre do, is a bin of its own.
    inner = np.unique(np.quantile(x, np.arange(1, _BINS) / _BINS))
    place = np.searchsorted(inner, x, "left")
    there = np.unique(place)
    n, ends = np.bincount(place)[there], [(x[place == i].min(), x[place == i].max()) for i in there]
    mean = np.array([y[place == i].mean() for i in there])
    middle = np.array([x[place == i].mean() for i in there])
    bounds = np.array([_interval(y[place == i], group[place == i]) for i in there])
    factor, finer = small(unit, float(y.mean()))
    of_unit = f" ({finer})" if finer else ""

    def paint(axes: Any) -> None:
        every = -(-len(x) // 2000)
        axes.scatter(x[::every], factor * y[::every], s=4, color=MUTED, alpha=0.25, linewidths=0, rasterized=True)
        axes.vlines(middle, *(factor * bounds.T), color=MODEL, linewidth=1.6)
        axes.plot(middle, factor * mean, "o-", color=MODEL, linewidth=1.2, markersize=4)
        tall = max(float(np.nanmax([*bounds[:, 1], *mean])) * 1.3, float(np.quantile(y, 0.95)))
        axes.set(xlabel=name, ylabel=f"absolute error of {output}{of_unit}", ylim=(0, factor * tall or 1))
        axes.set_title(f"{output} by {name}: rank correlation {r:+.3f}")

    return plot(
        f"{output}-error-by-{name}",
        f"Error of {output} against {name}, which the model is not asked: grey dots are answers (the largest may be "
        "above the frame), blue ones means over about equally many, with 95 % intervals over groups. The rank "
        "correlation of error and condition, from -1 to 1, says how strongly one goes with the other.",
        f"Mean absolute error of {output}{of_unit} in {len(there)} bins of {name}, from "
        f"{numerals(factor * mean.min())[0]} to {numerals(factor * mean.max())[0]}; rank correlation {r:.3f}",
        {
            "from": [float(low) for low, _ in ends],
            "to": [float(high) for _, high in ends],
            "mean_absolute_error": mean.tolist(),
            "low": bounds[:, 0].tolist(),
            "high": bounds[:, 1].tolist(),
            "count": n.tolist(),
            "rank_correlation": [r] * len(there),
        },
        paint,
        (5.4, 4.0),
    )


def _interval(y: Float[np.ndarray, "answers"], group: Int[np.ndarray, "answers"]) -> tuple[float, float]:
    """The 95 % interval of the mean when groups are drawn; NaN of too few."""
    _, place = np.unique(group, return_inverse=True)
    n = np.bincount(place)
    if len(n) < MIN_GROUPS:
        return np.nan, np.nan
    drawn = np.random.default_rng(0).integers(len(n), size=(_RESAMPLES, len(n)))
    low, high = np.percentile(np.bincount(place, y)[drawn].sum(1) / n[drawn].sum(1), (2.5, 97.5))
    return float(low), float(high)
