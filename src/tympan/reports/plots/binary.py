"""A label that holds or does not: both curves over thresholds, calibration, confusion, and the scores of both sides."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ..table import numerals
from . import MODEL, MUTED, OTHER, Plot, Rows, plot
from .calibration import reliability
from .classes import matrix

_MOST = 1000  # corners of a curve
_SIZE = (5.4, 4.4)


def draw(output: str, unit: str, rows: Rows) -> list[Plot]:
    """Curves where there are positives and negatives; calibration, confusion and a histogram of probabilities."""
    truth, said = np.asarray(rows["truth"], float), np.asarray(rows["prediction"], float)
    known = np.isfinite(truth) & np.isfinite(said)
    positive, said = truth[known] == 1, said[known]
    n, yes = len(positive), int(positive.sum())
    if not n:
        return []
    plots = _curves(output, positive, said) if 0 < yes < n else []
    only = "" if plots else f" There are no curves: all {n} known answers are {'yes' if yes else 'no'}."
    return [
        *plots,
        reliability(output, f"{output} holds", said, positive),
        matrix(
            output, ["absent", "present"], positive.astype(int), (said >= 0.5).astype(int), " with the limit at 0.5"
        ),
        _scores(output, positive, said, only),
    ]


def _scores(output: str, positive: Bool[np.ndarray, "known"], said: Float[np.ndarray, "known"], only: str) -> Plot:
    n, yes = len(positive), int(positive.sum())
    edges = np.linspace(0, 1, 21)
    with_label, without = (np.histogram(said[side], edges)[0] for side in (positive, ~positive))

    def histogram(axes: Any) -> None:
        axes.stairs(without, edges, fill=True, color=OTHER, alpha=0.4, label=f"label absent ({n - yes})")
        axes.stairs(with_label, edges, fill=True, color=MODEL, alpha=0.5, label=f"label present ({yes})")
        axes.axvline(0.5, color=MUTED, linewidth=1, linestyle="--")
        axes.set(xlabel=f"predicted probability of {output}", ylabel="answers", xlim=(0, 1))
        axes.set_title(f"{output}: scores, {yes} of {n} positive")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_ylim(0, 1.3 * max(with_label.max(), without.max()))  # room for the legend
        axes.legend(loc="upper left", ncols=2)

    return plot(
        f"{output}-scores",
        f"The probability of {output} given to those with and without it; the dashed line is 0.5. The less the two "
        f"overlap, the better they are told apart.{only}",
        f"Histogram of predicted probabilities of {output}: {yes} positive with mean {_mean(said[positive])}, "
        f"{n - yes} negative with mean {_mean(said[~positive])}",
        {
            "from": edges[:-1].tolist(),
            "to": edges[1:].tolist(),
            "positives": with_label.tolist(),
            "negatives": without.tolist(),
        },
        histogram,
        _SIZE,
    )


def _curves(output: str, positive: Bool[np.ndarray, "known"], said: Float[np.ndarray, "known"]) -> list[Plot]:
    """The receiver operating characteristic and precision over recall, as the limit for a yes goes down."""
    order = np.argsort(-said, kind="stable")
    ranked = said[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # ties are taken together
    yes, hits = positive.sum(), np.cumsum(positive[order])[last]
    found, alarms = np.append(0, hits / yes), np.append(0, np.cumsum(~positive[order])[last] / (~positive).sum())
    limits, precision = ranked[last], hits / (last + 1)
    area = numerals(float(((found[1:] + found[:-1]) / 2 * np.diff(alarms)).sum()))[0]
    average = numerals(float((np.diff(found) * precision).sum()))[0]
    share = numerals(float(positive.mean()))[0]
    keep = np.unique(np.append(np.arange(0, len(limits), -(-len(limits) // _MOST)), len(limits) - 1))
    corners = np.append(0, keep + 1)
    half = int((limits >= 0.5).sum())  # corners above the limit that answers take

    def characteristic(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
        axes.plot(alarms[corners], found[corners], color=MODEL, linewidth=1.8)
        _dot(axes, alarms[half], found[half])
        axes.set(xlabel="false alarms (1 - specificity)", ylabel="found (sensitivity)", aspect="equal")
        axes.set_title(f"{output}: area under the curve {area}")

    def trade(axes: Any) -> None:
        axes.axhline(positive.mean(), color=MUTED, linewidth=1, linestyle="--")
        axes.step(found[corners], precision[[0, *keep]], where="pre", color=MODEL, linewidth=1.8)
        if half:
            _dot(axes, found[half], precision[half - 1])
        axes.set(xlabel="found (recall)", ylabel="right among those said to have it (precision)", aspect="equal")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        axes.set_title(f"{output}: average precision {average}")

    return [
        plot(
            f"{output}-roc",
            f"Receiver operating characteristic of {output}: how many are found at the price of how many false alarms, "
            "as the limit for a yes goes down. The dot is the limit 0.5, the dashed line is chance; the nearer to the "
            "upper left corner, the better.",
            f"Receiver operating characteristic of {output}: area under the curve {area}",
            {
                "threshold": [np.inf, *limits[keep].tolist()],
                "false_positive_rate": alarms[corners].tolist(),
                "true_positive_rate": found[corners].tolist(),
            },
            characteristic,
            _SIZE,
        ),
        plot(
            f"{output}-precision-recall",
            f"Precision over recall of {output}: of those said to have it, how many do, as more of them are found. "
            f"The dot is the limit 0.5; the dashed line, {share}, is the share of positives, which is chance. With few "
            "positives this says more than the curve of false alarms.",
            f"Precision over recall of {output}: average precision {average}, chance {share}",
            {
                "threshold": limits[keep].tolist(),
                "recall": found[keep + 1].tolist(),
                "precision": precision[keep].tolist(),
            },
            trade,
            _SIZE,
        ),
    ]


def _dot(axes: Any, x: float, y: float) -> None:
    axes.plot([x], [y], "o", color=OTHER, markersize=6, zorder=3)


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.3f}" if len(values) else "n/a"
