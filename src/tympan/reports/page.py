"""A run's folder -> one self-contained page, and a CSV file beside every plot on it."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from .plots import Plot, curves, draw
from .table import (
    Scores,
    cell,
    headline_part,
    higher_is_better,
    in_order,
    main_metric,
    meaning,
    measured,
    shown,
    unit,
    verdict,
)

_PARTS = {"test": "test", "out_of_fold": "out-of-fold", "validation": "validation", "train": "training"}
_COLUMNS = ("output", "truth", "prediction", "truth_label", "label", "space", "unit")
_UNSURE = {True: "beats every baseline", None: "not surely better than every baseline", False: "beaten by a baseline"}


def write(folder: str | Path) -> Path:
    """Write `report/index.html` into a finished run's folder, and the numbers of every plot as CSV beside it.

    The page loads nothing: plots are inside, and so is its style. Names of recordings and of groups are not shown.

    Raises:
        FileNotFoundError: the folder has no metrics.json.
        ValueError: a file of the run cannot be read.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = Path(folder)
    if not (folder / "metrics.json").is_file():
        raise FileNotFoundError(f"{folder}: holds no metrics.json; a report is made of a run that was evaluated")
    metrics, summary = _json(folder / "metrics.json"), _json(folder / "summary.json")
    members = [folder / name for name in summary.get("members", [])] or [folder]
    part = headline_part(metrics)
    plots = {
        "predictions": _predictions(folder / "predictions.parquet", part),
        "curves": curves.draw({member.name: log for member in members if (log := _log(member / "log.jsonl"))}),
    }
    headlines = _headlines(metrics[part], _PARTS.get(part, part)) if part else []
    report = folder / "report"
    report.mkdir(exist_ok=True)
    for old in report.glob("*.csv"):
        old.unlink()
    for kind, drawn in plots.items():
        plots[kind] = [_save(report, plot) for plot in drawn]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((Path(__file__).parent / "template.html").read_text(encoding="utf-8"))
    page = template.render(
        name=summary.get("name", folder.name),
        folder=folder.resolve().name,
        part=_PARTS.get(part, part),
        headlines=headlines,
        scores=[
            _scores(split, metrics[split], split == part, [line["output"] for line in headlines])
            for split in sorted(metrics, key=lambda s: s != part)
        ],
        plots={kind: [(plot, Markup(plot.svg)) for plot in drawn] for kind, drawn in plots.items()},
        splits=_splits(members),
        notes=summary.get("notes", []),
        artifact=summary.get("artifact") or _json(members[0] / "summary.json").get("artifact", ""),
        facts=_facts(summary, folder),
        versions=summary.get("versions", {}),
        configuration=_text(folder / "run.yaml"),
    )
    (report / "index.html").write_text(page, encoding="utf-8")
    return report / "index.html"


def _headlines(scores: Scores, part: str) -> list[dict[str, Any]]:
    """One sentence for the mean over outputs where they have a figure in common, else one for every output."""
    names = shown(scores)
    outputs = [output for output in names if output != "overall"]
    alike = {(m := main_metric(names[o]), unit(scores, o, m)) for o in outputs}
    chosen = ["overall"] if "overall" in names and len(alike) == 1 else outputs
    found = []
    for output in chosen:
        ruling = verdict(scores, output)
        figure = scores["model"][output][ruling.metric]
        found.append(
            {
                "output": output,
                "what": f"the mean over {len(outputs)} outputs" if output == "overall" else output,
                "where": f"{_count(figure['n'], part + ' recording')} in {_count(figure['groups'], 'group')}",
                "metric": meaning(ruling.metric),
                "figure": measured(figure, unit(scores, output, ruling.metric)),
                "known": figure["value"] is not None,
                "verdict": ruling.sentence,
                "badge": _UNSURE[ruling.beats],
                "beats": {True: "yes", None: "unsure", False: "no"}[ruling.beats],
            }
        )
    return found


def _scores(split: str, scores: Scores, first: bool, headlined: Iterable[str]) -> dict[str, Any]:
    """The tables of one part as the template wants them; what the headline compares is not said again."""
    tables = []
    for output, names in shown(scores).items():
        figures = {metric: scores["model"][output][metric] for metric in names}
        heads = [
            {
                "name": metric,
                "unit": unit(scores, output, metric),
                "meaning": meaning(metric),
                "better": {True: "higher is better", False: "lower is better", None: ""}[higher_is_better(metric)],
            }
            for metric in figures
        ]
        rows = []
        for who in in_order(scores):
            if output in scores[who]:
                kind, _, name = who.partition("/")
                cells = [cell(f).partition(" ") if (f := scores[who][output].get(m)) else ("", "", "") for m in figures]
                rows.append({"kind": kind, "name": name or "model", "cells": [(v, rest) for v, _, rest in cells]})
        main = figures[main_metric(names)]
        tables.append(
            {
                "output": output,
                "count": f"{_count(main['n'], 'recording')} in {_count(main['groups'], 'group')}",
                "heads": heads,
                "rows": rows,
                "verdict": verdict(scores, output).sentence if first and output not in headlined else "",
                "notes": list(
                    dict.fromkeys(f["note"] for f in figures.values() if f["value"] is not None and f.get("note"))
                ),
            }
        )
    return {"part": _PARTS.get(split, split), "first": first, "tables": tables}


def _predictions(path: Path, part: str) -> list[Plot]:
    """The plots of every output predicted in one part."""
    if not path.is_file():
        return []
    there = set(pq.read_schema(path).names)
    rows = pq.read_table(path, columns=[c for c in _COLUMNS if c in there], filters=[("split", "=", part)])
    output = np.asarray(rows["output"].to_pylist(), object)
    numbers = {name: rows[name].to_numpy().astype(float) for name in ("truth", "prediction")}
    plots = []
    for name in dict.fromkeys(output):
        own = output == name
        space, of_unit = (rows[column][int(own.argmax())].as_py() for column in ("space", "unit"))
        columns = {key: values[own] for key, values in numbers.items()}
        if space == "class":
            labels = {c: rows[c].to_pylist() for c in ("truth_label", "label") if c in there}
            columns |= {c: np.array([*values, None], object)[:-1][own] for c, values in labels.items()}
        plots += draw(space, name, of_unit or "", columns)
    return plots


def _log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log in order of steps; a resumed run writes some steps again, and the newer line counts."""
    steps: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        try:
            told = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: is no JSON ({error.msg}); take the line out") from error
        steps.setdefault(told["step"], {}).update(told)
    return [steps[step] for step in sorted(steps)]


def _splits(members: Iterable[Path]) -> list[dict[str, Any]]:
    """How many recordings and groups each part of each member's split has; nothing that names them."""
    found = []
    for member in members:
        told = _json(member / "split.json")
        parts = {_PARTS[name]: told[name] for name in ("train", "validation", "test") if name in told}
        if parts:
            counts = {
                part: (_size(own, "recordings", "ids"), _size(own, "groups", "group_names"))
                for part, own in parts.items()
            }
            seed, sha = told.get("seed", ""), str(told.get("sha256", ""))[:12]
            found.append({"name": member.name, "parts": counts, "seed": seed, "sha256": sha})
    return found


def _size(part: Mapping[str, Any], count: str, names: str) -> int:
    value = part.get(count, part.get(names, []))
    return value if isinstance(value, int) else len(value)


def _facts(summary: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """What a run's summary tells of time and machine, in words."""
    words = {
        "status": str,
        "seconds": _time,
        "steps": lambda n: f"{n:,} optimizer steps",
        "parameters": lambda n: f"{n:,}",
        "device": str,
        "precision": str,
        "clips_per_second": lambda x: f"{x:.4g} clips per second",
        "wait_share": lambda x: f"{x:.1%} of the training time",
    }
    names = {"seconds": "took", "clips_per_second": "speed", "wait_share": "waiting for data", "steps": "trained for"}
    facts = {names.get(key, key): say(summary[key]) for key, say in words.items() if summary.get(key) is not None}
    return {"folder": folder.resolve().name, **facts}


def _time(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {left:02d} s" if minutes else f"{seconds:.1f} s"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _save(report: Path, plot: Plot) -> Plot:
    """Write a plot's numbers under a name that no other plot has."""
    name, number = plot.name, 2
    while (report / f"{name}.csv").exists():
        name, number = f"{plot.name}-{number}", number + 1
    with (report / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(plot.table)
        writer.writerows(zip(*plot.table.values(), strict=True))
    return replace(plot, name=name)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(_text(path) or "{}")
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: is no JSON: {error}; evaluate the run again") from error
