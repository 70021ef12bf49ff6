"""Learning curves: losses, the learning rate, and what validation measured, over optimizer steps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import MODEL, OTHER, Plot, plot

Log = Mapping[str, Sequence[Mapping[str, Any]]]
"""The lines of log.jsonl of each member of a run."""
_BOOKKEEPING = ("_runtime", "_per_second", "_time")


def draw(log: Log) -> list[Plot]:
    """One plot for the losses, one for the learning rate, one for every validation figure; those that were logged."""
    keys = list(dict.fromkeys(key for lines in log.values() for line in lines for key in line))
    found = [key for key in keys if key.startswith("val_") and key != "val_loss" and not key.endswith(_BOOKKEEPING)]
    several = f", one line for each of {len(log)} trainings" if len(log) > 1 else ""
    plots = []
    losses = {key: name for key, name in (("loss", "training"), ("val_loss", "validation")) if key in keys}
    if losses:
        plots.append(_plot(log, losses, "loss", f"{' and '.join(losses.values()).capitalize()} loss{several}."))
    if "learning_rate" in keys:
        plots.append(_plot(log, {"learning_rate": ""}, "learning rate", f"The learning rate{several}."))
    for key in found:
        name = key.removeprefix("val_").replace("_", " ")
        plots.append(_plot(log, {key: ""}, f"validation {name}", f"Validation: {name}{several}."))
    return plots


def _plot(log: Log, keys: Mapping[str, str], label: str, caption: str) -> Plot:
    curves = {
        (member, key): np.array([[line["step"], line[key]] for line in lines if key in line], float).reshape(-1, 2)
        for member, lines in log.items()
        for key in keys
    }
    values = np.concatenate([curve[:, 1] for curve in curves.values()])
    values = values[np.isfinite(values)]
    wide = label == "loss" and len(values) > 0 and bool(values.max() > 30 * values.min() > 0)
    rows = [
        {"training": member, "step": line["step"], "epoch": line.get("epoch"), **{k: line.get(k) for k in keys}}
        for member, lines in log.items()
        for line in lines
        if set(keys) & set(line)
    ]
    table = {name: [row[name] for row in rows] for name in rows[0]}
    return plot(
        f"curves-{label}", caption, _alt(curves, keys, label), table, _painter(curves, keys, label, wide), (5.4, 3.2)
    )


def _painter(
    curves: Mapping[tuple[str, str], np.ndarray], keys: Mapping[str, str], label: str, wide: bool
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
        axes.set(xlabel="optimizer step", ylabel=label, yscale="log" if wide else "linear")
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
