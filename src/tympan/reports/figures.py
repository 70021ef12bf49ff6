"""The figures as a page shows them: one sentence for the headline, and a table for each output of each part."""

from collections.abc import Iterable
from typing import Any

from .facts import PARTS, counted
from .table import (
    Scores,
    beside,
    groups_of,
    higher_is_better,
    in_order,
    main_metric,
    marks,
    meaning,
    measured,
    shown,
    unit,
    verdict,
)

_UNSURE = {True: "beats every baseline", None: "not surely better than every baseline", False: "beaten by a baseline"}


def headlines(scores: Scores, part: str) -> list[dict[str, Any]]:
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
                "where": f"{counted(figure['n'], part + ' recording')} in {groups_of(figure)}",
                "metric": meaning(ruling.metric),
                "figure": measured(figure, unit(scores, output, ruling.metric)),
                "known": figure["value"] is not None,
                "verdict": ruling.sentence,
                "badge": _UNSURE[ruling.beats],
                "beats": {True: "yes", None: "unsure", False: "no"}[ruling.beats],
            }
        )
    return found


def tables(split: str, scores: Scores, first: bool, headlined: Iterable[str]) -> dict[str, Any]:
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
                cells = [
                    beside(f, m).partition(" ") if (f := scores[who][output].get(m)) else ("", "", "") for m in figures
                ]
                rows.append({"kind": kind, "name": name or "model", "cells": [(v, rest) for v, _, rest in cells]})
        main = figures[main_metric(names)]
        tables.append(
            {
                "output": output,
                "count": f"{counted(main['n'], 'recording')} in {groups_of(main)}",
                "heads": heads,
                "rows": rows,
                "verdict": verdict(scores, output).sentence if first and output not in headlined else "",
                "notes": marks(scores, output)
                + list(dict.fromkeys(f["note"] for f in figures.values() if f["value"] is not None and f.get("note"))),
            }
        )
    part, _, corpus = split.partition("/")
    return {"part": f"{f'{corpus}, ' * bool(corpus)}{PARTS.get(part, part)}", "first": first, "tables": tables}
