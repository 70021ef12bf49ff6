"""A configuration's data, read and counted before anything is trained: what is usable, what is not, and why."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..component import AssumptionWarning
from ..data import Example, Source
from ..data.audio import TooLong
from ..data.duplicates import Fingerprint, fingerprint, same
from ..data.table import some
from ..signals import Signal
from .audible import unheard
from .parts import LabelCount, count, count_labels
from .prepare import prepare
from .run import Run
from .transform import origin

_APART = 1.0  # s
_LISTED = 50


@dataclass
class Checked:
    """What was found."""

    recordings: int
    refused: dict[str, str] = field(default_factory=dict)
    """Why each unusable recording is so, by id."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Why what the corpus itself leaves out, and has not counted above, is no recording, by id."""
    remarks: list[str] = field(default_factory=list)
    """What should be known of the data and is no error."""
    seconds: float = 0.0
    """Sound that is usable."""
    parts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Usable recordings and their groups in each part."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """What is known of each output, by part."""
    labels: dict[str, dict[str, LabelCount]] = field(default_factory=dict)
    """How many say yes to each label, by part."""
    shapes: dict[str, Signal] = field(default_factory=dict)
    """What goes through the pipeline: the sound, its features, the embedding, and each target."""
    model: str = ""
    """What the model derives from its fields, and why."""

    @property
    def sound(self) -> bool:
        """Whether every recording is usable."""
        return not self.refused


def check(run: Run, progress: Callable[[int, int], None] | None = None) -> Checked:
    """Read every recording of a run's data, split it, and build the pipeline.

    Raises:
        ValueError: the data cannot be split, or the parts of the configuration do not fit.
    """
    source = run.data
    remarks = source.remarks()
    with warnings.catch_warnings():
        for told in remarks:  # below, and not twice
            warnings.filterwarnings("ignore", f"(?s).*{re.escape(told)}", AssumptionWarning)
        found = Checked(len(source), left_out=source.left_out(), remarks=remarks)
    if told := origin(run):
        found.remarks.append(told)
    parts = run.divide()
    prepared = prepare(run, parts[0])
    pipeline = prepared.pipeline()
    found.remarks += unheard(prepared)
    found.shapes = {"sound": source.audio, "features": pipeline.represented, "embedding": pipeline.embedded}
    found.model = pipeline.explained
    found.shapes |= {name: o.target.signal(source.audio.duration) for name, o in prepared.run.outputs.items()}
    uneven: list[str] = []
    prints: dict[int, Fingerprint] = {}
    for index in range(len(source)):
        try:
            example = _heard(source, index)
            prepared.encode(example)
            length = example.waveform.shape[1] / source.sample_rate
            found.seconds += length
            if source.distinct:
                prints[index] = fingerprint(example.waveform, source.sample_rate)
            if source.sounding and (off := _uneven(example, length, source.rates)):
                uneven.append(off)
        except (OSError, ValueError) as error:
            found.refused[source.describe(index).id] = str(error)
        if progress:
            progress(index + 1, len(source))
    if uneven:
        found.remarks.append(
            f"{len(uneven)} recordings have sound more than {_APART:g} s longer or shorter than a signal: "
            + some(uneven, 3)
        )
    named = {f"fold {i}": p.test for i, p in enumerate(parts)} if run.split.folds else vars(parts[0])
    found.refused |= _twice(source, prints, named)
    usable = {name: [i for i in own if source.describe(i).id not in found.refused] for name, own in named.items()}
    for part, told in count(prepared.run, usable).items():
        found.parts[part] = {"recordings": told["recordings"], "groups": told["groups"]}
        for column, text in told["known"].items():
            found.outputs.setdefault(column, {})[part] = text
    found.labels = count_labels(prepared.run, usable)
    return found


def _twice(source: Source, prints: Mapping[int, Fingerprint], parts: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """Why each recording is refused that is another one again, with the first of those that it is, and the parts."""
    part_of = {index: part for part, own in parts.items() for index in own}
    indices, found = list(prints), dict[str, str]()
    for a, b, share in same(list(prints.values())):
        again, first = indices[a], indices[b]
        within = part_of.get(again), part_of.get(first)
        apart = f", in {within[0]} and in {within[1]}" if within[0] != within[1] and None not in within else ""
        how = "has the very sound of" if share == 0 else "sounds like a copy (encoded anew, or cut) of"
        why = f"{how} {source.describe(first).id}{apart}; take one of them out of its table"
        found.setdefault(source.describe(again).id, why)
    return found


def _uneven(example: Example, length: float, rates: Mapping[str, float]) -> str:
    """Which signals do not last as long as the sound, in words."""
    lengths = {name: np.size(example.values[name]) / rate for name, rate in rates.items() if name in example.values}
    off = [f"{name} {seconds:g} s" for name, seconds in lengths.items() if abs(seconds - length) > _APART]
    return f"{example.id} (sound {length:.4g} s, {', '.join(off)})" if off else ""


def _heard(source: Source, index: int) -> Example:
    """The whole recording, or the clip that is heard of one too long to be held; no sound where none is read."""
    if not source.sounding:
        told = source.describe(index)
        silence = np.zeros((len(source.audio.channels), 0), np.float32)
        return Example(silence, source.values(index), told.id, told.groups)
    try:
        return source[index]
    except TooLong:
        if source.crop != "start":
            raise
        return source.clip(index, 0, 0)


def show(found: Checked, console: Console) -> None:
    """Print what was found."""
    usable = found.recordings - len(found.refused)
    sound = f"{found.seconds / 60:.1f} minutes of sound" if found.seconds else "no sound"
    console.print(f"{usable} of {found.recordings} recordings are usable, {sound}")
    for told in found.remarks:
        console.print(f"note: {told}", highlight=False, markup=False)
    for name, signal in found.shapes.items():
        rate = "once per clip" if signal.rate is None else f"{signal.frames} frames at {signal.rate:g} Hz"
        console.print(f"{name}: {len(signal.channels)} channel{'s' * (len(signal.channels) > 1)}, {rate}")
    if found.model:
        console.print(f"model: {found.model}")
    table = Table("part", "recordings", "groups", *found.outputs)
    for part, counts in found.parts.items():
        known = [outputs.get(part, "") for outputs in found.outputs.values()]
        table.add_row(part, str(counts["recordings"]), str(counts["groups"]), *known)
    console.print(table)
    if found.labels:
        console.print(_label_table(found.labels))
    for title, each in (("left out", found.left_out), ("not usable", found.refused)):
        if each:
            listed = Table(title, "why")
            for id, why in list(each.items())[:_LISTED]:
                listed.add_row(escape(id), escape(why))
            console.print(listed)
            if len(each) > _LISTED:
                console.print(f"and {len(each) - _LISTED} more")


def _label_table(labels: Mapping[str, Mapping[str, LabelCount]]) -> Table:
    """Recordings of each label and part, and the groups that they are of."""
    table = Table("label", "part", "recordings", "groups", "positive", "groups with one", "unknown")
    for label, parts in labels.items():
        for part, n in parts.items():
            numbers = (n.recordings, n.groups, n.positive, n.positive_groups, n.unknown)
            table.add_row(escape(label), part, *(f"{number:,}" for number in numbers))
    return table
