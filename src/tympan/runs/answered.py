"""A run's predictions.parquet -> its answers by recording, and what two runs have answered alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from jaxtyping import Float, Shaped

from ..objectives import Metric
from ..objectives.accumulate import Accumulator

_CLOSE = 1e-5
"""The part of an output's largest truth by which two runs' truths may differ: each has scaled them in its own way."""


@dataclass(frozen=True)
class Answer:
    """What a run said of one output of one recording."""

    group: str
    space: str
    unit: str
    times: Float[np.ndarray, "frames"]
    """Seconds; NaN for one value per recording."""
    truth: Float[np.ndarray, "frames"]
    """In the output's unit, 0 or 1, or the number of the class; NaN where unknown."""
    classes: Shaped[np.ndarray, "frames"]
    """The names of the true classes; for other spaces the truth again."""
    said: Float[np.ndarray, "values frames"]
    """The prediction: one value, or a probability for each class."""
    clusters: Mapping[str, str] = field(default_factory=dict)
    """The recording's group of each kind that intervals draw, for a target with a rate."""


Answers = dict[str, dict[str, Answer]]
"""By recording, then by output."""


def read(folder: Path, part: str) -> list[Answers]:
    """The answers of each repeat of a run in one part.

    Raises:
        ValueError: nothing was answered, or something twice.
    """
    table = pq.read_table(folder / "predictions.parquet", filters=[("split", "=", part)])
    columns = {
        name: np.asarray([*table[name].to_pylist(), None], object)[:-1]
        for name in ("id", "group", "output", "space", "unit", "truth_label", "probabilities")
    }
    numbers = {name: table[name].to_numpy().astype(float) for name in ("time", "truth", "prediction")}
    repeats = table["repeat"].to_numpy() if "repeat" in table.column_names else np.zeros(len(table), int)
    # The frames of one answer lie together, in order.
    keys = list(zip(repeats.tolist(), columns["id"], columns["output"], strict=True))
    begins = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1]]
    crossed = table["clusters"].take(begins).to_pylist() if "clusters" in table.column_names else [None] * len(begins)
    found: dict[int, Answers] = {}
    for begin, end, clusters in zip(begins, [*begins[1:], len(keys)], crossed, strict=True):
        (repeat, id, output), at = keys[begin], slice(begin, end)
        outputs = found.setdefault(repeat, {}).setdefault(id, {})
        if output in outputs:
            path = folder / "predictions.parquet"
            raise ValueError(f"{path}: {output} of {id} is there twice; evaluate the run again")
        classes = columns["space"][begin] == "class"
        outputs[output] = Answer(
            columns["group"][begin],
            columns["space"][begin],
            columns["unit"][begin] or "",
            numbers["time"][at],
            numbers["truth"][at],
            columns["truth_label"][at] if classes else numbers["truth"][at],
            np.array(columns["probabilities"][at].tolist()).T if classes else numbers["prediction"][None, at],
            {kind: name for kind, name in (clusters or {}).items() if name is not None},
        )
    if not found:
        raise ValueError(
            f"{folder / 'predictions.parquet'}: holds no answers of the {part} part; evaluate the run again"
        )
    return [found[repeat] for repeat in sorted(found)]


def common(
    a: list[Answers], b: list[Answers], names: tuple[str, str]
) -> tuple[tuple[list[Answers], list[Answers]], list[str]]:
    """What two runs have both answered, with the truth that both know and the same groups; and what is left out.

    Args:
        a: the repeats of one run.
        b: the repeats of the other.
        names: of the runs, for messages.

    Raises:
        ValueError: nothing is common to both, or truths, times, units or kinds of targets are not the same.
    """
    whose = f"{names[0]} and {names[1]}"
    outputs = [{o for answers in side[0].values() for o in answers} for side in (a, b)]
    shared = outputs[0] & outputs[1]
    if not shared:
        told = (", ".join(sorted(found)) or "nothing" for found in outputs)
        raise ValueError(f"{whose} predict nothing in common: one predicts {next(told)}, the other {next(told)}")
    ids = [{id for id in set.intersection(*map(set, side)) if shared & set(side[0][id])} for side in (a, b)]
    both = [id for id in a[0] if id in ids[0] & ids[1]]
    if not both:
        raise ValueError(f"{whose} have no recording in common in this part, so there is nothing to compare")
    sides: tuple[list[Answers], list[Answers]] = ([{} for _ in a], [{} for _ in b])
    largest = dict.fromkeys(shared, 0.0)
    for said in a[0].values():
        for output in shared & set(said):
            largest[output] = max(largest[output], float(np.nan_to_num(np.abs(said[output].truth)).max(initial=0)))
    kept = _coarser(a[0], b[0], both)
    shorter = half = 0
    for id in both:
        for output in (o for o in a[0][id] if o in b[0][id]):
            one, two = a[0][id][output], b[0][id][output]
            frames = min(len(one.times), len(two.times))
            _agree(one, two, frames, _CLOSE * largest[output], f"{output} of {id}", names)
            known = ~np.isnan(one.truth[:frames]) & ~np.isnan(two.truth[:frames])
            shorter += len(one.times) != len(two.times)
            half += bool((np.isnan(one.truth[:frames]) != np.isnan(two.truth[:frames])).any())
            for mine, theirs in zip((a, b), sides, strict=True):
                for repeat, cut in zip(mine, theirs, strict=True):
                    answer = repeat[id][output]
                    truth = np.where(known, answer.truth[:frames], np.nan)
                    drawn = {"group": kept[id], "clusters": max(one.clusters, two.clusters, key=len)}
                    cut.setdefault(id, {})[output] = replace(answer, truth=truth, said=answer.said[:, :frames], **drawn)
    groups = len({kept[id] for id in both})
    notes = [f"Compared on {len(both):,} recordings in {groups:,} groups that both have answered."]
    for name, own in zip(names, ids, strict=True):
        if len(own) > len(both):
            notes.append(f"{len(own) - len(both):,} recordings that only {name} has answered are left out.")
    for name, own in zip(names, outputs, strict=True):
        if own > shared:
            notes.append(f"Only {name} predicts {', '.join(sorted(own - shared))}.")
    if shorter:
        notes.append(f"{shorter:,} answers are longer in one run, and are compared as far as both go.")
    if half:
        notes.append(f"{half:,} answers have a truth, or a part of it, in one run only: that is left out.")
    if any(group_of(a[0][id]) != group_of(b[0][id]) for id in both):
        notes.append("The runs group their recordings differently; the fewer, larger groups are drawn.")
    return sides, notes


def collect(metric: Metric, outputs: Sequence[str], answers: Answers, rate: float | None = None) -> Accumulator:
    """The rows of a metric, from answers alone; of a target with a rate (Hz) by recording."""
    crossed = [answer.clusters for own in answers.values() for o, answer in own.items() if o in outputs]
    kinds = tuple(crossed[0]) if rate and crossed and all(crossed) else ()
    made = metric.start(outputs, rate, kinds or ("",))
    for id, own in answers.items():
        there = [own[o] for o in outputs if o in own]
        if there:
            unknown = replace(there[0], truth=np.full_like(there[0].truth, np.nan))
            every = {o: own.get(o, unknown) for o in outputs}
            made.update(
                {o: answer.said[None] for o, answer in every.items()},
                {o: answer.truth[None, None] for o, answer in every.items()},
                [id],
                [tuple(there[0].clusters[kind] for kind in kinds) or there[0].group],
            )
    return made


def _coarser(a: Answers, b: Answers, ids: Sequence[str]) -> dict[str, str]:
    """The groups of the run that has fewer: larger groups give the more honest interval."""
    groups = [{id: group_of(side[id]) for id in ids} for side in (a, b)]
    return min(groups, key=lambda found: len(set(found.values())))


def group_of(outputs: Mapping[str, Answer]) -> str:
    """The group of a recording, from its answers."""
    return next(iter(outputs.values())).group


def _agree(one: Answer, two: Answer, frames: int, close: float, what: str, names: tuple[str, str]) -> None:
    """Refuse answers to different questions."""
    for said in ("unit", "space"):
        mine, other = getattr(one, said), getattr(two, said)
        if mine != other:
            raise ValueError(f"{what}: its {said} is {mine!r} in {names[0]} and {other!r} in {names[1]}; "
                             "they cannot be compared")  # fmt: skip
    if not np.allclose(one.times[:frames], two.times[:frames], rtol=0, atol=1e-6, equal_nan=True):
        raise ValueError(f"{what}: {names[0]} and {names[1]} answer at different times; give both one rate")
    known = ~np.isnan(one.truth[:frames]) & ~np.isnan(two.truth[:frames])
    mine, other = one.classes[:frames][known], two.classes[:frames][known]
    wrong = mine != other if one.space == "class" else ~np.isclose(mine.astype(float), other.astype(float), 1e-5, close)
    if wrong.any():
        pair = (mine[wrong][0], other[wrong][0])
        told = pair if one.space == "class" else tuple(f"{x:g}{f' {one.unit}' * bool(one.unit)}" for x in pair)
        raise ValueError(f"{what}: the truth is {told[0]} in {names[0]} and {told[1]} in {names[1]}; "
                         "these runs were scored on different data")  # fmt: skip
