"""clinical.json -> tables for terminal, page and card: labels at a fixed threshold, by group, and in subgroups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .table import cell, headline_part

NO_DEVICE = "This is a research tool, not a medical device; it is not for diagnosis, nor for decisions about a person."
"""What stands on every page, card and terminal that tells of labels, and beside every answer about a person."""
_HEADS = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "positive_predictive_value": "PPV",
    "negative_predictive_value": "NPV",
    "brier": "Brier",
    "brier_calibrated": "Brier, calibrated",
    "calibration_error": "ECE",
    "calibration_error_calibrated": "ECE, calibrated",
}


@dataclass(frozen=True)
class Table:
    """Rows of text under heads."""

    title: str
    heads: list[str]
    rows: list[list[str]]


def tables(judged: Mapping[str, Any], group: str = "group") -> list[Table]:
    """The tables of the part that comes first; none where no label was judged.

    Args:
        judged: what clinical.json holds.
        group: what a group is called: speaker.
    """
    if not judged:
        return []
    part = headline_part(judged["parts"])
    told = judged["parts"][part]
    made = [_decided(judged["decisions"])]
    made.append(_table(f"{part}: recordings, {_fixed(judged['decisions'], part)}", "label", told["recordings"], group))
    by_group = f"{part}: {group}s, by their mean logit, at the same threshold"
    made.append(_table(by_group, "label", told["groups"], group, recordings=False))
    for column, values in told["subgroups"].items():
        rows = {f"{value}: {label}": own for value, labels in values.items() for label, own in labels.items()}
        made.append(_table(f"{part}: subgroups of {column}", column, rows, group))
    return made


def _fixed(decisions: Mapping[str, Any], part: str) -> str:
    """By what the recordings of a part are judged, and whether they had a say in it."""
    sources = [own["source"] for folds in decisions.values() for own in folds.values()]
    if part == "validation" and any("threshold on validation" in source for source in sources):
        return "which chose the threshold itself and so flatters"
    if part == "validation" and any("on validation" in source for source in sources):
        return "at the fixed threshold; calibration was learned on them, and flatters"
    return "at the fixed threshold"


def _decided(decisions: Mapping[str, Any]) -> Table:
    rows = []
    for label, folds in decisions.items():
        fixed = ([own[key] for own in folds.values()] for key in ("threshold", "temperature", "bias"))
        sources = "; ".join(dict.fromkeys(own["source"] for own in folds.values()))
        rows.append([label, *map(_span, fixed), sources])
    return Table("fixed before it was judged", ["label", "threshold", "temperature", "bias", "by"], rows)


def _span(values: list[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.3f}" if low == high else f"{low:.3f} to {high:.3f}"


def _table(title: str, first: str, rows: Mapping[str, Any], group: str, recordings: bool = True) -> Table:
    names = list(dict.fromkeys(name for own in rows.values() for name in own["figures"]))
    heads = [first, *(["recordings"] if recordings else []), f"{group}s", "positive", *(_HEADS[name] for name in names)]
    told = [
        [
            name,
            *([f"{own['n']:,}"] if recordings else []),
            f"{own['groups']:,}",
            _positive(own, group, recordings),
            *(cell(own["figures"][n]) for n in names),
        ]
        for name, own in rows.items()
    ]
    return Table(title, heads, told)


def _positive(own: Mapping[str, Any], group: str, recordings: bool) -> str:
    """How many recordings, and of how many groups; nothing for the mean over labels."""
    if own["positives"] is None:
        return ""
    groups = f"{own['positive_groups']:,}"
    return f"{own['positives']:,} of {groups} {group}{'s' * (own['positive_groups'] != 1)}" if recordings else groups
