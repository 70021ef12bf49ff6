"""Learning curves: losses, the learning rate, and every figure of training and validation, over optimizer steps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..table import MIXED, meaning
from . import MODEL, MUTED, OTHER, Plot, plot

Log = Mapping[str, Sequence[Mapping[str, Any]]]
"""The lines of log.jsonl of each member of a run."""
_BOOKKEEPING = ("_runtime", "_per_second", "_time")
_SIDES = {"train_": "training", "val_": "validation"}


def draw(log: Log, units: Mapping[str, str] | None = None, exported: int | None = None) -> list[Plot]:
    """One plot for the losses, one for the learning rate, one for every other figure; those that were logged.

    Args:
        units: of figures, by metric.
        exported: the step whose weights the run kept, where there is one.
    """
    keys = list(dict.fromkeys(key for lines in log.values() for line in lines for key in line))
    several = f" One line for each of {len(log)} trainings." if len(log) > 1 else ""
    mark = "" if exported is None else f" The dotted line, step {exported:,}, is the checkpoint that was exported."
    plots = []
    losses = {key: name for key, name in (("loss", "training"), ("val_loss", "validation")) if key in keys}
    if losses:
        what = f"{' and '.join(losses.values()).capitalize()} loss, which training makes small; it has no unit."
        both = " Where training goes on falling and validation rises, the model learns by heart." * (len(losses) > 1)
        plots.append(_plot(log, losses, "loss", f"{what}{both}{mark}{several}", exported))
    for metric in dict.fromkeys(_metric(key) for key in keys if _metric(key)):
        own = {side + metric: name for side, name in _SIDES.items() if side + metric in keys}
        name, unit, said = metric.replace("_", " "), *_about(metric, units or {})
        what = f"{said[:1].upper()}{said[1:]} on the {' and the '.join(own.values())} part, as training went on."
        label = f"{name} ({unit})" if unit else name
        plots.append(_plot(log, own, name, f"{what}{mark}{several}", exported, label))
    if any(len([line for line in lines if "learning_rate" in line]) > 1 for lines in log.values()):
        what = "The learning rate: how far each step moves the weights; it has no unit."
        plots.append(_plot(log, {"learning_rate": ""}, "learning rate", f"{what}{several}"))
    return plots


def _metric(key: str) -> str:
    """The metric that a key of the log is about; nothing for losses and bookkeeping."""
    side = next((side for side in _SIDES if key.startswith(side)), None)
    metric = key.removeprefix(side) if side else ""
    return "" if metric == "loss" or metric.endswith(_BOOKKEEPING) or f"_{metric}" in _BOOKKEEPING else metric


def _about(metric: str, units: Mapping[str, str]) -> tuple[str, str]:
    """The unit of a figure and what it is; `pitch_mae` is the figure `mae` of the target `pitch`."""
    if metric in units:
        return units[metric], meaning(metric)
    base = next((m for m in units if metric.endswith(f"_{m}")), "")
    if not base:
        return "", meaning(metric).replace("_", " ")
    return "" if units[base] == MIXED else units[base], f"{metric.removesuffix('_' + base)}: {meaning(base)}"


def _plot(
    log: Log, keys: Mapping[str, str], name: str, caption: str, exported: int | None = None, label: str = ""
) -> Plot:
    curves = {
        (member, key): np.array([[line["step"], line[key]] for line in lines if key in line], float).reshape(-1, 2)
        for member, lines in log.items()
        for key in keys
    }
    curves = {key: curve[np.isfinite(curve[:, 1])] for key, curve in curves.items()}
    values = np.concatenate([curve[:, 1] for curve in curves.values()])
    wide = name == "loss" and len(values) > 0 and bool(values.max() > 30 * values.min() > 0)
    rows = [
        {"training": member, "step": line["step"], "epoch": line.get("epoch"), **{k: line.get(k) for k in keys}}
        for member, lines in log.items()
        for line in lines
        if set(keys) & set(line)
    ]
    epochs = [line["step"] / line["epoch"] for lines in log.values() for line in lines if line.get("epoch")]
    steps = f"optimizer step ({np.median(epochs):.4g} in an epoch)" if epochs else "optimizer step"
    paint = _painter(curves, keys, (steps, label or name), wide, exported)
    table = {column: [row[column] for row in rows] for column in rows[0]}
    return plot(f"curves-{name}", caption, _alt(curves, keys, name), table, paint, (5.4, 3.2))


def _painter(
    curves: Mapping[tuple[str, str], np.ndarray],
    keys: Mapping[str, str],
    labels: tuple[str, str],
    wide: bool,
    exported: int | None,
) -> Callable[[Any], None]:
    def paint(axes: Any) -> None:
        named = set()
        for (_, key), curve in curves.items():
            name = keys[key]
            axes.plot(
                *curve.T,
                color=OTHER if key.startswith("val_") else MODEL,
                marker="o" if len(curve) < 20 else None,
                markersize=3,
                linewidth=1.5 if len(curves) <= len(keys) else 0.9,
                label=name if name not in named else None,
            )
            named.add(name)
        if exported is not None:
            axes.axvline(exported, color=MUTED, linewidth=1.2, linestyle=":")
        axes.set(xlabel=labels[0], ylabel=labels[1], yscale="log" if wide else "linear")
        if wide:
            axes.yaxis.set_major_formatter("{x:g}")
        if any(keys.values()):
            axes.legend()

    return paint


def _alt(curves: Mapping[tuple[str, str], np.ndarray], keys: Mapping[str, str], label: str) -> str:
    parts = [
        f"{keys[key] or label} {member + ' ' if len(curves) > len(keys) else ''}from {curve[0, 1]:.4g} "
        f"to {curve[-1, 1]:.4g} over {len(curve)} points"
        for (member, key), curve in curves.items()
        if len(curve)
    ]
    return f"Curve of the {label}: " + "; ".join(parts[:6]) + ("; and more" if len(parts) > 6 else "")
