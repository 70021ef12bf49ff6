"""A real quantity over time: answers that fit best, middling and worst, their slow and fast parts, and how all fit."""

from typing import Any

import numpy as np
from jaxtyping import Float

from ...electrodermal import tonic_phasic
from ...objectives import Metric
from . import INK, MODEL, OTHER, Plot, Rows, plot

_SLOWEST = 16.0  # seconds; of less, slow and fast are not told apart


def draw(output: str, unit: str, rows: Rows) -> list[Plot]:
    """Curves of three recordings, their slow and fast parts, and the spread of correlation, lag and coherence.

    The fit of a recording is its correlation over known frames; where that is undefined for all, nothing is drawn.
    """
    ids = np.asarray(rows["id"])
    begins = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))  # a recording's frames lie together
    every = [
        tuple(np.asarray(rows[name], float)[a:b] for name in ("time", "truth", "prediction"))
        for a, b in zip(begins, [*begins[1:], len(ids)], strict=True)
    ]
    fits = np.array([_correlation(truth, said) for _, truth, said in every])
    order = [int(i) for i in np.argsort(-fits) if np.isfinite(fits[i])]
    if not order:
        return []
    chosen = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    named = f"{output} ({unit})" if unit else output
    found = [_curves(output, named, {f"{k}, r = {fits[i]:.2f}": every[i] for k, i in chosen.items()}, len(order))]
    middle = every[chosen["median"]]
    rate = round(1 / float(np.median(np.diff(middle[0]))), 6)
    if len(middle[0]) / rate >= _SLOWEST and rate >= 1:
        found.append(_parts(output, named, middle, rate))
    return [*found, _spread(output, every, fits, rate)]


def _correlation(truth: Float[np.ndarray, "frames"], said: Float[np.ndarray, "frames"]) -> float:
    known = np.isfinite(truth) & np.isfinite(said)
    x, y = truth[known], said[known]
    return float(np.corrcoef(x, y)[0, 1]) if len(x) > 2 and np.ptp(x) and np.ptp(y) else float("nan")


def _curves(output: str, named: str, chosen: dict[str, Any], count: int) -> Plot:
    def paint(every: Any) -> None:
        for axes, (title, (time, truth, said)) in zip(every, chosen.items(), strict=True):
            axes.plot(time, truth, color=OTHER, linewidth=1.6, label="truth")
            axes.plot(time, said, color=MODEL, linewidth=1.6, label="answer")
            axes.set(ylabel=named, xlim=(0, time.max()))
            axes.set_title(title)
        every[0].legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
        every[-1].set_xlabel("time (s)")

    columns: dict[str, list[Any]] = {"which": [], "time": [], "truth": [], "prediction": []}
    for title, (time, truth, said) in chosen.items():
        columns["which"] += [title.split(",")[0]] * len(time)
        for name, own in (("time", time), ("truth", truth), ("prediction", said)):
            columns[name] += own.tolist()
    return plot(
        f"{output}-curves",
        f"{output} over time in the recording whose answer fits best, the middling one, and the worst, of {count:,}.",
        f"True and answered {named} over time: {'; '.join(chosen)}",
        columns,
        paint,
        (5.4, 5.6),
        rows=3,
    )


def _parts(output: str, named: str, one: tuple[np.ndarray, ...], rate: float) -> Plot:
    time, truth, said = one
    parts = {"truth": tonic_phasic(truth, rate), "answer": tonic_phasic(said, rate)}

    def paint(every: Any) -> None:
        for axes, part, title in zip(every, (0, 1), ("slow (tonic)", "fast (phasic)"), strict=True):
            for who, colour in (("truth", OTHER), ("answer", MODEL)):
                axes.plot(time, parts[who][part], color=colour, linewidth=1.6, label=who)
            axes.set(ylabel=named, xlim=(0, time.max()))
            axes.set_title(title)
        every[0].legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
        every[-1].set_xlabel("time (s)")

    columns = {"time": time.tolist()}
    columns |= {f"{who} {('slow', 'fast')[p]}": parts[who][p].tolist() for who in parts for p in (0, 1)}
    return plot(
        f"{output}-parts",
        f"The middling recording's {output} in two parts that add up to it: below 0.05 Hz, which of skin conductance "
        "is the tonic level, and above, which is its phasic responses.",
        f"Slow and fast parts of true and answered {named}",
        columns,
        paint,
        (5.4, 4.2),
        rows=2,
    )


def _spread(
    output: str, every: list[tuple[np.ndarray, ...]], fits: Float[np.ndarray, "recordings"], rate: float
) -> Plot:
    columns = {"correlation": fits.tolist()}
    for name in ("lag", "coherence"):
        metric: Any = Metric.find(name)()
        columns[name] = [
            float(metric.score(np.array([metric.row(said[None], truth, rate)]))) if np.isfinite(truth).any() else np.nan
            for _, truth, said in every
        ]
    labels = {"correlation": "correlation (r)", "lag": "best lag (s)", "coherence": "mean coherence to 0.5 Hz"}

    def paint(drawn: Any) -> None:
        for axes, (name, label) in zip(drawn, labels.items(), strict=True):
            known = np.array(columns[name])[np.isfinite(columns[name])]
            ends = {"correlation": (-1.0, 1.0), "coherence": (0.0, 1.0)}.get(name)
            axes.hist(known, bins=24, range=ends, color=MODEL, alpha=0.55)
            if len(known):
                axes.axvline(float(np.mean(known)), color=OTHER, linewidth=1.5, linestyle="--")
            axes.axvline(0, color=INK, linewidth=1)
            axes.set(xlabel=label, ylabel="recordings")
            axes.yaxis.get_major_locator().set_params(integer=True)

    return plot(
        f"{output}-fits",
        f"How the answers for {output} fit, recording by recording: correlation; the lag at which they would fit best; "
        "and how much of the truth, frequency by frequency, they follow. The dashed line is the mean.",
        f"Histograms of correlation, lag and coherence of {len(every)} recordings",
        columns,
        paint,
        (5.4, 5.6),
        rows=3,
    )
