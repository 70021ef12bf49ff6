"""A comparison of runs -> one self-contained page with a forest plot of the differences."""

import base64
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..data import storage
from ..objectives.accumulate import OVERALL
from .comparison import Comparison, Line, Pair, Verdict, cells
from .plots import INK, MODEL, MUTED, OTHER, Plot, plot
from .table import main_metric, meaning

_BADGES: dict[Verdict, str] = {"better": "yes", "worse": "no", "not fair": "no"}
_COLOURS: dict[Verdict, str] = {"better": MODEL, "worse": OTHER}


def write(comparison: Comparison, path: str | Path) -> str | Path:
    """Write the page to a path or URI. It loads nothing, and names neither recordings nor groups.

    Raises:
        OSError: it cannot be written.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    here = Path(__file__).parent
    template = environment.from_string((here / "comparison.html").read_text(encoding="utf-8"))
    page = template.render(
        style=Markup((here / "style.css").read_text(encoding="utf-8")),
        comparison=comparison,
        headlines=[(pair, [_headline(pair, line) for line in _main(pair)]) for pair in comparison.pairs],
        plots=[(drawn, Markup(drawn.svg)) for drawn in forest(comparison)],
        tables=[(pair, [(line, cells(line)) for line in pair.lines]) for pair in comparison.pairs],
        badges=_BADGES,
        csv=base64.b64encode(_csv(comparison).encode()).decode(),
    )
    storage.write_text(path, page)
    return path


def forest(comparison: Comparison) -> list[Plot]:
    """For each metric in one unit, a dot and an interval for every output and run; nothing without a difference."""
    kinds: dict[tuple[str, str], list[tuple[str, Line]]] = {}
    for pair in comparison.pairs:
        for line in pair.lines:
            if line.difference.value is not None:
                kinds.setdefault((line.metric, line.unit), []).append((pair.name, line))
    return [_forest(metric, unit, comparison, lines) for (metric, unit), lines in kinds.items()]


def _forest(metric: str, unit: str, comparison: Comparison, lines: Sequence[tuple[str, Line]]) -> Plot:
    outputs = list(dict.fromkeys(line.output for _, line in lines))
    lines = sorted(lines, key=lambda found: outputs.index(found[1].output))
    labels = [f"{line.output} · {name}" if len(comparison.pairs) > 1 else line.output for name, line in lines]
    told = [
        f"{label}: {cells(line)['difference']}, {line.verdict}" for label, (_, line) in zip(labels, lines, strict=True)
    ]
    more = lines[0][1].higher_is_better

    def paint(axes: Any) -> None:
        axes.axvline(0, color=INK, linewidth=1)
        ends = [0.0]
        for y, (_, line) in enumerate(lines):
            d, colour = line.difference, _COLOURS.get(line.verdict, MUTED)
            assert d.value is not None, "lines without a difference are left out"
            ends += [x for x in (d.value, d.low, d.high) if x is not None]
            if d.low is not None and d.high is not None:
                axes.plot([d.low, d.high], [y, y], color=colour, linewidth=2.5, solid_capstyle="butt")
            axes.plot([d.value], [y], "o", color=colour, markersize=7)
        reach = 1.15 * max(map(abs, ends)) or 1.0  # 0 in the middle, so that left and right have one meaning
        named = f"difference of {metric} ({unit})" if unit else f"difference of {metric}"
        axes.set(xlim=(-reach, reach), ylim=(len(lines) - 0.5, -0.5), xlabel=named)
        axes.locator_params(axis="x", nbins=6)
        axes.set_yticks(range(len(lines)), labels)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_title("← worse" if more else "← better", loc="left", color=MUTED)
        axes.set_title("better →" if more else "worse →", loc="right", color=MUTED)

    keys = ("value", "low", "high")
    return plot(
        f"difference-{metric}-{unit}",
        f"{metric}, {meaning(metric)}: differences from {comparison.yardstick}.",
        f"Differences of {metric}: " + "; ".join(map(": ".join, zip(labels, told, strict=True))),
        {"label": labels, **{key: [getattr(line.difference, key) for _, line in lines] for key in keys}},
        paint,
        (5.6, 1.3 + 0.36 * len(lines)),
    )


def _main(pair: Pair) -> list[Line]:
    """The line that stands for each output, or for all of them where their mean has a meaning."""
    metrics: dict[str, dict[str, Line]] = {}
    for line in pair.lines:
        metrics.setdefault(line.output, {})[line.metric] = line
    chosen = {output: lines[main_metric(lines)] for output, lines in metrics.items()}
    if OVERALL in chosen and len({(line.metric, line.unit) for line in chosen.values()}) == 1:
        return [chosen[OVERALL]]
    return [line for output, line in chosen.items() if output.partition(" (")[0] != OVERALL]


def _headline(pair: Pair, line: Line) -> dict[str, str]:
    told, d = cells(line), line.difference
    unit = f" {line.unit}" if line.unit else ""
    what = "the mean over outputs" if line.output == OVERALL else line.output
    share = "" if d.better is None else f" {pair.name} is the better one in {told['share']} of the draws."
    where = f"on {d.n:,} recordings in {d.groups:,} groups"
    return {
        "badge": _BADGES.get(line.verdict, "unsure"),
        "verdict": line.verdict,
        "said": f"For {what}, {meaning(line.metric)} of {pair.name} is {told['second']}{unit} "
        f"against {told['first']}{unit}.",
        "why": f"Difference {told['difference']}{'' if d.value is None else unit}, {where}.{share}",
    }


def _csv(comparison: Comparison) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    keys = ("first", "second", "value", "low", "high", "better", "n", "groups", "note")
    writer.writerow(("yardstick", "run", "part", "output", "metric", "unit", *keys, "verdict"))
    for pair in comparison.pairs:
        for line in pair.lines:
            about = (comparison.yardstick, pair.name, pair.part, line.output, line.metric, line.unit)
            writer.writerow((*about, *(getattr(line.difference, key) for key in keys), line.verdict))
    return out.getvalue()
