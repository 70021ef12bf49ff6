"""What a run's folder tells besides its figures: data, split, time, machine; in words."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PARTS = {"test": "test", "out_of_fold": "out-of-fold", "validation": "validation", "train": "training"}
"""The parts of metrics.json in words."""


def text(path: Path) -> str:
    """What a file holds; nothing if it is not there."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def json_of(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing if it is not there.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return json.loads(text(path) or "{}")
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: is no JSON: {error}; evaluate the run again") from error


def counted(n: int, what: str) -> str:
    """`1 group`, `2,000 groups`."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def duration(seconds: float | int) -> str:
    """`1 h 2 min`, `2 min 5 s`, `12.3 s`."""
    if round(seconds) < 60:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"


def log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log in order of steps; a resumed run writes some steps again, and the newer line counts.

    Raises:
        ValueError: a line is no JSON.
    """
    steps: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(text(path).splitlines(), 1):
        try:
            told = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: is no JSON ({error.msg}); take the line out") from error
        steps.setdefault(told["step"], {}).update(told)
    return [steps[step] for step in sorted(steps)]


def exported(member: Path) -> int | None:
    """The step of the checkpoint that a run exported; `None` where its artifact does not tell."""
    told = json_of(member / "model" / "config.json").get("provenance", {}).get("checkpoint", "")
    step = str(told).rpartition("-")[2]
    return int(step) if step.isdigit() else None


def parts(data: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the table of the data, one cell for each part: how much there is, and what is known of it."""
    rows = [
        {"name": "recordings", "cells": [f"{own['recordings']:,}" for own in data.values()]},
        {"name": "groups", "cells": [f"{own['groups']:,}" for own in data.values()]},
    ]
    seconds = [own.get("seconds") for own in data.values()]
    if any(s is not None for s in seconds):
        rows.append({"name": "sound", "cells": ["not known" if s is None else duration(float(s)) for s in seconds]})
    outputs = dict.fromkeys(output for own in data.values() for output in own.get("known", {}))
    return rows + [{"name": o, "cells": [own.get("known", {}).get(o, "") for own in data.values()]} for o in outputs]


def splits(members: Iterable[Path]) -> list[dict[str, Any]]:
    """How many recordings and groups each part of each member's split has; nothing that names them."""
    found = []
    for member in members:
        told = json_of(member / "split.json")
        own = {PARTS[name]: told[name] for name in ("train", "validation", "test") if name in told}
        if own:
            sizes = {
                part: (_size(one, "recordings", "ids"), _size(one, "groups", "group_names"))
                for part, one in own.items()
            }
            seed, sha = told.get("seed", ""), str(told.get("sha256", ""))[:12]
            found.append({"name": member.name, "parts": sizes, "seed": seed, "sha256": sha})
    return found


def _size(part: Mapping[str, Any], count: str, names: str) -> int:
    value = part.get(count, part.get(names, []))
    return value if isinstance(value, int) else len(value)


def facts(summary: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """What a run's summary tells of time and machine, in words."""
    words = {
        "status": str,
        "seconds": duration,
        "times": lambda told: ", ".join(f"{stage} {duration(seconds)}" for stage, seconds in told.items()),
        "steps": lambda n: f"{n:,} optimizer steps",
        "epoch": lambda n: f"epoch {n:.4g}",
        "begun_with": str,
        "parameters": lambda n: f"{n:,}",
        "device": str,
        "precision": str,
        "clips_per_second": lambda x: f"{x:.4g} clips per second",
        "wait_share": lambda x: f"{x:.1%} of the training time",
    }
    names = {
        "seconds": "took",
        "times": "of which",
        "steps": "trained for",
        "epoch": "weights from",
        "begun_with": "began with",
        "clips_per_second": "speed",
        "wait_share": "waiting for data",
    }
    told = {names.get(key, key): say(summary[key]) for key, say in words.items() if summary.get(key) not in (None, {})}
    return {"folder": folder.resolve().name, **told}
