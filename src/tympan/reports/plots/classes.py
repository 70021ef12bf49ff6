"""One class of several: the confusion matrix, and whether the probability of the answer means what it says."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from . import MODEL, Plot, Rows, plot
from .calibration import reliability

_WRITTEN = 16  # with more classes, counts are not written into the cells


def draw(output: str, unit: str, rows: Rows) -> list[Plot]:
    """Counts of every predicted class for every true one, and the calibration where probabilities were kept."""
    truth, said = np.asarray(rows["truth"], float), np.asarray(rows["prediction"], float)
    known = np.isfinite(truth) & np.isfinite(said)
    if not known.any():
        return []
    t, p = truth[known].astype(int), said[known].astype(int)
    names = {int(c): str(c) for c in np.union1d(t, p)}
    for numbers, labels in ((t, "truth_label"), (p, "label")):
        if labels in rows:
            names |= {
                int(c): str(w) for c, w in zip(numbers, np.asarray(rows[labels], object)[known], strict=True) if w
            }
    order = sorted(names)
    place = {c: i for i, c in enumerate(order)}
    classes = [names[c] for c in order]
    plots = [matrix(output, classes, np.array([place[c] for c in t]), np.array([place[c] for c in p]))]
    sure = np.asarray(rows["probability"], float)[known] if "probability" in rows else np.empty(0)
    if np.isfinite(sure).any():
        there = np.isfinite(sure)
        plots.append(reliability(output, "the answer is right", sure[there], (t == p)[there]))
    return plots


def matrix(
    output: str, classes: Sequence[str], t: Int[np.ndarray, "known"], p: Int[np.ndarray, "known"], how: str = ""
) -> Plot:
    """The confusion matrix of true and predicted places in `classes`, shaded by the share of the true class."""
    n = len(classes)
    counts = np.zeros((n, n), int)
    np.add.at(counts, (t, p), 1)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    right = f"{(t == p).mean():.1%}"

    def paint(axes: Any) -> None:
        from matplotlib.patches import Rectangle

        for i, j in zip(*np.nonzero(counts), strict=True):
            # Shaded by transparency, so that it is legible on white and on black.
            axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, facecolor=MODEL, alpha=0.08 + 0.52 * share[i, j], lw=0))
            if n <= _WRITTEN:
                small = f"\n{share[i, j]:.0%}" if n <= 6 else ""
                axes.text(j, i, f"{counts[i, j]}{small}", ha="center", va="center", fontsize=9 if n <= 12 else 7)
        turned = {"rotation": 90} if n > 6 and max(map(len, classes)) > 3 else {}
        axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), aspect="equal")
        axes.set_xticks(range(n), classes, **turned)
        axes.set_yticks(range(n), classes)
        axes.grid(False)
        axes.set(xlabel=f"predicted {output}", ylabel=f"true {output}")
        axes.set_title(f"{output}: {right} of {len(t)} answers are right")

    recall = [f"{name} {s:.2f}" for name, s in zip(classes, share.diagonal(), strict=True)]
    side = float(np.clip(2.6 + 0.34 * n, 4.4, 11))
    return plot(
        f"{output}-confusion",
        f"True {output} (rows) against predicted {output} (columns){how}; numbers count, the shade is the share of the "
        "row. What lies on the diagonal is right; a dark cell off it is a mistake that is often made.",
        f"Confusion matrix of {output}: {right} of {len(t)} right; share found of each class: {', '.join(recall)}",
        {f"true {output}": list(classes), **{name: counts[:, j].tolist() for j, name in enumerate(classes)}},
        paint,
        (max(side + 0.4, 5.4), side),
    )
