"""Figures beside their baselines: how numbers are written, and who beats whom."""

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..objectives import Metric

Figures = Mapping[str, Mapping[str, Any]]
"""`{metric: {value, low, high, n, groups, note, unit}}`: the figures of one output; of a baseline also the `difference`
of the model from it, and its `skill` and `p` where these are known."""
Scores = Mapping[str, Mapping[str, Figures]]
"""`{who: {output: figures}}`: one part of metrics.json."""

HEADLINE = ("test", "out_of_fold", "validation", "train")
"""Parts in the order in which they deserve the headline: what training never saw comes first."""
MIXED = "mixed units"
_KINDS = ("model", "baseline", "control", "reference")


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


def beside(figure: Mapping[str, Any], metric: str) -> str:
    """A cell with what is known of the model beside it: `*` surely better, `!` surely worse, and a probability."""
    sure = surely_better(figure, metric)
    mark = "" if sure is None or figure["value"] is None else " *" if sure else " !"
    chance = figure.get("p")
    return f"{cell(figure)}{mark}" + (f" p={chance:.2g}" if chance is not None else "")


def surely_better(baseline: Mapping[str, Any], metric: str) -> bool | None:
    """Whether the 95 % interval of the model's paired difference from a baseline lies on the better side of 0, or on
    the worse; `None` where it holds 0, or is not known."""
    low, high = ((baseline.get("difference") or {}).get(key) for key in ("low", "high"))
    more = higher_is_better(metric)
    if low is None or high is None or more is None or low <= 0 <= high:
        return None
    return (low > 0) == more


def marks(scores: Scores, output: str) -> list[str]:
    """What the marks beside the figures of an output mean, and the skill of the model in its main figure."""
    names = shown(scores)[output]
    rivals = {w: table[output] for w, table in scores.items() if w.startswith("baseline/") and output in table}
    there = [(m, own[m]) for own in rivals.values() for m in names if m in own]
    said = []
    if any(surely_better(figure, metric) is not None for metric, figure in there):
        holds = "the 95 % interval of their paired difference does not hold 0"
        said.append(f"* The model is surely better than this one, ! surely worse: {holds}.")
    if any(figure.get("p") is not None for _, figure in there):
        said.append("p: how likely a model that does not hear is to do as well, from random assignments of songs.")
    main = main_metric(names)
    skills = {w: s for w, own in rivals.items() if (s := own.get(main, {}).get("skill")) and s["value"] is not None}
    if skills:
        ceiling = next(iter(skills.values()))["ceiling"]
        each = ", ".join(f"{cell(s)} over {who.partition('/')[2]}" for who, s in skills.items())
        said.append(f"Skill in {main}, 0 at a baseline and 1 at the ceiling {ceiling}: {each}.")
    return said


def small(unit: str, error: float) -> tuple[float, str]:
    """By what an error is to be multiplied, and in what unit it is then read: below half a metre in centimetres."""
    return (100.0, "cm") if unit == "m" and error < 0.5 else (1.0, unit)


def measured(figure: Mapping[str, Any], unit: str) -> str:
    """A figure in words: `1.230 cm (95 % interval 1.010 to 1.500 cm)`; half a metre and more in metres."""
    value, low, high = (figure.get(key) for key in ("value", "low", "high"))
    if value is None:
        return cell(figure)
    factor, unit = small(unit, abs(value))
    unit = f" {unit}" if unit else ""
    if low is None or high is None:
        return f"{numerals(factor * value)[0]}{unit}"
    value, low, high = numerals(factor * value, factor * low, factor * high)
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


def groups_of(figure: Mapping[str, Any]) -> str:
    """`18 groups`, or where several kinds are drawn `18 groups (listener 18, song 12)`."""
    crossed = figure.get("clusters") or {}
    told = f" ({', '.join(f'{kind} {n:,}' for kind, n in crossed.items())})" if len(crossed) > 1 else ""
    return f"{figure['groups']:,} group{'s' * (figure['groups'] != 1)}{told}"


def main_metric(metrics: Iterable[str]) -> str:
    """The figure that stands for an output: the first, or the one after `mse`, whose squared unit nobody reads."""
    return min(metrics, key=lambda metric: metric == "mse")


def in_order(whos: Iterable[str]) -> list[str]:
    """The model, then baselines, controls and references."""
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

    The model only *beats* a baseline where its figure is better and the interval of their paired difference holds no 0;
    of runs evaluated before differences were kept, where neither interval holds the other's figure. Where it is better
    and that does not hold, nobody can tell.
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
    unsure = [who for who, r in known.items() if not _sure(mine, r, metric)]
    if unsure:
        whose = said if unsure == [best] else f"{', '.join(unsure)}; the nearest is {said}"
        return Verdict(metric, None, f"It is better than {every}, but not surely: it may be no better than {whose}.")
    return Verdict(metric, True, f"It beats {every}; the nearest is {said}.")


def beats_every_baseline(metrics: Mapping[str, Scores], split: str) -> dict[str, bool | None]:
    """For each output whether the model's main figure beats every baseline; `None` where that cannot be told."""
    return {output: verdict(metrics[split], output).beats for output in shown(metrics[split])}


def _sure(mine: Mapping[str, Any], rival: Mapping[str, Any], metric: str) -> bool:
    """Whether a better figure is surely so."""
    if "difference" in rival:
        return surely_better(rival, metric) is True
    return not (_holds(mine, rival["value"]) or _holds(rival, mine["value"]))


def _holds(figure: Mapping[str, Any], value: float) -> bool:
    return figure["low"] is not None and figure["low"] <= value <= figure["high"]
