"""What was said of one output of one recording, and the table of predictions that is made of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from ..objectives import Target
from ..objectives.decision import Decision, logits

Decoded = Mapping[str, np.ndarray]
"""What is said of one recording, `(values, frames)` by output."""


@dataclass(frozen=True)
class Said:
    """The truth of one output of one recording, and what the model said of it."""

    id: str
    group: str
    output: str
    space: str
    unit: str
    truth: Float[np.ndarray, "frames"]
    """In the output's unit, 0 or 1, or the number of the class; NaN where unknown."""
    answer: Float[np.ndarray, "values frames"]
    """One value, or a probability for each class."""
    rate: float | None = None
    """Frames per second (Hz); `None` is one frame for the recording."""
    classes: tuple[str, ...] = ()
    """The names of the classes, where it is one of several."""
    clusters: tuple[tuple[str, str], ...] = ()
    """The recording's group of each kind that intervals draw, for a target with a rate."""
    beside: Mapping[str, float] = field(default_factory=dict)
    """What else the source knows of the recording, by name and unit; of targets without a rate."""
    fold: str = ""
    """The training that answered, where answers of several are pooled."""

    @property
    def times(self) -> Float[np.ndarray, "frames"]:
        """Seconds of each frame; NaN for one value per recording."""
        return np.arange(len(self.truth)) / self.rate if self.rate else np.full(len(self.truth), np.nan)

    @property
    def prediction(self) -> Float[np.ndarray, "frames"]:
        """The value, or the number of the likeliest class."""
        return (self.answer.argmax(0) if self.classes else self.answer[0]).astype(np.float64)

    def named(self, numbers: Float[np.ndarray, "frames"]) -> list[str | None]:
        """The names of classes by their numbers; of anything else none."""
        return [self.classes[int(n)] if self.classes and not np.isnan(n) else None for n in numbers]


def said_of(
    target: Target,
    id: str,
    group: str,
    clusters: tuple[tuple[str, str], ...],
    answer: Mapping[str, Float[np.ndarray, "values frames"]],
    truth: Mapping[str, Float[np.ndarray, "1 frames"]],
    beside: Mapping[str, float] = MappingProxyType({}),
) -> list[Said]:
    """What was said of one recording, for each output of a target."""
    classes = target.signal(1.0).channels if target.space == "class" else ()
    kept = clusters if target.rate else ()
    unit, what = target.unit, (target.rate, classes, kept, {} if target.rate else beside)
    return [
        Said(id, group, output, target.space, unit[output], truth[output][0], answer[output], *what)
        for output in target.outputs
    ]


def lengthened(said: Decoded, frames: int) -> dict[str, np.ndarray]:
    """As many frames as are judged: what is constant is repeated, and beyond what is known there is nothing."""
    found = {}
    for name, own in said.items():
        if own.shape[1] == 1:
            found[name] = np.broadcast_to(own, (len(own), frames))
        else:
            missing = max(frames - own.shape[1], 0)
            found[name] = np.pad(own[:, :frames].astype(float), ((0, 0), (0, missing)), constant_values=np.nan)
    return found


def beside_of(values: Mapping[str, Any], units: Mapping[str, str], asked: Collection[str]) -> dict[str, float]:
    """The numbers that are known of a recording and not asked of the model, `{strike_theta (rad): 0.3}`."""
    numbers = {
        name: float(value)
        for name, value in values.items()
        if name not in asked and isinstance(value, int | float | np.number) and np.isfinite(value)
    }
    return {f"{name} ({u})" if (u := units.get(name, "")) not in ("", "1") else name: x for name, x in numbers.items()}


def table(said: Sequence[Said], made: Mapping[str, Mapping[str, Decision]] = MappingProxyType({})) -> pa.Table:
    """One row for every frame: id, group, output, time, truth, prediction and what else is known of it.

    Of a label that is decided, by its name and the training that answers, also the logit, the calibrated probability
    and whether it is said to hold.
    """
    sizes = [len(one.truth) for one in said]
    owner = pa.array(np.repeat(np.arange(len(said)), sizes))

    def text(values: Sequence[Any], kind: pa.DataType | None = None) -> pa.Array:
        return pa.array(values, kind or pa.string()).take(owner)

    def numbers(arrays: Sequence[np.ndarray], unknown: bool = True) -> pa.Array:
        return pa.array(np.concatenate([np.empty(0), *arrays]).astype(np.float64), from_pandas=unknown)

    columns = {
        "id": text([one.id for one in said]),
        "group": text([one.group for one in said]),
        "output": text([one.output for one in said]),
        "time": numbers([one.times for one in said]),
        "truth": numbers([one.truth for one in said]),
        "prediction": numbers([one.prediction for one in said], unknown=False),
        "truth_label": _labels([one.named(one.truth) if one.classes else None for one in said], sizes),
        "label": _labels([one.named(one.prediction) if one.classes else None for one in said], sizes),
        "probabilities": _probabilities(said),
        "space": text([one.space for one in said]),
        "unit": text([one.unit for one in said]),
    }
    decided = [made.get(one.output, {}).get(one.fold) for one in said]
    if any(decided):
        each = [(one.prediction, how) for one, how in zip(said, decided, strict=True)]
        unknown = [np.full(n, np.nan) for n in sizes]
        columns["logit"] = numbers([logits(p) if how else u for (p, how), u in zip(each, unknown, strict=True)])
        columns["calibrated"] = numbers([d.calibrated(p) if d else u for (p, d), u in zip(each, unknown, strict=True)])
        columns["decision"] = numbers([d.holds(p) if d else u for (p, d), u in zip(each, unknown, strict=True)])
    if any(one.beside for one in said):  # once for each recording, in its first row
        firsts = [[list(one.beside.items()), *[None] * (n - 1)][:n] for one, n in zip(said, sizes, strict=True)]
        columns["beside"] = pa.array([x for own in firsts for x in own], pa.map_(pa.string(), pa.float64()))
    kinds = list(dict.fromkeys(kind for one in said for kind, _ in one.clusters))
    if kinds:
        columns["clusters"] = text(
            [dict(one.clusters) or None for one in said], pa.struct([(kind, pa.string()) for kind in kinds])
        )
    return pa.table(columns)


def _labels(names: Sequence[list[str | None] | None], sizes: Sequence[int]) -> pa.Array:
    if not any(names):
        return pa.nulls(sum(sizes), pa.string())
    return pa.array([x for own, n in zip(names, sizes, strict=True) for x in own or [None] * n], pa.string())


def _probabilities(said: Sequence[Said]) -> pa.Array:
    kind = pa.list_(pa.float64())
    if not any(one.classes for one in said):
        return pa.nulls(sum(len(one.truth) for one in said), kind)
    return pa.array([p for one in said for p in (one.answer.T if one.classes else [None] * len(one.truth))], kind)
