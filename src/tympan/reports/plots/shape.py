"""Outlines: the true and the predicted one of the worst, middling and best answers, one over the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ...acoustics import radial
from . import INK, MODEL, MUTED, OTHER, Plot, Rows, plot

EACH = 3
"""How many of the worst, of the middling and of the best are drawn."""
_CELL = 1.15  # a cell of a gallery, where the larger of both outlines is 1 wide


@dataclass(frozen=True)
class Pair:
    """A true outline and the predicted one, in one unit and about one place."""

    title: str
    truth: Float[np.ndarray, "corners 2"]
    said: Float[np.ndarray, "corners 2"]


def draw(output: str, unit: str, rows: Rows) -> list[Plot]:
    """A gallery and a histogram of overlaps; nothing where nothing is known."""
    points = int((np.asarray(rows["id"]) == rows["id"][0]).sum())
    truth, said = (np.asarray(rows[key], float).reshape(-1, points) for key in ("truth", "prediction"))
    known = np.isfinite(truth).all(1) & np.isfinite(said).all(1)
    truth = truth[known]
    if not len(truth):
        return []
    said = np.array([radial.aligned(p, t) for p, t in zip(said[known], truth, strict=True)])
    overlaps = np.asarray(radial.overlap(said, truth))
    pairs = [
        Pair(f"{rank}, {overlaps[i]:.1%}", _closed(radial.outline(truth[i])), _closed(radial.outline(said[i])))
        for rank, i in ranked(overlaps)
    ]
    counts, edges = np.histogram(overlaps, bins=np.linspace(0, 1, 41))
    mean = overlaps.mean()

    def histogram(axes: Any) -> None:
        axes.stairs(counts, edges, fill=True, color=MODEL, alpha=0.55)
        axes.axvline(mean, color=OTHER, linewidth=1.5, linestyle="--")
        axes.set(xlabel=f"overlap of {output}", ylabel="answers", xlim=(edges[np.flatnonzero(counts)[0]], 1))
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_title(f"{output}: mean overlap {mean:.1%}")

    return [
        gallery(
            f"{output}-outlines",
            f"{output}, true and predicted, of the same area and about the same centroid: the worst answers, the "
            "middling and the best, with the area in common as a share of the area covered. A drum cannot be heard to "
            "be turned or mirrored, so each answer is shown as it fits best.",
            f"{len(pairs)} pairs of outlines of {output}; overlaps {overlaps.min():.3f} to {overlaps.max():.3f}",
            pairs,
        ),
        plot(
            f"{output}-overlaps",
            f"The area that true and predicted {output} have in common, as a share of the area that they cover. The "
            "dashed line is the mean.",
            f"Histogram of {len(overlaps)} overlaps of {output}, mean {mean:.4f}",
            {"from": edges[:-1].tolist(), "to": edges[1:].tolist(), "count": counts.tolist()},
            histogram,
        ),
    ]


def one(name: str, answer: Mapping[str, Any]) -> Plot | None:
    """Both outlines of one entry of worst.json; nothing where the answer is broken."""
    truth, said = (np.array(answer[key], float) for key in ("truth", "prediction"))
    if not (np.isfinite(truth).all() and np.isfinite(said).all()):
        return None
    said = radial.aligned(said, truth)
    pair = Pair(f"{radial.overlap(said, truth):.1%}", _closed(radial.outline(truth)), _closed(radial.outline(said)))
    output = answer["output"]
    said_of = f"{output}: the true outline, and the answer as it fits best."
    return gallery(f"{name}-{output}", said_of, f"Two outlines of {output}, overlap {pair.title}", [pair])


def ranked(scores: Float[np.ndarray, "answers"], higher: bool = True) -> list[tuple[str, int]]:
    """The worst answers, those in the middle and the best ones, each once, with their rank in words."""
    order = np.argsort(scores if higher else -scores, kind="stable")
    n, each = len(order), min(EACH, len(order))
    middle = max(n // 2 - each // 2, 0)
    chosen: dict[int, str] = {}
    for what, places in (
        ("worst", range(each)),
        ("best", range(n - 1, n - 1 - each, -1)),
        ("median", range(middle, min(middle + each, n))),
    ):
        for place in places:
            chosen.setdefault(int(order[place]), what)
    place_of = {int(i): place for place, i in enumerate(order)}
    return sorted(((what, i) for i, what in chosen.items()), key=lambda pair: place_of[pair[1]])


def gallery(name: str, caption: str, alt: str, pairs: Sequence[Pair]) -> Plot:
    """Pairs of outlines in rows of three, each as large as its cell, and their corners as the table."""
    high = -(-len(pairs) // EACH)
    table: dict[str, list[Any]] = {"pair": [], "title": [], "outline": [], "x": [], "y": []}
    for number, pair in enumerate(pairs, 1):
        for outline, v in (("truth", pair.truth), ("answer", pair.said)):
            for x, y in v.tolist():
                for key, value in zip(table, (number, pair.title, outline, x, y), strict=True):
                    table[key].append(value)

    def paint(axes: Any) -> None:
        for number, pair in enumerate(pairs):
            row, column = divmod(number, EACH)
            both = np.concatenate([pair.truth, pair.said])
            size = max(float(np.ptp(both, 0).max()), 1e-12)
            place = np.array([column, -row * 1.2]) * _CELL - (both.min(0) + both.max(0)) / 2 / size
            truth, said = (v / size + place for v in (pair.truth, pair.said))
            labels = ("truth", "answer") if number == 0 else (None, None)
            axes.fill(*truth.T, color=OTHER, alpha=0.3, linewidth=0, label=labels[0])
            axes.plot(*truth.T, color=OTHER, linewidth=1.2)
            axes.plot(*said.T, color=MODEL, linewidth=1.8, label=labels[1])
            axes.text(
                column * _CELL, -row * 1.2 * _CELL + 0.55, pair.title, ha="center", va="bottom", color=INK, fontsize=9
            )
        axes.set(aspect="equal", xlim=(-0.6, (EACH - 1) * _CELL + 0.6), ylim=(-(high - 1) * 1.2 * _CELL - 0.6, 0.9))
        axes.axis("off")
        axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1), labelcolor=MUTED)

    return plot(name, caption, alt, table, paint, (1.8 * EACH, 0.5 + 2.1 * high))


def _closed(v: Float[np.ndarray, "corners 2"]) -> Float[np.ndarray, "points 2"]:
    return np.concatenate([v, v[:1]])
