"""A configuration's data, read and counted before anything is trained: what is usable, what is not, and why."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from ..data import Source
from ..objectives import Target
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
    """Recordings and groups of each part."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """What is known of each output, by part."""

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
    prepared.pipeline()
    for index in range(len(source)):
        try:
            example = source[index]
            prepared.encode(example)
            found.seconds += example.waveform.shape[1] / source.sample_rate
        except (OSError, ValueError) as error:
            found.refused[source.describe(index).id] = str(error)
        if progress:
            progress(index + 1, len(source))
    named = {f"fold {i}": {"test": p.test} for i, p in enumerate(parts)} if run.split.folds else {"": vars(parts[0])}
    for prefix, group in named.items():
        for name, indices in group.items():
            part = prefix or name
            found.parts[part] = {
                "recordings": len(indices),
                "groups": len({run.group_of(source.describe(i)) for i in indices}),
            }
            for output in prepared.run.outputs.values():
                for column, text in _known(output.target, source, indices).items():
                    found.outputs.setdefault(column, {})[part] = text
    return found


def show(found: Checked, console: Console) -> None:
    """Print what was found."""
    usable = found.recordings - len(found.refused)
    console.print(f"{usable} of {found.recordings} recordings are usable, {found.seconds / 60:.1f} minutes of sound")
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


def _known(target: Target, source: Source, indices: list[int]) -> dict[str, str]:
    """What a part knows of each output: counts of labels and classes, ranges of quantities."""
    numbers: dict[str, list[float]] = {name: [] for name in target.outputs}
    for index in indices:
        for name, value in target.truth(target.encode(source.values(index))[None]).items():
            numbers[name] += [x for x in value.ravel().tolist() if not math.isnan(x)]
    said: dict[str, str] = {}
    for name, known in numbers.items():
        unknown = "" if target.rate else f", {len(indices) - len(known)} unknown"
        if not known:
            said[name] = "nothing known"
        elif target.space == "binary":
            said[name] = f"{sum(x > 0.5 for x in known)} positive, {sum(x <= 0.5 for x in known)} negative{unknown}"
        elif target.space == "class":
            said[name] = f"{len(set(known))} classes{unknown}"
        else:
            said[name] = f"{min(known):.4g} to {max(known):.4g} {target.unit[name]}{unknown}"
    return said
