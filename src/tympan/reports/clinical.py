"""clinical.json -> tables for terminal, page and card: labels at a fixed threshold, by group, and in subgroups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .table import cell, headline_part

NO_DEVICE = "This is not a medical device: it is for research, and not for diagnosis or for decisions about a person."
"""What stands on every page, card and terminal that tells of labels."""
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
    made.append(_table(f"{part}: recordings, at the fixed threshold", "label", told["recordings"], group))
    made.append(_table(f"{part}: {group}s, by the mean logit of their recordings", "label", told["groups"], group))
    for column, values in told["subgroups"].items():
        rows = {f"{value}: {label}": own for value, labels in values.items() for label, own in labels.items()}
        made.append(_table(f"{part}: subgroups of {column}", column, rows, group))
    return made


def _decided(decisions: Mapping[str, Any]) -> Table:
    rows = []
    for label, folds in decisions.items():
        thresholds, temperatures = ([own[key] for own in folds.values()] for key in ("threshold", "temperature"))
        sources = "; ".join(dict.fromkeys(own["source"] for own in folds.values()))
        rows.append([label, _span(thresholds), _span(temperatures), sources])
    return Table("fixed before it was judged", ["label", "threshold", "temperature", "by"], rows)


def _span(values: list[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.3f}" if low == high else f"{low:.3f} to {high:.3f}"


def _table(title: str, first: str, rows: Mapping[str, Any], group: str) -> Table:
    names = list(dict.fromkeys(name for own in rows.values() for name in own["figures"]))
    heads = [first, "recordings" if "recordings" in title or "sub" in title else "", f"{group}s", "positive"]
    told = [
        [
            *(
                name,
                f"{own['n']:,}",
                f"{own['groups']:,}",
                f"{own['positives']:,} of {own['positive_groups']:,} {group}s",
            ),
            *(cell(own["figures"][n]) if n in own["figures"] else "" for n in names),
        ]
        for name, own in rows.items()
    ]
    every = [*heads, *(_HEADS[name] for name in names)]
    keep = [i for i, head in enumerate(every) if head]
    return Table(title, [every[i] for i in keep], [[row[i] for i in keep] for row in told])
