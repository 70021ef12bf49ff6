"""The trials of a sweep: a table for the terminal, its columns as CSV, and a picture."""

import csv
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from ..data import storage
from .plots import MODEL, MUTED, OTHER, STYLE


@dataclass(frozen=True)
class Trial:
    """What one trial tried, and what came of it."""

    number: int
    state: str
    """complete, ended early, or failed."""
    figure: float | None
    """`None` for a trial that failed."""
    seconds: float
    values: Mapping[str, Any]
    """By field."""
    note: str = ""
    """Why it failed, or of which trial it is the repetition."""


def in_order(trials: Sequence[Trial], higher_is_better: bool) -> list[Trial]:
    """The best first: those that are complete, then those that were ended early, then those that failed."""
    rank, sign = {"complete": 0, "ended early": 1, "failed": 2}, -1 if higher_is_better else 1
    return sorted(trials, key=lambda t: (rank[t.state], sign * (t.figure if t.figure is not None else 0), t.number))


def render(trials: Sequence[Trial], metric: str, console: Console, most: int = 10) -> None:
    """Print the first of the trials."""
    names = list(trials[0].values) if trials else []
    short = [name.rpartition(".")[2] for name in names]
    heads = [name if short.count(own) > 1 else own for name, own in zip(names, short, strict=True)]
    table = Table("trial", metric, *heads, "seconds", "", box=box.SIMPLE)
    for trial in trials[:most]:
        figure = "" if trial.figure is None else f"{trial.figure:.5g}"
        values = (_short(trial.values.get(name)) for name in names)
        told = "" if trial.state == "complete" else trial.state
        table.add_row(str(trial.number), figure, *values, f"{trial.seconds:.0f}", told)
    console.print(table)
    if len(trials) > most:
        console.print(f"and {len(trials) - most} more", highlight=False)


def write_table(path: Path, trials: Sequence[Trial], metric: str) -> None:
    """All trials as CSV."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.values))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["trial", "state", metric, "seconds", *names, "note"])
    for t in trials:
        figure = "" if t.figure is None else t.figure
        rows.writerow([t.number, t.state, figure, t.seconds, *(t.values.get(name, "") for name in names), t.note])
    storage.write_text(path, text.getvalue())


def write_picture(path: Path, trials: Sequence[Trial], metric: str, higher_is_better: bool) -> None:
    """Draw the figure of each trial with the best so far, and then over each field that varies."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    plain = FuncFormatter(lambda x, _: f"{x:g}")  # the style keeps mathematical text out
    found = [trial for trial in trials if trial.figure is not None]
    names = [name for name in (found[0].values if found else ()) if len({str(t.values[name]) for t in found}) > 1]
    columns = min(3, 1 + len(names))
    rows = -(-(1 + len(names)) // columns)
    out = io.BytesIO()
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(3.9 * columns, 2.9 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        figures = np.array([trial.figure for trial in found], float)
        robust = len(figures) > 3 and (figures > 0).all() and figures.max() > 30 * figures.min()
        best = (np.maximum if higher_is_better else np.minimum).accumulate(figures)
        for axes in panels[: 1 + len(names)]:
            if robust:
                axes.set_yscale("log")
                axes.yaxis.set_major_formatter(plain)
                axes.yaxis.set_minor_formatter(NullFormatter())
        numbers = [trial.number for trial in found]
        _points(panels[0], numbers, found)
        panels[0].step(numbers, best, where="post", color=OTHER, linewidth=1.4)
        panels[0].set(xlabel="trial", ylabel=metric, title="the best so far; grey was ended early")
        for axes, name in zip(panels[1:], names, strict=False):
            values = [trial.values[name] for trial in found]
            if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
                _points(axes, values, found)
                if min(values) > 0 and max(values) > 20 * min(values):
                    axes.set_xscale("log")
                    axes.xaxis.set_major_formatter(plain)
            else:
                words = sorted({str(v) for v in values})
                _points(axes, [words.index(str(v)) for v in values], found)
                axes.set_xticks(range(len(words)), words)
                axes.set_xlim(-0.5, len(words) - 0.5)
            axes.set(xlabel=name, ylabel=metric)
        for axes in panels[1 + len(names) :]:
            axes.set_visible(False)
        figure.savefig(out, format="png", dpi=110)
    storage.write_bytes(path, out.getvalue())


def _points(axes: Any, places: Sequence[float | int], trials: Sequence[Trial]) -> None:
    colours = [MODEL if trial.state == "complete" else MUTED for trial in trials]
    axes.scatter(places, [trial.figure for trial in trials], c=colours, s=22, alpha=0.8, linewidths=0)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
