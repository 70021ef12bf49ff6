"""Two answers to the same recordings: how far their figures are apart, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .accumulate import Accumulator
from .resample import OVERALL, draw, interval, mean, too_few

Drawn = Mapping[str, Float[np.ndarray, "_"]]


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


@dataclass(frozen=True)
class Skill:
    """How far an answer has come from a baseline to a ceiling: (model - baseline) / (ceiling - baseline)."""

    value: float | None
    """0 at the baseline, 1 at the ceiling; `None` where it is undefined."""
    low: float | None
    """The lower end of the 95 % interval; `None` where there is none."""
    high: float | None
    """The upper end of the interval."""
    n: int
    """Recordings for which all three have a figure."""
    note: str = ""
    """Why there is none."""


def differences(
    first: Sequence[Accumulator],
    second: Sequence[Accumulator],
    resamples: int = 2000,
    seed: int = 0,
    drawn: tuple[Drawn, Drawn] | None = None,
) -> dict[str, Difference]:
    """The difference of each output, and `overall` of several, with 95 % percentile intervals.

    Groups are drawn with replacement, each with all its recordings, and both see the same draws: what is hard for both
    cancels, and the interval is that of the difference (a paired bootstrap). `overall` is the mean over the outputs
    that are defined for both. Of signals over time, recordings for which one of the two is undefined are left out.

    Args:
        first: rows of the yardstick; several are repeats with other seeds, whose figures are averaged.
        second: rows of what is compared with it: the same metric, outputs, recordings and groups.
        resamples: number of draws.
        seed: decides the draws.
        drawn: what `draw` gave of both, where that is at hand; not for signals.
    """
    first, second = alike(first, second)
    metric, outputs = first[0].metric, first[0].outputs
    same = {name: sorted(zip(*first[0].rows(name)[:2], strict=True)) for name in outputs}
    for other in (*first, *second):
        assert other.like(first[0])
        assert same == {name: sorted(zip(*other.rows(name)[:2], strict=True)) for name in outputs}
    a, b = _figures(first), _figures(second)
    one, two = drawn if drawn and not first[0].rate else (draw(side, resamples, seed) for side in (first, second))
    drawings = np.stack([two[name] - one[name] if one else np.full(resamples, np.nan) for name in outputs], axis=1)
    both = ~np.isnan(b - a)
    found = {}
    for i, name in enumerate(outputs):
        groups, few = len({group for _, group in same[name]}), too_few(first, (name,))
        found[name] = _difference(a[i], b[i], drawings[:, i], metric.higher_is_better, len(same[name]), groups, few)
    if len(outputs) > 1:
        one, two = (float(mean(np.where(both, figures, np.nan))) for figures in (a, b))
        n, groups = (len({pair[k] for known in same.values() for pair in known}) for k in (0, 1))
        note = f"mean of {both.sum()} of {len(outputs)} outputs" if 0 < both.sum() < len(outputs) else ""
        more, few = metric.higher_is_better, too_few(first)
        found[OVERALL] = _difference(one, two, mean(drawings), more, n, groups, few, note)
    return found


def skills(
    baseline: Sequence[Accumulator],
    model: Sequence[Accumulator],
    ceiling: Sequence[Accumulator],
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Skill]:
    """The skill of each output of a signal over time, on the recordings for which all three have a figure.

    All see the same draws; those in which the ceiling is no better than the baseline have no skill and are left out.
    """
    baseline, model, ceiling = sides = alike(baseline, model, ceiling)
    low, mine, high = (_figures(side) for side in sides)
    drawn = [draw(side, resamples, seed) for side in sides]
    more = model[0].metric.higher_is_better
    values = _skill(low, mine, high, more)
    found = {}
    for i, name in enumerate(model[0].outputs):
        n = len(model[0].rows(name)[0])
        value = float(values[i])
        if np.isnan(value):
            note = "the ceiling is no better than the baseline" if not np.isnan(high[i] - low[i]) else "undefined"
            found[name] = Skill(None, None, None, n, note if n else "nothing in common")
        elif few := too_few(model, (name,)):
            found[name] = Skill(value, None, None, n, few)
        else:
            ends = interval(_skill(drawn[0][name], drawn[1][name], drawn[2][name], more))
            found[name] = Skill(value, ends[0], ends[1], n, ends[2])
    return found


def alike(*sides: Sequence[Accumulator]) -> list[Sequence[Accumulator]]:
    """Of signals over time, the recordings for which every side has a figure; anything else as it is."""
    every = [repeat for side in sides for repeat in side]
    if not every[0].rate:
        return list(sides)
    kept = {}
    for name in every[0].outputs:
        defined = [
            {id for id, own in zip(r.rows(name)[0], r.figures(name), strict=True) if not np.isnan(own)} for r in every
        ]
        kept[name] = set.intersection(*defined)
    return [[repeat.only(kept) for repeat in side] for side in sides]


def _skill(
    baseline: Float[np.ndarray, "many"],
    model: Float[np.ndarray, "many"],
    ceiling: Float[np.ndarray, "many"],
    more: bool,
) -> Float[np.ndarray, "many"]:
    room = ceiling - baseline
    real = room > 0 if more else room < 0
    return np.where(real, (model - baseline) / np.where(real, room, 1.0), np.nan)


def _figures(repeats: Sequence[Accumulator]) -> Float[np.ndarray, "outputs"]:
    """The figure of each output, the mean over repeats."""
    computed = [repeat.compute() for repeat in repeats]
    return np.array([mean(np.array([c[name] for c in computed])) for name in repeats[0].outputs])


def _difference(
    a: float, b: float, drawn: np.ndarray, more: bool, n: int, groups: int, few: str, note: str = ""
) -> Difference:
    first, second = (None if np.isnan(figure) else float(figure) for figure in (a, b))
    low = high = better = None
    notes = [note]
    if first is None or second is None:
        notes.append("nothing known" if n == 0 else "undefined")
    elif few:
        notes.append(few)
    else:
        low, high, missing = interval(drawn)
        notes.append(missing)
        kept = drawn[~np.isnan(drawn)]
        better = float(((kept > 0 if more else kept < 0) + 0.5 * (kept == 0)).mean()) if len(kept) else None
    value = None if first is None or second is None else second - first
    return Difference(first, second, value, low, high, better, n, groups, "; ".join(filter(None, notes)))
