"""A label that holds or does not: the receiver operating characteristic, and the scores of both sides."""

from typing import Any

import numpy as np

from ..table import numerals
from . import MODEL, MUTED, OTHER, Plot, Rows, plot

_MOST = 1000  # corners of a curve


def draw(output: str, unit: str, rows: Rows) -> list[Plot]:
    """The curve, where there are positives and negatives, and a histogram of probabilities."""
    truth, said = np.asarray(rows["truth"], float), np.asarray(rows["prediction"], float)
    known = np.isfinite(truth) & np.isfinite(said)
    positive, said = truth[known] == 1, said[known]
    n, yes = len(positive), int(positive.sum())
    if not n:
        return []
    plots = [_curve(output, positive, said)] if 0 < yes < n else []
    edges = np.linspace(0, 1, 21)
    with_label, without = (np.histogram(said[side], edges)[0] for side in (positive, ~positive))

    def histogram(axes: Any) -> None:
        axes.stairs(without, edges, fill=True, color=OTHER, alpha=0.4, label=f"label absent ({n - yes})")
        axes.stairs(with_label, edges, fill=True, color=MODEL, alpha=0.5, label=f"label present ({yes})")
        axes.axvline(0.5, color=MUTED, linewidth=1, linestyle="--")
        axes.set(xlabel=f"predicted probability of {output}", ylabel="recordings", xlim=(0, 1))
        axes.set_title(f"{output}: scores, {yes} of {n} positive")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_ylim(0, 1.3 * max(with_label.max(), without.max()))  # room for the legend
        axes.legend(loc="upper left", ncols=2)

    only = "" if plots else f" There is no curve: all {n} known answers are {'yes' if yes else 'no'}."
    return [
        *plots,
        plot(
            f"{output}-scores",
            f"The probability of {output} given to those with and without it; the dashed line is 0.5.{only}",
            f"Histogram of predicted probabilities of {output}: {yes} positive with mean {_mean(said[positive])}, "
            f"{n - yes} negative with mean {_mean(said[~positive])}",
            {
                "from": edges[:-1].tolist(),
                "to": edges[1:].tolist(),
                "positives": with_label.tolist(),
                "negatives": without.tolist(),
            },
            histogram,
            (5.4, 4.4),
        ),
    ]


def _curve(output: str, positive: np.ndarray, said: np.ndarray) -> Plot:
    order = np.argsort(-said, kind="stable")
    ranked = said[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # ties are taken together
    hits = np.append(0, np.cumsum(positive[order])[last]) / positive.sum()
    alarms = np.append(0, np.cumsum(~positive[order])[last]) / (~positive).sum()
    threshold = np.append(np.inf, ranked[last])
    area = numerals(float(((hits[1:] + hits[:-1]) / 2 * np.diff(alarms)).sum()))[0]
    keep = np.unique(np.append(np.arange(0, len(hits), -(-len(hits) // _MOST)), len(hits) - 1))

    def paint(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
        axes.plot(alarms[keep], hits[keep], color=MODEL, linewidth=1.8)
        axes.set(xlabel="false alarms (1 - specificity)", ylabel="found (sensitivity)", aspect="equal")
        axes.set_title(f"{output}: area under the curve {area}")

    return plot(
        f"{output}-roc",
        f"Receiver operating characteristic of {output}; the dashed line is chance.",
        f"Receiver operating characteristic of {output}: area under the curve {area}",
        {
            "threshold": threshold[keep].tolist(),
            "false_positive_rate": alarms[keep].tolist(),
            "true_positive_rate": hits[keep].tolist(),
        },
        paint,
        (5.4, 4.4),
    )


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.3f}" if len(values) else "n/a"
