"""Two answers to the same recordings: how far their figures are apart, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .accumulate import MIN_GROUPS, OVERALL, Accumulator, interval, mean, resample


@dataclass(frozen=True)
class Difference:
    """A second figure minus a first one, on the same recordings, with its 95 % interval."""

    first: float | None
    """The first figure; `None` where it is undefined."""
    second: float | None
    """The second figure."""
    value: float | None
    """The second minus the first; `None` where either is undefined."""
    low: float | None
    """The lower end of the difference's interval; `None` where there is none."""
    high: float | None
    """The upper end of the interval."""
    better: float | None
    """The share of draws in which the second is better, 0 to 1, ties counting half; `None` without an interval."""
    n: int
    """Recordings with something known."""
    groups: int
    """Groups that these recordings belong to."""
    note: str = ""
    """Why there is no difference or no interval, or what to keep in mind."""


def differences(
    first: Sequence[Accumulator], second: Sequence[Accumulator], resamples: int = 2000, seed: int = 0
) -> dict[str, Difference]:
    """The difference of each output, and `overall` of several, with 95 % percentile intervals.

    Groups are drawn with replacement, each with all its recordings, and both see the same draws: what is hard for both
    cancels, and the interval is that of the difference (a paired bootstrap). `overall` is the mean over the outputs
    that are defined for both.

    Args:
        first: rows of the yardstick; several are repeats with other seeds, whose figures are averaged.
        second: rows of what is compared with it: the same metric, outputs, recordings and groups.
        resamples: number of draws.
        seed: decides the draws.
    """
    metric, outputs = first[0].metric, first[0].outputs
    same = {name: sorted(zip(*first[0].rows(name)[:2], strict=True)) for name in outputs}
    for other in (*first, *second):
        assert (other.metric, other.outputs) == (metric, outputs)
        assert same == {name: sorted(zip(*other.rows(name)[:2], strict=True)) for name in outputs}
    a, b = (
        np.array([mean(np.array([r.compute()[o] for r in repeats])) for o in outputs]) for repeats in (first, second)
    )
    everyone = sorted({group for known in same.values() for _, group in known})
    drawn = np.full((resamples, len(outputs)), np.nan)
    if len(everyone) >= MIN_GROUPS:
        one, two = (resample(repeats, everyone, resamples, seed) for repeats in (first, second))
        drawn = np.stack([two[name] - one[name] for name in outputs], axis=1)
    both = ~np.isnan(b - a)
    found = {}
    for i, name in enumerate(outputs):
        groups = len({group for _, group in same[name]})
        found[name] = _difference(a[i], b[i], drawn[:, i], metric.higher_is_better, len(same[name]), groups)
    if len(outputs) > 1:
        one, two = (float(mean(np.where(both, figures, np.nan))) for figures in (a, b))
        n = len({id for known in same.values() for id, _ in known})
        note = f"mean of {both.sum()} of {len(outputs)} outputs" if 0 < both.sum() < len(outputs) else ""
        found[OVERALL] = _difference(one, two, mean(drawn), metric.higher_is_better, n, len(everyone), note)
    return found


def _figures(repeats: Sequence[Accumulator]) -> Float[np.ndarray, "outputs"]:
    """The figure of each output, the mean over repeats."""
    computed = [repeat.compute() for repeat in repeats]
    return mean(np.array([[c[name] for c in computed] for name in repeats[0].outputs]))


def _difference(a: float, b: float, drawn: np.ndarray, more: bool, n: int, groups: int, note: str = "") -> Difference:
    first, second = (None if np.isnan(figure) else float(figure) for figure in (a, b))
    low = high = better = None
    notes = [note]
    if first is None or second is None:
        notes.append("nothing known" if n == 0 else "undefined")
    elif groups < MIN_GROUPS:
        notes.append(f"no interval: {groups} groups, fewer than {MIN_GROUPS}")
    else:
        low, high, missing = interval(drawn)
        notes.append(missing)
        kept = drawn[~np.isnan(drawn)]
        better = float(((kept > 0 if more else kept < 0) + 0.5 * (kept == 0)).mean()) if len(kept) else None
    value = None if first is None or second is None else second - first
    return Difference(first, second, value, low, high, better, n, groups, "; ".join(filter(None, notes)))
