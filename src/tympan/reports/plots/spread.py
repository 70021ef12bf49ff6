"""How known values are spread over the parts of the data: a histogram of a quantity, shares of labels and classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import MODEL, MUTED, OTHER, Plot, plot

_COLOURS = {"training": MUTED, "validation": OTHER, "test": MODEL}
_MOST = 60  # labels or classes in a plot

Spread = Mapping[str, Any]
"""`space`, `unit`, `counts`, and the `edges` of a histogram or the `names` of what was counted."""


def draw(parts: Mapping[str, Mapping[str, Spread]]) -> list[Plot]:
    """One plot for every quantity and for every choice of classes, and one for all labels together.

    Args:
        parts: for each part, by its name in words, the spread of each output.
    """
    known = {part: {o: s for o, s in own.items() if sum(s["counts"])} for part, own in parts.items()}
    spaces = {output: spread["space"] for own in known.values() for output, spread in own.items()}
    plots = []
    for output, space in spaces.items():
        own = {part: outputs[output] for part, outputs in known.items() if output in outputs}
        if space == "real":
            plots.append(_histogram(output, own))
        elif space == "class":
            shares = {part: dict(zip(s["names"], _share(s["counts"]), strict=True)) for part, s in own.items()}
            what = f"The share of each {output} in each part; a class that is rare in training is seldom learned well."
            plots.append(_shares(output, what, output, shares))
    labels = [output for output, space in spaces.items() if space == "binary"]
    if labels:
        positive = {
            part: {o: _share(own[o]["counts"])[1] for o in labels if o in own} for part, own in known.items()
        }  # fmt: skip
        what = "Of those whose label is known, the share that has it, in each part; alike in all parts if the split is."
        plots.append(_shares("labels", what, "label", positive))
    return [drawn for drawn in plots if drawn]


def _share(counts: list[int]) -> list[float]:
    return (np.asarray(counts) / max(sum(counts), 1)).tolist()


def _histogram(output: str, parts: Mapping[str, Spread]) -> Plot:
    edges, unit = next(iter(parts.values()))["edges"], next(iter(parts.values()))["unit"]
    shares = {part: _share(spread["counts"]) for part, spread in parts.items()}

    def paint(axes: Any) -> None:
        for part, heights in shares.items():
            axes.stairs(heights, edges, color=_COLOURS.get(part, MODEL), linewidth=1.6, label=part)
        axes.set(xlabel=f"{output} ({unit})" if unit else output, ylabel="share of the part")
        axes.yaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
        axes.set_ylim(0, 1.25 * max(map(max, shares.values())))
        axes.legend(ncols=3, loc="upper left")

    return plot(
        f"data-{output}",
        f"How {output} is spread in each part. Where training has few, the model has little to learn from.",
        f"Histogram of {output} in the parts {', '.join(shares)}, {edges[0]:.4g} to {edges[-1]:.4g} {unit}".strip(),
        {"from": edges[:-1], "to": edges[1:], **{part: spread["counts"] for part, spread in parts.items()}},
        paint,
        (5.4, 3.2),
    )


def _shares(name: str, caption: str, label: str, parts: Mapping[str, Mapping[str, float]]) -> Plot | None:
    names = list(dict.fromkeys(one for own in parts.values() for one in own))
    if len(names) > _MOST:
        return None

    def paint(axes: Any) -> None:
        for marker, (part, own) in zip("oDs", parts.items(), strict=False):
            axes.plot(
                [own.get(one, np.nan) for one in names],
                range(len(names)),
                marker,
                color=_COLOURS.get(part, MODEL),
                markersize=6,
                alpha=0.75,
                label=part,
                markeredgewidth=0,
            )
        axes.set_yticks(range(len(names)), names)
        axes.set(ylim=(len(names) - 0.4, -0.6), xlabel="share of the part", xlim=(0, None), ylabel=label)
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
        axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))

    return plot(
        f"data-{name}",
        caption,
        f"Shares of {len(names)} {name} in the parts {', '.join(parts)}",
        {label: names, **{part: [own.get(one) for one in names] for part, own in parts.items()}},
        paint,
        (5.4, float(np.clip(1.3 + 0.28 * len(names), 2.2, 16))),
    )
