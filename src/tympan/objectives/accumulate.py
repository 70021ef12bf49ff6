"""Rows of a metric, one per recording and output, and what comes of them: figures and their intervals."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from . import Metric
from .resample import OVERALL, clusters, draw, figure, interval, level, mean, too_few


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
    """Groups that these recordings belong to; of several kinds the first."""
    note: str = ""
    """Why there is no figure or no interval, or what to keep in mind."""
    positives: int | None = None
    """Recordings with a positive, for a label; `None` for anything else."""
    clusters: dict[str, int] | None = None
    """How many groups of each kind there are, for a target with a rate; `None` for anything else."""


class Accumulator:
    """Collects a metric's rows recording by recording; frames are never kept.

    Without a rate the figure is made of all rows at once. With a rate each recording has its own figure, `score` of its
    one row: the mean over the recordings of a group, then over groups, is the figure of an output. Where it is
    undefined for a recording (a correlation with what never varies) that is left out, and said.
    """

    def __init__(
        self, metric: Metric, outputs: Sequence[str], rate: float | None = None, kinds: Sequence[str] = ("",)
    ) -> None:
        self.metric, self.outputs, self.rate, self.kinds = metric, tuple(outputs), rate, tuple(kinds)
        assert rate or (len(kinds) == 1 and not metric.timed), "what is pooled is drawn by one kind of group"
        self._tables = {name: _Table() for name in self.outputs}

    def update(
        self,
        prediction: Mapping[str, Float[np.ndarray, "batch _ frames"]],
        truth: Mapping[str, Float[np.ndarray, "batch 1 frames"]],
        ids: Sequence[str],
        groups: Sequence[str | tuple[str, ...]],
    ) -> None:
        """Add whole recordings: decoded predictions and truths by output.

        Args:
            prediction: `(batch, values, frames)`.
            truth: `(batch, 1, frames)`, NaN where unknown; a recording with nothing known adds nothing.
            ids: the name of each recording.
            groups: what each recording belongs to, its subject, its drum; or one of each kind, `(listener, song)`.
        """
        for name, table in self._tables.items():
            p, t = prediction[name].astype(np.float64), truth[name][:, 0].astype(np.float64)
            label = p.shape[1] == 1 and "binary" in self.metric.spaces
            for i in np.flatnonzero(~np.isnan(t).all(1)).tolist():
                known = ~np.isnan(t[i])
                row = row_of(self.metric, p[i], t[i], self.rate)
                table.rows.append(row)
                table.figures.append(figure(self.metric, np.array([row])) if self.rate else float("nan"))
                table.ids.append(ids[i])
                own = groups[i]
                table.groups.append((own,) if isinstance(own, str) else own)
                table.positive.append(bool((t[i, known] == 1).any()) if label else None)

    def merge(self, other: "Accumulator") -> None:
        """Add all that another one has collected, in another process for example."""
        assert other.like(self)
        for name, table in self._tables.items():
            table.extend(other._tables[name])

    def like(self, other: "Accumulator") -> bool:
        """Whether both collect the same: their figures can be compared."""
        same = ("metric", "outputs", "rate", "kinds")
        return all(getattr(self, field) == getattr(other, field) for field in same)

    def only(self, ids: Mapping[str, Container[str]]) -> "Accumulator":
        """A copy with some recordings of each output."""
        made = Accumulator(self.metric, self.outputs, self.rate, self.kinds)
        for name, table in self._tables.items():
            kept = [i for i, id in enumerate(table.ids) if id in ids[name]]
            own = {key: [column[i] for i in kept] for key, column in vars(table).items()}
            made._tables[name] = _Table(**own)
        return made

    def rows(self, output: str) -> tuple[list[str], list[str], Float[np.ndarray, "recordings columns"]]:
        """The recordings' ids, their groups of the first kind, and their rows."""
        table = self._tables[output]
        rows = np.array(table.rows) if table.rows else np.empty((0, 1))
        return list(table.ids), [own[0] for own in table.groups], rows

    def groups(self, output: str) -> list[tuple[str, ...]]:
        """The recordings' groups, one of each kind."""
        return list(self._tables[output].groups)

    def figures(self, output: str) -> Float[np.ndarray, "recordings"]:
        """The recordings' own figures, for a target with a rate; NaN where undefined."""
        return np.array(self._tables[output].figures)

    def positives(self, output: str) -> set[str] | None:
        """The ids of the recordings with a positive; `None` for what is not a label."""
        table = self._tables[output]
        if None in table.positive or not table.positive:
            return None
        return {id for id, positive in zip(table.ids, table.positive, strict=True) if positive}

    def compute(self) -> dict[str, float]:
        """The figure of each output, NaN where undefined; of several outputs also the mean over the defined ones."""
        return _with_overall({name: self._figure(name) for name in self.outputs})

    def _figure(self, name: str) -> float:
        _, groups, rows = self.rows(name)
        if not self.rate:
            return figure(self.metric, rows)
        return float(level(self.figures(name)[:, None], np.unique(groups, return_inverse=True)[1])[0])


def row_of(
    metric: Metric,
    prediction: Float[np.ndarray, "values frames"],
    truth: Float[np.ndarray, "frames"],
    rate: float | None,
) -> tuple[float, ...]:
    """A metric's row of one recording: of every frame where it looks at their order, else of the known ones."""
    known = ~np.isnan(truth)
    if "real" in metric.spaces:  # a pitch comes with how sure it is
        prediction = prediction[:1]
    with np.errstate(all="ignore"):  # a prediction may be infinite, and the figure is then undefined
        if metric.timed:
            return metric.row(prediction, truth, rate)  # pyright: ignore[reportCallIssue]
        return metric.row(prediction[:, known], truth[known])


def scores(
    accumulators: Accumulator | Sequence[Accumulator],
    resamples: int = 2000,
    seed: int = 0,
    drawn: Mapping[str, Float[np.ndarray, "_"]] | None = None,
) -> dict[str, Score]:
    """The figure of each output, and `overall` of several, with 95 % percentile intervals.

    Groups are drawn with replacement, each with all its recordings: recordings of one subject resemble each other, and
    intervals that draw recordings are far too narrow (Field & Welsh 2007). All outputs see the same draws. Of several
    accumulators (the same metric, repeated with other seeds) the figure is the mean, and they too see the same draws.

    Args:
        accumulators: one, or several that are repeats.
        resamples: number of draws.
        seed: decides the draws.
        drawn: what `draw` gave of these, where that is at hand.
    """
    repeats = [accumulators] if isinstance(accumulators, Accumulator) else list(accumulators)
    outputs = repeats[0].outputs
    computed = [repeat.compute() for repeat in repeats]
    figures = _with_overall({name: float(mean(np.array([c[name] for c in computed]))) for name in outputs})
    drawn = draw(repeats, resamples, seed) if drawn is None else drawn
    result = {}
    for name, value in figures.items():
        those = outputs if name == OVERALL else (name,)
        ids = {i for repeat in repeats for output in those for i in repeat.rows(output)[0]}
        counted = {kind: len(own) for kind, own in zip(repeats[0].kinds, clusters(repeats, those), strict=True)}
        groups = next(iter(counted.values()))
        found = None if name == OVERALL else [p for r in repeats if (p := r.positives(name)) is not None]
        positives = len(set().union(*found)) if found else None
        low, high, notes = None, None, []
        if np.isnan(value):
            notes.append(undefined(len(ids), groups, positives))
        elif few := too_few(repeats, those):
            notes.append(few)
        else:
            low, high, note = interval(drawn[name])
            notes += [note] if note else []
        defined = sum(not np.isnan(figures[output]) for output in outputs)
        if name == OVERALL and 0 < defined < len(outputs):
            notes.append(f"mean of {defined} of {len(outputs)} outputs")
        if name != OVERALL and not np.isnan(value) and repeats[0].rate:
            notes += _partly([repeat.figures(name) for repeat in repeats])
        told = counted if repeats[0].rate else None
        number = None if np.isnan(value) else value
        result[name] = Score(number, low, high, len(ids), groups, "; ".join(notes), positives, told)
    return result


@dataclass
class _Table:
    ids: list[str] = field(default_factory=list)
    groups: list[tuple[str, ...]] = field(default_factory=list)
    rows: list[tuple[float, ...]] = field(default_factory=list)
    figures: list[float] = field(default_factory=list)
    positive: list[bool | None] = field(default_factory=list)

    def extend(self, other: "_Table") -> None:
        for key, column in vars(self).items():
            column += getattr(other, key)


def _with_overall(figures: dict[str, float]) -> dict[str, float]:
    return {**figures, OVERALL: float(mean(np.array(list(figures.values()))))} if len(figures) > 1 else figures


def _partly(figures: Sequence[Float[np.ndarray, "_"]]) -> list[str]:
    """How many recordings have a figure of their own, where not all have."""
    every = np.concatenate([np.empty(0), *figures])
    defined = int((~np.isnan(every)).sum())
    return [f"defined for {defined} of {len(every)} recordings"] if defined < len(every) else []


def undefined(n: int, groups: int, positives: int | None) -> str:
    """Why there is no figure."""
    if n == 0:
        return "nothing known"
    if positives == 0:
        return f"no positives among {n}"
    if positives == n:
        return f"no negatives among {n}"
    return f"undefined for {n} recordings in {groups} groups"
