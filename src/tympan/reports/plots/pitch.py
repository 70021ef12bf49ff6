"""A frequency: predicted against true with lines an octave off, the error in cents, and its course over time."""

from typing import Any

import numpy as np
from jaxtyping import Float

from ..table import numerals
from . import GRID, MODEL, MUTED, OTHER, Plot, Rows, plot

_MOST = 5000  # points in a plot; more only make it slow and black
_RIGHT = 50.0  # cents, as in raw pitch accuracy
_OCTAVES = (-2, -1, 1, 2)


def draw(output: str, unit: str, rows: Rows) -> list[Plot]:
    """A scatter and a histogram of errors in cents, and of what is over time three courses; nothing where nothing is
    known."""
    truth, said = np.asarray(rows["truth"], float), np.asarray(rows["prediction"], float)
    pitched = truth > 0
    heard = pitched & (said > 0) & np.isfinite(said)
    if not heard.any():
        return []
    cents = 1200 * np.log2(said[heard] / truth[heard])
    right = float((np.abs(cents) < _RIGHT).sum() / pitched.sum())
    unheard = int(pitched.sum() - heard.sum())
    lost = f" {unheard:,} of {int(pitched.sum()):,} have no answer and are not drawn." if unheard else ""
    every = -(-len(cents) // _MOST)
    found = [
        _scatter(output, unit, truth[heard][::every], said[heard][::every], right, lost),
        _errors(output, cents, lost),
    ]
    return [*found, *_courses(output, unit, rows)] if "time" in rows else found


def _scatter(
    output: str, unit: str, truth: Float[np.ndarray, "n"], said: Float[np.ndarray, "n"], right: float, lost: str
) -> Plot:
    ends = np.array([min(truth.min(), said.min()) / 1.1, max(truth.max(), said.max()) * 1.1])

    def paint(axes: Any) -> None:
        for octave in _OCTAVES:
            axes.plot(ends, ends * 2.0**octave, color=GRID, linewidth=1)
        axes.plot(ends, ends, color=MUTED, linewidth=1, linestyle="--")
        axes.scatter(
            truth, said, s=16 if len(truth) < 500 else 6, color=MODEL, alpha=0.55, linewidths=0,
            rasterized=len(truth) > 1000,
        )  # fmt: skip
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
        axes.set(xlabel=f"true {output} ({unit})", ylabel=f"predicted {output} ({unit})")
        _in_hertz(axes.xaxis, axes.yaxis)
        axes.set_title(f"{output}: {right:.1%} within {_RIGHT:.0f} cents")

    return plot(
        f"{output}-predicted",
        f"Predicted against true {output}, a dot for each answer: on the dashed line both are equal, on the lines "
        f"beside it the answer is one or two octaves off.{lost}",
        f"Scatter of predicted against true {output}: {len(truth)} points, {right:.1%} within {_RIGHT:.0f} cents",
        {"truth": truth.tolist(), "prediction": said.tolist()},
        paint,
        (5.4, 4.8),
    )


def _errors(output: str, cents: Float[np.ndarray, "n"], lost: str) -> Plot:
    near = cents[np.abs(cents) < 2 * _RIGHT]
    octaves = float((np.abs(np.abs(cents) - 1200 * np.round(np.abs(cents) / 1200)) < _RIGHT).mean())
    exact = float((np.abs(cents) < _RIGHT).mean())
    middle = numerals(float(np.median(np.abs(cents))))[0]
    wide = np.linspace(-2700, 2700, 109)
    fine = np.linspace(-2 * _RIGHT, 2 * _RIGHT, 41)
    counts = [np.histogram(np.clip(cents, wide[0], wide[-1]), wide)[0], np.histogram(near, fine)[0]]

    def paint(every: Any) -> None:
        for axes, edges, number in zip(every, (wide, fine), counts, strict=True):
            axes.stairs(number, edges, fill=True, color=MODEL, alpha=0.55)
            axes.axvline(0, color=OTHER, linewidth=1, linestyle="--")
            axes.set(ylabel="answers", xlim=(edges[0], edges[-1]))
            axes.yaxis.get_major_locator().set_params(integer=True)
        every[0].set_yscale("symlog", linthresh=1)
        every[0].set_xticks([1200 * k for k in (-2, -1, 0, 1, 2)])
        every[0].yaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
        every[0].set_title(f"{output}: {middle} cents off, median")
        every[1].set_xlabel("predicted - true (cents)")

    return plot(
        f"{output}-cents",
        f"How far answers for {output} are off, in cents: above all of them, by octaves, with a logarithmic count and "
        f"what is further off at the ends; below those within {2 * _RIGHT:.0f} cents.{lost}",
        f"Histogram of errors of {output}: median {middle} cents, {octaves - exact:.1%} of answers whole octaves off",
        {"from": fine[:-1].tolist(), "to": fine[1:].tolist(), "count": counts[1].tolist()},
        paint,
        (5.4, 4.8),
        rows=2,
    )


def _courses(output: str, unit: str, rows: Rows) -> list[Plot]:
    """The recordings whose answers are right most often, middling, and least."""
    ids = np.asarray(rows["id"])
    begins = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))  # a recording's frames lie together
    cut = [slice(a, b) for a, b in zip(begins, [*begins[1:], len(ids)], strict=True)]
    time, truth, said = (np.asarray(rows[name], float) for name in ("time", "truth", "prediction"))
    with np.errstate(invalid="ignore", divide="ignore"):
        right = np.abs(1200 * np.log2(said / truth)) < _RIGHT
    shares = {i: float(right[at][truth[at] > 0].mean()) for i, at in enumerate(cut) if (truth[at] > 0).any()}
    order = sorted(shares, key=lambda i: -shares[i])
    chosen = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}

    def paint(every: Any) -> None:
        for axes, (title, i) in zip(every, chosen.items(), strict=True):
            axes.plot(time[cut[i]], truth[cut[i]], color=OTHER, linewidth=3, alpha=0.6, label="truth")
            axes.plot(time[cut[i]], said[cut[i]], ".", color=MODEL, markersize=3.5, label="answer")
            axes.set(yscale="log", ylabel=unit, xlim=(0, time[cut[i]].max() or 1.0))
            _in_hertz(axes.yaxis)
            axes.set_title(f"{title}, {shares[i]:.1%} right")
        every[0].legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
        every[-1].set_xlabel("time (s)")

    columns: dict[str, list[Any]] = {"which": [], "time": [], "truth": [], "prediction": []}
    for title, i in chosen.items():
        columns["which"] += [title] * len(time[cut[i]])
        for name, own in (("time", time), ("truth", truth), ("prediction", said)):
            columns[name] += own[cut[i]].tolist()
    return [
        plot(
            f"{output}-courses",
            f"{output} over time in the recording whose answers are right most often, the middling one, and the one "
            f"where they are least, of {len(order):,}; there is a gap where nothing is known or nothing answered.",
            f"True and answered {output} over time: "
            + "; ".join(f"{title}, {shares[i]:.1%} right" for title, i in chosen.items()),
            columns,
            paint,
            (5.4, 5.6),
            rows=3,
        )
    ]


def _in_hertz(*axes: Any) -> None:
    """Plain numbers on a logarithmic axis: 50, 100, 200, 500."""
    from matplotlib.ticker import LogLocator, NullFormatter

    for axis in axes:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda f, _: f"{f:g}")
        axis.set_minor_formatter(NullFormatter())
