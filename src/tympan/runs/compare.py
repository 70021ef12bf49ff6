"""Runs -> paired differences from a yardstick, on the recordings that both have answered; no data are read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..component import trusted
from ..data import copies, yaml_file
from ..objectives.accumulate import OVERALL
from ..objectives.paired import differences
from ..output import Output, Part
from ..reports.comparison import Comparison, Line, Pair
from ..reports.table import HEADLINE, headline_part
from . import answered
from .answered import Answers, group_of

_FACTS = {
    "seconds": "seconds in all",
    "times": "seconds",
    "steps": "optimizer steps",
    "parameters": "parameters",
    "device": "device",
    "precision": "precision",
    "clips_per_second": "clips per second",
    "begun_with": "began with the weights of",
    "versions": "version",
}
"""What summary.json tells that a reader of a comparison asks next, and how the page calls it."""


def compare(folders: Sequence[str | Path], trust: Sequence[str] = (), resamples: int = 2000) -> Comparison:
    """Compare runs with the first of them; `reports.comparison_page.write` makes a page of it.

    Every figure is computed anew from predictions.parquet, on the recordings that both runs have answered.

    Args:
        folders: runs that were evaluated, by path or URI; the first is the yardstick.
        trust: dotted paths of metrics and targets outside tympan that may be imported.
        resamples: draws of groups.

    Raises:
        FileNotFoundError: a folder holds no run that was evaluated.
        ValueError: two runs have nothing in common, or do not agree on truths, times or units; they are named.
    """
    if len(folders) < 2:
        raise ValueError("compare takes two runs or more; the first is the yardstick")
    runs = [_Run(copies.here(folder)) for folder in folders]
    first, names = runs[0], _names([run.folder for run in runs])
    token = trusted.set(frozenset(trust))
    try:
        others = list(zip(runs, names, strict=True))[1:]
        pairs = [_pair(first, other, (names[0], name), resamples) for other, name in others]
    finally:
        trusted.reset(token)
    return Comparison(
        names[0],
        pairs,
        _beside([_flat(run.facts) for run in runs]),
        _differing([_flat(run.raw) for run in runs]),
    )


class _Run:
    """What a run's folder tells without its data."""

    def __init__(self, folder: Path) -> None:
        for name in ("metrics.json", "predictions.parquet", "run.yaml"):
            if not (folder / name).is_file():
                raise FileNotFoundError(f"{folder}: holds no run that was evaluated ({name} is missing)")
        self.folder = folder
        self.metrics, self.summary = _json(folder / "metrics.json"), _json(folder / "summary.json")
        self.members = [folder / name for name in self.summary.get("members", [])] or [folder]
        self.raw = _yaml(folder / "run.yaml")
        self.splits = [_json(member / "split.json") for member in self.members]

    @property
    def alarms(self) -> list[str]:
        """Why its own figures are not fair."""
        return self.summary.get("alarms", [])

    @property
    def facts(self) -> dict[str, Any]:
        """What the summary tells of the machine and of time."""
        return {name: self.summary[key] for key, name in _FACTS.items() if self.summary.get(key) is not None}

    @cached_property
    def outputs(self) -> dict[str, Output]:
        """Targets with their metrics, as fitted; the sole one of a run is called `target`."""
        raw = _yaml(self.members[0] / "run.yaml")
        told = raw.get("targets") or {"target": raw}
        try:
            return {
                name: Output.model_validate({k: one[k] for k in ("target", "metrics") if one.get(k) is not None})
                for name, one in told.items()
            }
        except ValidationError as error:
            why = "; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())
            raise ValueError(f"{self.folder / 'run.yaml'}: {why} (on the command line: --trust NAME)") from error

    def trained_on(self, kin: Mapping[str, set[str]], part: Part) -> int:
        """How many recordings were answered by a model that was trained on any of those given for each."""
        found: set[str] = set()
        for split in self.splits:
            train, answered = (set(split.get(name, {}).get("ids", ())) for name in ("train", part))
            found |= {id for id in answered & set(kin) if not train.isdisjoint(kin[id])}
        return len(found)


def _pair(a: _Run, b: _Run, names: tuple[str, str], resamples: int) -> Pair:
    part = next((p for p in HEADLINE if p in a.metrics and p in b.metrics), None)
    if part is None:
        parts = (", ".join(run.metrics) or "nothing" for run in (a, b))
        raise ValueError(f"{names[0]} was scored on {next(parts)} and {names[1]} on {next(parts)}: no part in common")
    said = answered.read(a.folder, part), answered.read(b.folder, part)
    common, notes = answered.common(*said, names)
    alarms = _alarms(a, b, names, part, said, set(common[0][0]))
    lines = [replace(line, fair=not alarms) for line in _lines(a, b, names, part, common, notes, resamples)]
    if not lines:
        raise ValueError(f"{names[0]} and {names[1]} have no metric of an output in common")
    for run, name in ((a, names[0]), (b, names[1])):
        if headline_part(run.metrics) != part:
            notes.append(f"{name} has a {headline_part(run.metrics)} part too, which the other has not.")
    if part == "validation":
        notes.append("The validation part chose the checkpoints, so its figures flatter the models.")
    if {s.get("sha256") for s in a.splits} != {s.get("sha256") for s in b.splits}:
        notes.append(
            f"The splits of {names[0]} and {names[1]} differ: they may not have been trained on the same recordings."
        )
    return Pair(names[1], part, lines, alarms, notes)


def _lines(
    a: _Run,
    b: _Run,
    names: tuple[str, str],
    part: str,
    common: tuple[list[Answers], list[Answers]],
    notes: list[str],
    resamples: int,
) -> Iterator[Line]:
    """The differences of every metric that both have, output by output as the yardstick has them."""
    tables = a.metrics[part]["model"], b.metrics[part]["model"]
    own = _split_part(part)
    theirs = {(o, m.type): m for one in b.outputs.values() for m in one.figures(own) for o in one.target.outputs}
    found: dict[str, list[Line]] = {}
    for name, output in a.outputs.items():
        for metric in output.figures(own):
            shared = [o for o in output.target.outputs if all(metric.type in table.get(o, {}) for table in tables)]
            same = [o for o in shared if theirs.get((o, metric.type)) == metric]
            if len(same) < len(shared):
                notes.append(f"{metric.type} has other options in {names[1]} and is left out.")
            same = [o for o in same if any(o in answer for answer in common[0][0].values())]
            if not same:
                continue
            units = {o: tables[0][o][metric.type].get("unit", "") for o in same}
            one, two = ([answered.collect(metric, same, own, output.target.rate) for own in side] for side in common)
            overall = next((o for o in (OVERALL, f"{OVERALL} ({name})") if all(o in table for table in tables)), None)
            for o, difference in differences(one, two, resamples).items():
                if o in units:
                    line = Line(o, metric.type, units[o], metric.higher_is_better, difference)
                elif overall and len(set(units.values())) == 1:  # a mean over different units says nothing
                    line = Line(overall, metric.type, units[same[0]], metric.higher_is_better, difference)
                else:
                    continue
                found.setdefault(line.output, []).append(line)
    yield from (line for lines in found.values() for line in lines)


def _alarms(
    a: _Run, b: _Run, names: tuple[str, str], part: str, said: tuple[list[Answers], list[Answers]], common: set[str]
) -> list[str]:
    """Recordings compared on which, or on the group of which, one of the models was trained."""
    if not all(split.get("train") for run in (a, b) for split in run.splits):
        return ["A run has no split.json, so it cannot be seen whether it was trained on what it is compared on."]
    # Runs may have split by different groups, and then what one kept together the other may have divided.
    kin: dict[str, set[str]] = {id: {id} for id in common}
    for answers in (said[0][0], said[1][0]):
        groups: dict[str, set[str]] = {}
        for id, outputs in answers.items():
            groups.setdefault(group_of(outputs), set()).add(id)
        for id in common:
            kin[id] |= groups[group_of(answers[id])]
    alarms = [f"{name}: {alarm}" for run, name in zip((a, b), names, strict=True) for alarm in run.alarms]
    for run, name in ((a, names[0]), (b, names[1])):
        itself = run.trained_on({id: {id} for id in common}, _split_part(part))
        related = run.trained_on(kin, _split_part(part))
        if related:
            what = f"{itself:,} of the {len(common):,} recordings compared are in its training part"
            what += f", and {related - itself:,} more are in one group with one that is" if related > itself else ""
            alarms.append(f"{name} was trained on what it is compared on: {what}. Train both on one split.")
    return alarms


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' own names, or as much of their paths as tells different ones apart."""
    whole = [folder.resolve() for folder in folders]
    depth, names = 1, [path.name for path in whole]
    while len(set(names)) < len(set(whole)):
        depth += 1
        names = ["/".join(path.parts[-depth:]) for path in whole]
    return names


def _split_part(part: str) -> Part:
    """The part of a split that a part of metrics.json is about."""
    return "train" if part == "train" else "validation" if part == "validation" else "test"


def _flat(value: Any, name: str = "") -> dict[str, str]:
    """A nested mapping by dotted names; what is empty or holds no mapping is one value."""
    if isinstance(value, dict) and value:
        inside = value.items()
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        inside = enumerate(value)
    else:
        return {name: json.dumps(value, ensure_ascii=False, default=str) if not isinstance(value, str) else value}
    return {k: v for key, one in inside for k, v in _flat(one, f"{name}.{key}" if name else str(key)).items()}


def _beside(sides: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """The values of every name in any of several mappings, section by section."""
    names = list(dict.fromkeys(name for side in sides for name in side))
    sections = list(dict.fromkeys(name.partition(".")[0] for name in names))
    names.sort(key=lambda name: sections.index(name.partition(".")[0]))
    return {name: [side.get(name, "—") for side in sides] for name in names}


def _differing(sides: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    return {name: values for name, values in _beside(sides).items() if len(set(values)) > 1}


def _yaml(path: Path) -> dict[str, Any]:
    try:
        return yaml_file.read(path.read_text(encoding="utf-8"), str(path))[0]
    except ValueError as error:
        raise ValueError(f"{error}; it is written by training, take it from there again") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: is no JSON: {error}; evaluate the run again") from error
