"""A configuration's data, read and counted before anything is trained: what is usable, what is not, and why."""

from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from ..data import Example, Source
from ..data.audio import TooLong
from ..signals import Signal
from .parts import count
from .prepare import prepare
from .run import Run


@dataclass
class Checked:
    """What was found."""

    recordings: int
    refused: dict[str, str] = field(default_factory=dict)
    """Why each unusable recording is so, by id."""
    seconds: float = 0.0
    """Sound that is usable."""
    parts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Usable recordings and their groups in each part."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """What is known of each output, by part."""
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
    found = Checked(len(source))
    parts = run.divide()
    prepared = prepare(run, parts[0])
    pipeline = prepared.pipeline()
    found.shapes = {"sound": source.audio, "features": pipeline.represented, "embedding": pipeline.embedded}
    found.model = pipeline.explained
    found.shapes |= {name: o.target.signal(source.audio.duration) for name, o in prepared.run.outputs.items()}
    for index in range(len(source)):
        try:
            example = _heard(source, index)
            prepared.encode(example)
            found.seconds += example.waveform.shape[1] / source.sample_rate
        except (OSError, ValueError) as error:
            found.refused[source.describe(index).id] = str(error)
        if progress:
            progress(index + 1, len(source))
    named = {f"fold {i}": p.test for i, p in enumerate(parts)} if run.split.folds else vars(parts[0])
    usable = {name: [i for i in own if source.describe(i).id not in found.refused] for name, own in named.items()}
    for part, told in count(prepared.run, usable).items():
        found.parts[part] = {"recordings": told["recordings"], "groups": told["groups"]}
        for column, text in told["known"].items():
            found.outputs.setdefault(column, {})[part] = text
    return found


def _heard(source: Source, index: int) -> Example:
    """The whole recording, or the clip that is heard of one that is too long to be held."""
    try:
        return source[index]
    except TooLong:
        if source.crop != "start":
            raise
        return source.clip(index, 0, 0)


def show(found: Checked, console: Console) -> None:
    """Print what was found."""
    usable = found.recordings - len(found.refused)
    console.print(f"{usable} of {found.recordings} recordings are usable, {found.seconds / 60:.1f} minutes of sound")
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
    if found.refused:
        refused = Table("not usable", "why")
        for id, why in list(found.refused.items())[:50]:
            refused.add_row(id, why)
        console.print(refused)
        if len(found.refused) > 50:
            console.print(f"and {len(found.refused) - 50} more")
