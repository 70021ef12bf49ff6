"""A real quantity: predicted against true, and the residuals."""

from typing import Any

import numpy as np
from scipy.stats import rankdata

from ..table import numerals, small
from . import INK, MODEL, MUTED, OTHER, Plot, Rows, plot

_MOST = 5000  # points in a plot; more only make it slow and black


def draw(output: str, unit: str, rows: Rows) -> list[Plot]:
    """A scatter with the line of identity and a histogram of residuals; nothing where nothing is known."""
    truth, said = np.asarray(rows["truth"], float), np.asarray(rows["prediction"], float)
    known = np.isfinite(truth)
    broken = int((known & ~np.isfinite(said)).sum())
    truth, said = truth[known & np.isfinite(said)], said[known & np.isfinite(said)]
    if not len(truth):
        return []
    residual = said - truth
    named = f"{output} ({unit})" if unit else output
    factor, finer = small(unit, float(np.abs(residual).mean()))
    of_error, of_unit = (f"{output} ({finer})", f" {finer}") if finer else (output, "")
    told = np.abs(residual).mean(), residual.mean(), residual.std()
    mae, bias, spread = (f"{numerals(factor * float(v))[0]}" for v in told)
    every = -(-len(truth) // _MOST)
    shown = f"Every {every}th of {len(truth)} points is drawn. " if every > 1 else ""
    lost = f" {broken} predictions are not finite and left out." if broken else ""

    def scatter(axes: Any) -> None:
        ends = [min(truth.min(), said.min()), max(truth.max(), said.max())]
        axes.plot(ends, ends, color=MUTED, linewidth=1, linestyle="--")
        axes.scatter(
            truth[::every],
            said[::every],
            s=16 if len(truth) < 500 else 6,
            color=MODEL,
            alpha=0.55,
            linewidths=0,
            rasterized=len(truth) > 1000,
        )
        axes.set(xlabel=f"true {named}", ylabel=f"predicted {named}", aspect="equal")
        axes.set_title(f"{output}: mean absolute error {mae}{of_unit}")

    counts, edges = np.histogram(residual, bins=int(np.clip(np.sqrt(len(residual)), 8, 40)))

    def histogram(axes: Any) -> None:
        axes.stairs(counts, factor * edges, fill=True, color=MODEL, alpha=0.55)
        axes.axvline(0, color=INK, linewidth=1)
        axes.axvline(factor * residual.mean(), color=OTHER, linewidth=1.5, linestyle="--")
        axes.set(xlabel=f"predicted - true {of_error}", ylabel="predictions")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_title(f"{output}: residuals, mean {bias}{of_unit}, deviation {spread}{of_unit}")

    varies = np.ptp(truth) and np.ptp(said)
    pairs = ((truth, said), (rankdata(truth), rankdata(said)))
    r, ranks = (np.corrcoef(x, y)[0, 1] if varies else np.nan for x, y in pairs)
    correlation = f", correlation {r:.3f}, of ranks {ranks:.3f}" if varies else ""
    rank = f" Rank correlation: {ranks:.4f}." if varies else ""
    return [
        plot(
            f"{output}-predicted",
            f"Predicted against true {output}, a dot for each answer; on the dashed line both are equal, above it the "
            f"answer is too high. Dots that lie flatter than the line are drawn to the mean.{rank} {shown}"
            f"{lost}".strip(),
            f"Scatter of predicted against true {named}: {len(truth)} points{correlation}, mean absolute error "
            f"{mae}{of_unit}",
            {"truth": truth[::every].tolist(), "prediction": said[::every].tolist()},
            scatter,
            (5.4, 4.6),
        ),
        plot(
            f"{output}-residuals",
            f"How far predictions of {output} are off: right of 0 is too high. The dashed line is their mean; away "
            f"from 0, all answers are shifted. A long tail is a few answers that are far off.{lost}",
            f"Histogram of residuals of {of_error}: mean {bias}, standard deviation {spread}",
            {"from": edges[:-1].tolist(), "to": edges[1:].tolist(), "count": counts.tolist()},
            histogram,
            (5.4, 4.6),
        ),
    ]
