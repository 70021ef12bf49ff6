"""Runs beside a yardstick: whether each is better, by paired differences, and tables of it for the terminal."""

from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..objectives.paired import Difference
from .table import numerals

Verdict = Literal["better", "worse", "equal", "cannot be told", "not fair"]


@dataclass(frozen=True)
class Line:
    """One figure of one output: of the yardstick, of another run, and their difference."""

    output: str
    metric: str
    unit: str
    higher_is_better: bool
    difference: Difference
    """The other run minus the yardstick."""
    fair: bool = True
    """False where a model was trained on what it is compared on."""

    @property
    def verdict(self) -> Verdict:
        """What can be said of the other run: `better` and `worse` only where the interval does not hold 0."""
        low, high = self.difference.low, self.difference.high
        if not self.fair:
            return "not fair"
        if low is None or high is None or low <= 0 <= high:
            return "equal" if low == high == 0 else "cannot be told"
        return "better" if (low > 0) == self.higher_is_better else "worse"


@dataclass(frozen=True)
class Pair:
    """One run compared with the yardstick."""

    name: str
    part: str
    """The part of both that is compared."""
    lines: list[Line]
    alarms: list[str]
    """Why the comparison is not fair; empty where it is."""
    notes: list[str]
    """How many recordings are compared, which are left out, and what to keep in mind."""


@dataclass(frozen=True)
class Comparison:
    """A yardstick, what was compared with it, and what else tells them apart."""

    yardstick: str
    pairs: list[Pair]
    facts: dict[str, list[str]]
    """What each run is and took, by name: the yardstick's first, then each other's."""
    configuration: dict[str, list[str]]
    """The fields that differ, by dotted name, in the same order."""

    @property
    def names(self) -> list[str]:
        """The yardstick, then the others."""
        return [self.yardstick, *(pair.name for pair in self.pairs)]


def render(comparison: Comparison, console: Console) -> None:
    """Print a table for each run that is compared, then the fields in which the configurations differ."""
    for pair in comparison.pairs:
        for alarm in pair.alarms:
            console.print(Text(f"NOT FAIR: {alarm}", style="bold red"))
        table = _table(f"{pair.name} compared with {comparison.yardstick} ({pair.part})")
        for head in ("output", "metric", "yardstick", "this run", "difference\n[95 %]", "better\nin", "it is"):
            table.add_column(Text(head), overflow="fold", no_wrap=head != "it is")
        for line in pair.lines:
            told = {key: text.replace(" [", "\n[") for key, text in cells(line).items()}
            table.add_row(*(Text(told[key]) for key in ("output", "metric", "first", "second", "difference", "share")),
                          Text(line.verdict, style="bold"))  # fmt: skip
        console.print(table)
        of_lines = (line.difference.note for line in pair.lines if line.difference.value is not None)
        for note in dict.fromkeys((*pair.notes, *filter(None, of_lines))):
            console.print(Text(note, style="dim"))
        console.print()
    for title, rows in (("runs", comparison.facts), ("what differs in the configurations", comparison.configuration)):
        table = _table(title)
        for head in ("", *comparison.names):
            table.add_column(Text(head), overflow="fold")
        for name, values in rows.items():
            table.add_row(Text(name), *map(Text, values))
        console.print(table if rows else Text(f"{title}: nothing"))
        console.print()


def cells(line: Line) -> dict[str, str]:
    """A line as people read it: output, metric with its unit, both figures, the signed difference, share of draws."""
    d = line.difference
    known = [x for x in (d.value, d.low, d.high) if x is not None]
    texts = numerals(*known) if known else []
    signed = [f"{'+' if x > 0 else ''}{text}" for x, text in zip(known, texts, strict=True)]
    # A small difference of large figures is only seen where these have its decimals.
    decimals = 0 if not texts or "e" in texts[0] else len(texts[0].partition(".")[2])
    figures = {"first": d.first, "second": d.second}
    if not signed:
        difference = f"n/a ({d.note})"
    else:
        difference = f"{signed[0]} [{signed[1]}, {signed[2]}]" if signed[1:] else signed[0]
    return {
        "output": line.output,
        "metric": f"{line.metric} ({line.unit})" if line.unit else line.metric,
        **{k: "n/a" if x is None else max(numerals(x)[0], f"{x:.{decimals}f}", key=len) for k, x in figures.items()},
        "difference": difference,
        "share": "" if d.better is None else f"{d.better:.1%}",
    }


def _table(title: str) -> Table:
    table = Table(box=box.HORIZONTALS, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, title_justify="left")
    table.title = Text(title, style="bold")
    return table
