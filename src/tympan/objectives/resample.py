"""Figures when groups are drawn with replacement: what intervals are made of."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    from . import Metric
    from .accumulate import Accumulator

OVERALL = "overall"
"""The name of the mean over outputs."""
MIN_GROUPS = 8
"""Below so many groups an interval would look more certain than it is, and none is given."""
_AT_ONCE = 1 << 20  # numbers, of which a metric may hold some times as many


def draw(repeats: "Sequence[Accumulator]", resamples: int, seed: int) -> dict[str, Float[np.ndarray, "resamples"]]:
    """The figure of each output, and `overall`, when groups are drawn with replacement; nothing of too few groups.

    The seed and the numbers of groups alone decide the draws: two calls with the same see the same groups drawn. Of
    several accumulators (the same metric, repeated with other seeds) the figure is the mean.

    Without a rate a group comes with all its recordings as often as it is drawn. With a rate every kind of group is
    drawn by itself, and a recording counts as often as the product says: songs and listeners cross, and an interval
    that draws one of them takes the other for settled (Owen 2007, doi 10.1214/07-AOAS122).
    """
    everyone = [sorted(names) for names in clusters(repeats)]
    if min(map(len, everyone)) < MIN_GROUPS:
        return {}
    make = _signals if repeats[0].rate else _pooled
    figures = make(repeats, everyone, resamples, seed)
    by_output = mean(figures)
    return {**dict(zip(repeats[0].outputs, by_output.T, strict=True)), OVERALL: mean(by_output)}


def times(groups: int, resamples: int, seed: int) -> Iterator[Int[np.ndarray, "{groups}"]]:
    """How often each group is drawn, in one draw after the other."""
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(rng.integers(groups, size=groups), minlength=groups)


def clusters(repeats: "Sequence[Accumulator]", outputs: Sequence[str] | None = None) -> list[set[str]]:
    """The groups of each kind that the recordings of some outputs belong to, by default of all."""
    found: list[set[str]] = [set() for _ in repeats[0].kinds]
    for repeat in repeats:
        for output in repeats[0].outputs if outputs is None else outputs:
            for names, own in zip(found, zip(*repeat.groups(output), strict=True), strict=False):
                names.update(own)
    return found


def level(
    figures: Float[np.ndarray, "recordings columns"],
    places: Int[np.ndarray, "recordings"],
    within: Float[np.ndarray, "#recordings #resamples"] | None = None,
    counts: Float[np.ndarray, "groups resamples"] | None = None,
) -> Float[np.ndarray, "_"]:
    """The mean over groups of their means over recordings, of what is defined.

    Args:
        figures: of each recording; NaN is undefined. Several columns are several sets of answers.
        places: the number of each recording's group.
        within: how often each recording counts within its group; by default once.
        counts: how often each group counts, by its number; by default once.

    Returns:
        One figure for each column or each draw; NaN where nothing is defined.
    """
    if not len(figures):
        return np.full(1 if counts is None else counts.shape[1], np.nan)
    order = np.argsort(places, kind="stable")
    groups, begin = np.unique(places[order], return_index=True)
    figures = figures[order]
    defined = ~np.isnan(figures)
    weight = defined * (1.0 if within is None else np.broadcast_to(within, (len(order), within.shape[1]))[order])
    total = np.add.reduceat(weight * np.where(defined, figures, 0.0), begin)
    n = np.add.reduceat(weight, begin)
    share = (n > 0) * (1.0 if counts is None else counts[groups])
    means = np.divide(total, n, out=np.zeros_like(total), where=n > 0)
    with np.errstate(invalid="ignore"):
        return (share * means).sum(0) / share.sum(0)


def figures(
    metric: "Metric", rows: Float[np.ndarray, "recordings columns"], counts: Int[np.ndarray, "draws recordings"]
) -> Float[np.ndarray, "draws"]:
    """The figures of draws, one after the other."""
    columns = np.ascontiguousarray(rows.T)  # that lie together in memory are repeated and summed many times faster
    return np.array([figure(metric, columns.repeat(count, axis=1).T) for count in counts])


def figure(metric: "Metric", rows: Float[np.ndarray, "recordings columns"]) -> float:
    """The figure over recordings; NaN where it is not finite, or of nothing."""
    if not len(rows):
        return float("nan")
    with np.errstate(all="ignore"):
        value = metric.score(rows)
    return value if np.isfinite(value) else float("nan")


def mean(figures: Float[np.ndarray, "*shape last"]) -> Any:
    """The mean over the last axis of what is defined."""
    defined = ~np.isnan(figures)
    with np.errstate(invalid="ignore"):
        return np.where(defined, figures, 0).sum(-1) / defined.sum(-1)


def interval(drawn: Float[np.ndarray, "resamples"]) -> tuple[float | None, float | None, str]:
    """The ends of the 95 % percentile interval of the defined values, and a note where many are not."""
    kept = drawn[~np.isnan(drawn)]
    missing = len(drawn) - len(kept)
    note = f"undefined in {missing} of {len(drawn)} resamples, left out" if missing > 0.05 * len(drawn) else ""
    if not len(kept):
        return None, None, note
    low, high = np.percentile(kept, (2.5, 97.5))
    return float(low), float(high), note


def too_few(repeats: "Sequence[Accumulator]", outputs: Sequence[str] | None = None) -> str:
    """Why there is no interval: a kind of which there are too few groups; empty where there are enough."""
    counted = {kind: len(own) for kind, own in zip(repeats[0].kinds, clusters(repeats, outputs), strict=True)}
    kind = min(counted, key=lambda kind: counted[kind])
    of = f" of {kind}" if kind else ""
    return f"no interval: {counted[kind]} groups{of}, fewer than {MIN_GROUPS}" if counted[kind] < MIN_GROUPS else ""


def _pooled(
    repeats: "Sequence[Accumulator]", everyone: Sequence[Sequence[str]], resamples: int, seed: int
) -> Float[np.ndarray, "resamples outputs repeats"]:
    """Rows are drawn, and the metric makes its figure of all of them."""
    (names,) = everyone
    number = {group: i for i, group in enumerate(names)}
    counts = np.stack(list(times(len(names), resamples, seed)))
    metric, outputs = repeats[0].metric, repeats[0].outputs
    found = np.full((resamples, len(outputs) * len(repeats)), np.nan)
    for k, (_, groups, rows) in enumerate(repeat.rows(name) for name in outputs for repeat in repeats):
        place = np.array([number[g] for g in groups], np.int64)
        if not len(rows):
            continue
        at_once = max(_AT_ONCE // len(place), 1)
        for first in range(0, resamples, at_once):
            found[first : first + at_once, k] = metric.drawn(rows, counts[first : first + at_once, place])
    return found.reshape(resamples, len(outputs), len(repeats))


def _signals(
    repeats: "Sequence[Accumulator]", everyone: Sequence[Sequence[str]], resamples: int, seed: int
) -> Float[np.ndarray, "resamples outputs repeats"]:
    """Recordings have figures already: they are weighted by how often their groups are drawn."""
    rng = np.random.default_rng(seed)
    counts = []
    for names in everyone:
        drawn = rng.integers(len(names), size=(resamples, len(names))) + len(names) * np.arange(resamples)[:, None]
        counts.append(np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).T.astype(float))
    numbers = [{group: i for i, group in enumerate(names)} for names in everyone]
    figures = np.full((resamples, len(repeats[0].outputs), len(repeats)), np.nan)
    for i, name in enumerate(repeats[0].outputs):
        for k, repeat in enumerate(repeats):
            groups = repeat.groups(name)
            places = np.array([[number[g] for number, g in zip(numbers, own, strict=True)] for own in groups], np.int64)
            places = places.reshape(len(groups), len(everyone))
            within = np.ones((len(groups), 1))
            for place, count in zip(places.T[1:], counts[1:], strict=True):
                within = within * count[place]
            figures[:, i, k] = level(repeat.figures(name)[:, None], places[:, 0], within, counts[0])
    return figures
