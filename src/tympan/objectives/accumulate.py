"""Rows of a metric, one per recording and output, and what comes of them: figures and their intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from . import Metric

OVERALL = "overall"
"""The name of the mean over outputs."""
MIN_GROUPS = 8
"""Below so many groups an interval would look more certain than it is, and none is given."""


@dataclass(frozen=True)
class Score:
    """A figure, its 95 % interval, and what it rests on."""

    value: float | None
    """The figure; `None` where it is undefined."""
    low: float | None
    """The lower end of the interval; `None` where there is none."""
    high: float | None
    """The upper end of the interval."""
    n: int
    """Recordings with something known."""
    groups: int
    """Groups that these recordings belong to."""
    note: str = ""
    """Why there is no figure or no interval, or what to keep in mind."""
    positives: int | None = None
    """Recordings with a positive, for a label; `None` for anything else."""


class Accumulator:
    """Collects a metric's rows recording by recording; frames are never kept."""

    def __init__(self, metric: Metric, outputs: Sequence[str]) -> None:
        self.metric, self.outputs = metric, tuple(outputs)
        self._tables = {name: _Table() for name in self.outputs}

    def update(
        self,
        prediction: Mapping[str, Float[np.ndarray, "batch _ frames"]],
        truth: Mapping[str, Float[np.ndarray, "batch 1 frames"]],
        ids: Sequence[str],
        groups: Sequence[str],
    ) -> None:
        """Add whole recordings: decoded predictions and truths by output.

        Args:
            prediction: `(batch, values, frames)`.
            truth: `(batch, 1, frames)`, NaN where unknown; a recording with nothing known adds nothing.
            ids: the name of each recording.
            groups: what each recording belongs to: its subject, its drum.
        """
        for name, table in self._tables.items():
            p, t = prediction[name].astype(np.float64), truth[name][:, 0].astype(np.float64)
            label = p.shape[1] == 1 and "real" not in self.metric.spaces
            for i in np.flatnonzero(~np.isnan(t).all(1)).tolist():
                known = ~np.isnan(t[i])
                with np.errstate(all="ignore"):  # a prediction may be infinite, and the figure is then undefined
                    table.rows.append(self.metric.row(p[i][:, known], t[i, known]))
                table.ids.append(ids[i])
                table.groups.append(groups[i])
                table.positive.append(bool((t[i, known] == 1).any()) if label else None)

    def merge(self, other: "Accumulator") -> None:
        """Add all that another one has collected, in another process for example."""
        assert (self.metric, self.outputs) == (other.metric, other.outputs)
        for name, table in self._tables.items():
            more = other._tables[name]
            table.ids += more.ids
            table.groups += more.groups
            table.rows += more.rows
            table.positive += more.positive

    def rows(self, output: str) -> tuple[list[str], list[str], Float[np.ndarray, "recordings columns"]]:
        """The recordings' ids, their groups, and their rows."""
        table = self._tables[output]
        return list(table.ids), list(table.groups), np.array(table.rows) if table.rows else np.empty((0, 1))

    def positives(self, output: str) -> set[str] | None:
        """The ids of the recordings with a positive; `None` for what is not a label."""
        table = self._tables[output]
        if None in table.positive or not table.positive:
            return None
        return {id for id, positive in zip(table.ids, table.positive, strict=True) if positive}

    def compute(self) -> dict[str, float]:
        """The figure of each output, NaN where undefined; of several outputs also the mean over the defined ones."""
        figures = {name: _figure(self.metric, self.rows(name)[2]) for name in self.outputs}
        return _with_overall(figures)


def scores(accumulators: Accumulator | Sequence[Accumulator], resamples: int = 2000, seed: int = 0) -> dict[str, Score]:
    """The figure of each output, and `overall` of several, with 95 % percentile intervals.

    Groups are drawn with replacement, each with all its recordings: recordings of one subject resemble each other, and
    intervals that draw recordings are far too narrow (Field & Welsh 2007). All outputs see the same draws. Of several
    accumulators (the same metric, repeated with other seeds) the figure is the mean, and they too see the same draws.
    """
    repeats = [accumulators] if isinstance(accumulators, Accumulator) else list(accumulators)
    outputs = repeats[0].outputs
    computed = [repeat.compute() for repeat in repeats]
    figures = _with_overall({name: float(mean(np.array([c[name] for c in computed]))) for name in outputs})
    ids = {name: {i for repeat in repeats for i in repeat.rows(name)[0]} for name in outputs}
    groups = {name: {g for repeat in repeats for g in repeat.rows(name)[1]} for name in outputs}
    ids[OVERALL], groups[OVERALL] = set().union(*ids.values()), set().union(*groups.values())
    drawn: dict[str, np.ndarray] = {}
    if len(groups[OVERALL]) >= MIN_GROUPS:
        drawn = resample(repeats, sorted(groups[OVERALL]), resamples, seed)
    result = {}
    for name, value in figures.items():
        found = None if name == OVERALL else [p for r in repeats if (p := r.positives(name)) is not None]
        positives = len(set().union(*found)) if found else None
        low, high, notes = None, None, []
        if np.isnan(value):
            notes.append(undefined(len(ids[name]), len(groups[name]), positives))
        elif len(groups[name]) < MIN_GROUPS:
            notes.append(f"no interval: {len(groups[name])} groups, fewer than {MIN_GROUPS}")
        else:
            low, high, note = interval(drawn[name])
            notes += [note] if note else []
        defined = sum(not np.isnan(figures[output]) for output in outputs)
        if name == OVERALL and 0 < defined < len(outputs):
            notes.append(f"mean of {defined} of {len(outputs)} outputs")
        figure = None if np.isnan(value) else value
        result[name] = Score(figure, low, high, len(ids[name]), len(groups[name]), "; ".join(notes), positives)
    return result


@dataclass
class _Table:
    ids: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    rows: list[tuple[float, ...]] = field(default_factory=list)
    positive: list[bool | None] = field(default_factory=list)


def resample(
    repeats: Sequence[Accumulator], everyone: Sequence[str], resamples: int, seed: int
) -> dict[str, Float[np.ndarray, "resamples"]]:
    """The figure of each output, and `overall`, when the groups in `everyone` are drawn with replacement.

    The seed and the number of groups alone decide the draws: two calls with the same see the same groups drawn.
    """
    rng = np.random.default_rng(seed)
    number = {group: i for i, group in enumerate(everyone)}
    metric, outputs = repeats[0].metric, repeats[0].outputs
    tables = []
    for _, groups, rows in (repeat.rows(name) for name in outputs for repeat in repeats):
        place = np.array([number[g] for g in groups], np.int64)
        count = np.bincount(place, minlength=len(everyone))
        # Columns lie together in memory: drawing and summing rows is then many times faster.
        columns = np.ascontiguousarray(rows[np.argsort(place, kind="stable")].T)
        tables.append((columns, count, np.cumsum(count) - count))
    figures = np.full((resamples, len(tables)), np.nan)
    for r in range(resamples):
        group = rng.integers(len(everyone), size=len(everyone))
        for k, (columns, count, start) in enumerate(tables):
            n = count[group]
            end = np.cumsum(n)
            # The rows of one group lie together: count on from where each drawn group begins.
            at = np.arange(end[-1]) + np.repeat(start[group] - end + n, n)
            figures[r, k] = _figure(metric, columns.take(at, axis=1).T)
    by_output = mean(figures.reshape(resamples, len(outputs), len(repeats)))
    return {**dict(zip(outputs, by_output.T, strict=True)), OVERALL: mean(by_output)}


def _figure(metric: Metric, rows: Float[np.ndarray, "recordings columns"]) -> float:
    if not len(rows):
        return float("nan")
    with np.errstate(all="ignore"):
        value = metric.score(rows)
    return value if np.isfinite(value) else float("nan")


def _with_overall(figures: dict[str, float]) -> dict[str, float]:
    return {**figures, OVERALL: float(mean(np.array(list(figures.values()))))} if len(figures) > 1 else figures


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


def undefined(n: int, groups: int, positives: int | None) -> str:
    """Why there is no figure."""
    if n == 0:
        return "nothing known"
    if positives == 0:
        return f"no positives among {n}"
    if positives == n:
        return f"no negatives among {n}"
    return f"undefined for {n} recordings in {groups} groups"
