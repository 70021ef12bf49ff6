"""Plots of a run, one file per kind of target, found by its space; each comes with the numbers behind it."""

import importlib
import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INK, MUTED, GRID, MODEL, OTHER = "#1b1f24", "#5d6670", "#d3d9e0", "#0b6e99", "#c2571a"
"""Colours on white paper; in the page each is a CSS variable, which has another value on a dark screen."""
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", MODEL: "model", OTHER: "other"}
_MODULES = {"real": "real", "binary": "binary", "class": "classes", "shape": "shape", "pitch": "pitch"}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: searchable, and read aloud
    "svg.hashsalt": "tympan",  # the same run gives the same page
    "text.parse_math": False,  # a name may hold a dollar sign
    "font.size": 10.0,
    "text.color": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
}

Rows = Mapping[str, Any]
"""Columns of predictions.parquet for one output, as arrays `(rows,)`: truth, prediction, truth_label, label; of an
outline also id, and of what has a rate id and time."""


@dataclass(frozen=True)
class Plot:
    """A drawing for the page and the numbers that it shows."""

    name: str
    """The base name of the CSV file."""
    caption: str
    alt: str
    """What is to be seen, for those who cannot see it."""
    svg: str
    table: Mapping[str, Sequence[Any]]
    """The columns of the CSV file."""


def draw(space: str, output: str, unit: str, rows: Rows) -> list[Plot]:
    """The plots of one output's predictions; a real quantity over time has its own, and so has a `pitch`.

    Raises:
        ValueError: there is no such kind of target.
    """
    if space not in _MODULES:
        raise ValueError(f"output {output!r} is of kind {space!r}, for which there are no plots; {list(_MODULES)} have")
    module = "signals" if space == "real" and "time" in rows else _MODULES[space]
    return importlib.import_module(f"{__name__}.{module}").draw(output, unit, rows)


def plot(
    name: str,
    caption: str,
    alt: str,
    table: Mapping[str, Sequence[Any]],
    paint: Callable[[Any], None],
    size: tuple[float, float] = (5.4, 4.0),
    rows: int = 1,
) -> Plot:
    """Let `paint` draw on axes of a `size` (in), or on `rows` of them, each under the last; nothing global changes."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    file, out = slug(name), io.StringIO()
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's own fonts draw the text
        figure = Figure(figsize=size, dpi=150, layout="constrained", facecolor="none")
        axes = [figure.add_subplot(rows, 1, row + 1) for row in range(rows)]
        paint(axes if rows > 1 else axes[0])
        # `savefig` would draw everything twice.
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(out, metadata=nothing)
    return Plot(file, caption, alt, _inline(out.getvalue(), file), table)


def slug(name: str) -> str:
    """A name as part of a file's name: letters of any language, digits, dots and hyphens."""
    return re.sub(r"[^\w.]+", "-", name).strip("-.") or "plot"


def _inline(svg: str, name: str) -> str:
    """An SVG document as an element of a page: its own ids, sized by the page, coloured by the page's variables."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
