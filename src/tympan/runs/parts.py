"""What the parts of a run's data hold: recordings, groups, seconds of sound, and what is known of each output."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ..objectives import Target
from .prepare import Prepared, known
from .run import Run

_BINS = 16
_NAMED = 6  # with more classes their counts are given as a range


@dataclass(frozen=True)
class LabelCount:
    """What one part knows of a label that is given once per recording."""

    recordings: int
    """Those whose label is known."""
    groups: int
    """Their groups: speakers."""
    positive: int
    positive_groups: int
    """Groups with a positive recording."""
    unknown: int


def count_labels(run: Run, parts: Mapping[str, Sequence[int]]) -> dict[str, dict[str, LabelCount]]:
    """How many recordings and groups of each part say yes and no, by label; nothing for other targets.

    Args:
        run: with what its targets learn from the training part filled in.
        parts: the indices of each part.
    """
    found: dict[str, dict[str, LabelCount]] = {}
    targets = [o.target for o in run.outputs.values() if o.target.space == "binary" and o.target.rate is None]
    for part, indices in parts.items() if targets else ():
        groups = [run.group_of(run.data.describe(i)) for i in indices]
        encoded = [[target.truth(target.encode(v)[None]) for target in targets] for v in known(run, indices)]
        for t, target in enumerate(targets):
            for label in target.outputs:
                truth = [float(one[t][label].ravel()[0]) for one in encoded]
                told = [(g, x) for g, x in zip(groups, truth, strict=True) if not np.isnan(x)]
                yes = [g for g, x in told if x]
                found.setdefault(label, {})[part] = LabelCount(
                    len(told), len({g for g, _ in told}), len(yes), len(set(yes)), len(truth) - len(told)
                )
    return found


def describe(prepared: Prepared) -> dict[str, dict[str, Any]]:
    """What the training, validation and test part hold: as `count` gives it, the `labels` of each as `count_labels`
    does, and their `seconds` of sound, `None` where that would cost requests; the headers of local ones are read."""
    found = count(prepared.run, vars(prepared.parts))
    labels = count_labels(prepared.run, vars(prepared.parts))
    for part, indices in vars(prepared.parts).items():
        lengths = [prepared.source.seconds(i) for i in indices]
        known = [length for length in lengths if length is not None]
        found[part]["labels"] = {label: asdict(own[part]) for label, own in labels.items()}
        found[part]["seconds"] = round(sum(known), 3) if len(known) == len(lengths) else None
    return found


def count(run: Run, parts: Mapping[str, Sequence[int]]) -> dict[str, dict[str, Any]]:
    """What parts of a run's data hold, without reading sound.

    Args:
        run: with what its targets learn from the training part filled in.
        parts: the indices of each part.

    Returns:
        For each part `recordings`, `groups`, `known` (for each output a few words with its unit) and `spread` (for each
        output `space`, `unit`, `counts`, and the `edges` of a histogram or the `names` of what was counted; the same in
        every part).

    Raises:
        ValueError: a value that a target cannot hold.
    """
    source = run.data
    targets = [output.target for output in run.outputs.values()]
    values = {part: known(run, indices) for part, indices in parts.items()}
    found: dict[str, dict[str, Any]] = {}
    for part, indices in parts.items():
        told = [source.describe(i) for i in indices]
        found[part] = {
            "recordings": len(told),
            "groups": len({run.group_of(one) for one in told}),
            "known": {},
            "spread": {},
        }
    for target in targets:
        truth = {part: [target.truth(target.encode(v)[None]) for v in own] for part, own in values.items()}
        for name in target.outputs:
            numbers = {part: [one[name].ravel() for one in own] for part, own in truth.items()}
            said = {part: _known(own) for part, own in numbers.items()}
            edges = _edges(np.concatenate([np.empty(0), *said.values()])) if target.space == "real" else None
            for part, own in said.items():
                lost = sum(bool(np.isnan(one).all()) for one in numbers[part])
                found[part]["known"][name] = _words(target, name, own, lost)
                if target.space != "shape":
                    found[part]["spread"][name] = _spread(target, name, own, edges)
    return found


def _known(arrays: Sequence[np.ndarray]) -> Float[np.ndarray, "known"]:
    numbers = np.concatenate([np.empty(0), *arrays])
    return numbers[~np.isnan(numbers)]


def _words(target: Target, name: str, known: Float[np.ndarray, "known"], lost: int) -> str:
    """`60 positive, 180 negative, 3 unknown`: of recordings, or of frames where the target has a rate."""
    if not known.size:
        return "nothing known"
    of = " frames" if target.rate else ""
    if target.space == "shape":
        shapes = known.size // len(target.signal(1.0).channels)
        said = f"{shapes:,} outlines with radii of {known.min():.3g} to {known.max():.3g} mean sides"
        return f"{said}, {lost:,} unknown" if lost else said
    if target.space == "binary":
        yes = int((known > 0.5).sum())
        said = f"{yes:,} positive, {known.size - yes:,} negative{of}"
    elif target.space == "class":
        names, counts = target.signal(1.0).channels, np.bincount(known.astype(int))
        each = [(names[i], int(n)) for i, n in enumerate(counts) if n]
        listed = ", ".join(f"{name} {n:,}" for name, n in each)
        few, most = min(n for _, n in each), max(n for _, n in each)
        some = f"{few:,} to {most:,}" if few < most else f"{few:,}"
        said = listed if len(each) <= _NAMED else f"{len(each)} classes, {some} of each"
        said += of
    else:
        unit = f" {target.unit[name]}" if target.unit[name] else ""
        said = f"{known.min():.4g} to {known.max():.4g}{unit}, mean {known.mean():.4g}{unit}"
    return f"{said}, {lost:,} unknown" if lost else said


def _edges(known: Float[np.ndarray, "known"]) -> Float[np.ndarray, "edges"]:
    return np.histogram_bin_edges(known, int(np.clip(np.sqrt(known.size / 3), 5, _BINS)))


def _spread(target: Target, name: str, known: Float[np.ndarray, "known"], edges: np.ndarray | None) -> dict[str, Any]:
    told = {"space": target.space, "unit": target.unit[name]}
    if edges is not None:
        return told | {"edges": edges.tolist(), "counts": np.histogram(known, edges)[0].tolist()}
    names = ("absent", "present") if target.space == "binary" else target.signal(1.0).channels
    counts = np.bincount(known.astype(int), minlength=len(names))
    return told | {"names": list(names), "counts": counts.tolist()}
