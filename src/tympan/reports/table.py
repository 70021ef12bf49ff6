"""Figures beside their baselines: how numbers are written, who beats whom, and tables for the terminal."""

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..objectives import Metric

Figures = Mapping[str, Mapping[str, Any]]
"""`{metric: {value, low, high, n, groups, note, unit}}`: the figures of one output."""
Scores = Mapping[str, Mapping[str, Figures]]
"""`{who: {output: figures}}`: one part of metrics.json."""

HEADLINE = ("test", "out_of_fold", "validation", "train")
"""Parts in the order in which they deserve the headline: what training never saw comes first."""
MIXED = "mixed units"
_KINDS = ("model", "baseline", "reference")


def numerals(value: float, *ends: float) -> list[str]:
    """A number and the ends of its interval with equally many decimals.

    They are as many as give the number four significant digits, or the width of the interval where that is larger.
    """
    size = max(abs(value), max(ends) - min(ends) if ends else 0.0)
    values = (value, *ends)
    exponent = int(f"{size:.3e}".split("e")[1]) if math.isfinite(size) else 0
    if size and not -4 <= exponent < 6:
        return [f"{v:.3e}" for v in values]
    decimals = max(3 - exponent, 0) if size else 0
    return [f"{round(v, decimals) + 0.0:.{decimals}f}" for v in values]  # adding 0 turns -0 into 0


def cell(figure: Mapping[str, Any]) -> str:
    """`0.01230 [0.01010, 0.01500]`, without the interval where there is none, or `n/a (reason)`."""
    value, low, high = (figure.get(key) for key in ("value", "low", "high"))
    if value is None:
        return f"n/a ({figure.get('note') or 'undefined'})"
    if low is None or high is None:
        return numerals(value)[0]
    value, low, high = numerals(value, low, high)
    return f"{value} [{low}, {high}]"


def measured(figure: Mapping[str, Any], unit: str) -> str:
    """A figure in words: `0.01230 m (95 % interval 0.01010 to 0.01500 m)`."""
    value, low, high = (figure.get(key) for key in ("value", "low", "high"))
    unit = f" {unit}" if unit else ""
    if value is None:
        return cell(figure)
    if low is None or high is None:
        return f"{numerals(value)[0]}{unit}"
    value, low, high = numerals(value, low, high)
    return f"{value}{unit} (95 % interval {low} to {high}{unit})"


@cache
def meaning(metric: str) -> str:
    """What a metric is, in words that go on within a sentence; its own name where that is all that is known."""
    text = Metric.summaries().get(metric, metric).rstrip(".").split(" (")[0]
    return text if "'s " in text or text[1:2].isupper() else text[:1].lower() + text[1:]


@cache
def higher_is_better(metric: str) -> bool | None:
    """Whether more is better; `None` for a metric outside tympan that nobody has imported, which is not done here."""
    if metric not in Metric.names() and metric not in sys.modules:
        return None
    return Metric.find(metric).higher_is_better


def headline_part(metrics: Mapping[str, Any]) -> str:
    """The part whose figures come first."""
    return next((part for part in HEADLINE if part in metrics), next(iter(metrics), ""))


def unit(scores: Scores, output: str, metric: str) -> str:
    """The unit of a figure; `overall` has that of its outputs, or says that they differ."""
    table = scores["model"]
    if output != "overall":
        return table[output][metric].get("unit", "")
    units = {figures[metric].get("unit", "") for name, figures in table.items() if name != output and metric in figures}
    return units.pop() if len(units) == 1 else MIXED * bool(units)


def shown(scores: Scores) -> dict[str, list[str]]:
    """The outputs and their metrics that people are shown: all but means over different units, which say nothing."""
    all_ = {o: [m for m in figures if unit(scores, o, m) != MIXED] for o, figures in scores["model"].items()}
    return {output: found for output, found in all_.items() if found}


def main_metric(metrics: Iterable[str]) -> str:
    """The figure that stands for an output: the first, or the one after `mse`, whose squared unit nobody reads."""
    return min(metrics, key=lambda metric: metric == "mse")


def in_order(whos: Iterable[str]) -> list[str]:
    """The model, then baselines, then references."""
    return sorted(whos, key=lambda who: _KINDS.index(who.split("/")[0]))


def lines(metrics: Mapping[str, Scores]) -> list[dict[str, Any]]:
    """One flat row for every figure: split, who, output, metric, value, low, high, n, groups, unit, note."""
    return [
        {
            **{"split": split, "who": who, "output": output, "metric": metric},
            **{key: figure.get(key) for key in ("value", "low", "high", "n", "groups")},
            "unit": unit(scores, output, metric),
            "note": figure.get("note", ""),
        }
        for split, scores in metrics.items()
        for who in in_order(scores)
        for output, figures in scores[who].items()
        for metric, figure in figures.items()
    ]


@dataclass(frozen=True)
class Verdict:
    """How the model's main figure of one output compares with the baselines; references have no part in it."""

    metric: str
    beats: bool | None
    """`None` where it cannot be told."""
    sentence: str


def verdict(scores: Scores, output: str) -> Verdict:
    """Compare with every baseline that has the figure.

    The intervals are not paired, so the model only *beats* a baseline where its figure is better and neither interval
    holds the other's figure; where it is better and that does not hold, nobody can tell.
    """
    metric = main_metric(shown(scores)[output])
    mine, more = scores["model"][output][metric], higher_is_better(metric)
    rivals = {
        who.partition("/")[2]: table[output][metric]
        for who, table in scores.items()
        if who.startswith("baseline/") and metric in table.get(output, {})
    }
    known = {who: rival for who, rival in rivals.items() if rival["value"] is not None}
    if mine["value"] is None:
        return Verdict(metric, None, "There is no figure to compare with the baselines.")
    if not known:
        return Verdict(metric, None, "No baseline has this figure, so there is nothing to beat.")
    if more is None:
        return Verdict(metric, None, f"Whether more of {metric} is better is not known, so nothing is compared.")
    best = (max if more else min)(known, key=lambda who: known[who]["value"])
    rival = known[best]
    of_unit = unit(scores, output, metric)
    said = f"{best}, {cell(rival)}{' ' * bool(of_unit)}{of_unit}"
    every = (
        "every baseline" if len(known) == len(rivals) else f"each of the {len(known)} baselines that have the figure"
    )
    every = "the only baseline" if len(rivals) == 1 else every
    if (rival["value"] >= mine["value"]) if more else (rival["value"] <= mine["value"]):
        return Verdict(metric, False, f"It does not beat every baseline: {said} is as good or better.")
    if mine["low"] is None:
        return Verdict(metric, None, f"It is better than {every}, nearest {said}, but has no interval to be sure by.")
    unsure = [who for who, r in known.items() if _holds(mine, r["value"]) or _holds(r, mine["value"])]
    if unsure:
        whose = said if unsure == [best] else f"{', '.join(unsure)}; the nearest is {said}"
        return Verdict(metric, None, f"It is better than {every}, but not surely: intervals meet with {whose}.")
    return Verdict(metric, True, f"It beats {every}; the nearest is {said}.")


def beats_every_baseline(metrics: Mapping[str, Scores], split: str) -> dict[str, bool | None]:
    """For each output whether the model's main figure beats every baseline; `None` where that cannot be told."""
    return {output: verdict(metrics[split], output).beats for output in shown(metrics[split])}


def render(metrics: Mapping[str, Scores], console: Console) -> None:
    """Print a table for each part and output: the model first, then baselines, then references under a rule."""
    for split, scores in metrics.items():
        for output, names in shown(scores).items():
            figures = {name: scores["model"][output][name] for name in names}
            main = figures[main_metric(names)]
            title = f"{split} · {output} · {main['n']} recordings in {main['groups']} groups"
            for index, table in enumerate(_tables(scores, output, console.width)):
                table.title = Text(title if index == 0 else f"{split} · {output}, continued", style="bold")
                console.print(table)
            for note in dict.fromkeys(f["note"] for f in figures.values() if f["value"] is not None and f.get("note")):
                console.print(Text(note, style="dim"))
            if split == headline_part(metrics):
                console.print(Text(verdict(scores, output).sentence))
            console.print()


def _holds(figure: Mapping[str, Any], value: float) -> bool:
    return figure["low"] is not None and figure["low"] <= value <= figure["high"]


def _tables(scores: Scores, output: str, width: int) -> list[Table]:
    """Tables of one output, side by side as many metrics as fit."""
    whos = [who for who in in_order(scores) if output in scores[who]]
    free = width - max(map(len, whos)) - 2
    columns: dict[str, list[str]] = {}
    for metric in shown(scores)[output]:
        named = unit(scores, output, metric)
        found = [scores[who][output].get(metric) for who in whos]
        columns[f"{metric} ({named})" if named else metric] = [cell(f) if f else "" for f in found]
    # A reason may be long, and wraps; an interval moves below its figure where the columns do not fit otherwise.
    wide = {head: max(len(head), min(max(map(len, cells)), 28)) + 2 for head, cells in columns.items()}
    if sum(wide.values()) > free:
        columns = {head: [c.replace(" [", "\n[") for c in cells] for head, cells in columns.items()}
        longest = {head: max(len(part) for c in cells for part in c.split("\n")) for head, cells in columns.items()}
        wide = {head: max(len(head), min(longest[head], 22)) + 2 for head in columns}
    pages: list[list[str]] = [[]]
    for head in columns:
        if pages[-1] and sum(wide[h] for h in pages[-1]) + wide[head] > free:
            pages.append([])
        pages[-1].append(head)
    return [_table(whos, {head: columns[head] for head in page}, wide) for page in pages]


def _table(whos: list[str], columns: Mapping[str, list[str]], wide: Mapping[str, int]) -> Table:
    table = Table(box=box.HORIZONTALS, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, title_justify="left")
    table.add_column("who", no_wrap=True)
    for head in columns:
        table.add_column(Text(head), max_width=wide[head] - 2, overflow="fold")
    for i, who in enumerate(whos):
        if who.startswith("reference/") and not whos[i - 1].startswith("reference/"):
            table.add_section()
        table.add_row(
            *(Text(text) for text in (who, *(cells[i] for cells in columns.values()))), style="bold" * (who == "model")
        )
    return table
