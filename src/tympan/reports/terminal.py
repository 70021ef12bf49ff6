"""Tables of figures for the terminal: the model first, then baselines, then references."""

from collections.abc import Mapping
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import clinical, facts, suspects
from .table import Scores, beside, groups_of, headline_part, in_order, main_metric, marks, shown, unit, verdict

_WIDEST = 28
"""The widest column: a longer reason wraps."""


def render(metrics: Mapping[str, Scores], console: Console) -> None:
    """Print a table for each part and output: the model first, then baselines, then references under a rule."""
    for split, scores in metrics.items():
        for output, names in shown(scores).items():
            figures = {name: scores["model"][output][name] for name in names}
            main = figures[main_metric(names)]
            title = f"{split} · {output} · {main['n']} recordings in {groups_of(main)}"
            for index, table in enumerate(_tables(scores, output, console.width)):
                table.title = Text(title if index == 0 else f"{split} · {output}, continued", style="bold")
                console.print(table)
            for note in marks(scores, output):
                console.print(Text(note, style="dim"))
            for note in dict.fromkeys(f["note"] for f in figures.values() if f["value"] is not None and f.get("note")):
                console.print(Text(note, style="dim"))
            if split == headline_part(metrics):
                console.print(Text(verdict(scores, output).sentence))
            console.print()
        for ruling in suspects.rulings(scores) if split == headline_part(metrics) else ():
            console.print(Text(ruling.sentence, style="bold red" if ruling.suspect else "dim"))


def render_judged(folder: str | Path, console: Console, of_people: bool = False) -> None:
    """Print what a run's clinical.json holds, if it has one: one figure a line, since there are many.

    Args:
        of_people: whether labels or classes of people are told, also where no summary says it.
    """
    judged, summary = (facts.json_of(Path(folder) / name) for name in ("clinical.json", "summary.json"))
    group = summary.get("group", "group")
    for told in clinical.tables(judged, group):
        heads = max(map(len, told.heads))
        wide = [min(max(map(len, row)), _WIDEST) + 2 for row in told.rows]
        for index, page in enumerate(_pages(wide, console.width - heads - 2)):
            table = Table(
                box=box.HORIZONTALS, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, title_justify="left"
            )
            table.title = Text(told.title if index == 0 else f"{told.title}, continued", style="bold")
            table.add_column("", min_width=heads)
            for place in page:
                table.add_column(Text(told.rows[place][0]), min_width=wide[place] - 2)
            for i, head in enumerate(told.heads[1:], 1):
                table.add_row(head, *(Text(told.rows[place][i]) for place in page))
            console.print(table)
            console.print()
    if judged or of_people or summary.get("clinical"):
        console.print(Text(clinical.NO_DEVICE))


def _tables(scores: Scores, output: str, width: int) -> list[Table]:
    """Tables of one output, side by side as many metrics as fit."""
    whos = [who for who in in_order(scores) if output in scores[who]]
    free = width - max(map(len, whos)) - 2
    columns: dict[str, list[str]] = {}
    for metric in shown(scores)[output]:
        named = unit(scores, output, metric)
        found = [scores[who][output].get(metric) for who in whos]
        columns[f"{metric} ({named})" if named else metric] = [beside(f, metric) if f else "" for f in found]
    # A reason may be long, and wraps; an interval moves below its figure where the columns do not fit otherwise.
    wide = {head: max(len(head), min(max(map(len, cells)), _WIDEST)) + 2 for head, cells in columns.items()}
    if sum(wide.values()) > free:
        columns = {head: [c.replace(" [", "\n[") for c in cells] for head, cells in columns.items()}
        longest = {head: max(len(part) for c in cells for part in c.split("\n")) for head, cells in columns.items()}
        wide = {head: max(len(head), min(longest[head], 22)) + 2 for head in columns}
    heads = list(columns)
    pages = _pages([wide[head] for head in heads], free)
    return [_table(whos, {heads[place]: columns[heads[place]] for place in page}, wide) for page in pages]


def _pages(wide: list[int], free: int) -> list[list[int]]:
    """The places of columns of these widths, as many side by side as fit."""
    pages: list[list[int]] = [[]]
    for place, width in enumerate(wide):
        if pages[-1] and sum(wide[other] for other in pages[-1]) + width > free:
            pages.append([])
        pages[-1].append(place)
    return pages


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
