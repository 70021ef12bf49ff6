"""What a model may really be hearing: the outputs that a control tells as well as the model does, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .table import Scores, cell, higher_is_better, main_metric, shown, surely_better

CONTROLS = {
    "control/recording": "how long and loud a recording is, its noise floor and its file",
    "control/silence": "the quietest tenth of a recording (which is no silence where nobody pauses)",
    "control/speaker": "what the table says of the speaker, such as age and sex",
}
"""What each control hears, in words."""


@dataclass(frozen=True)
class Ruling:
    """An output of which something has to be said."""

    output: str
    suspect: bool
    """Whether it is suspect; else that cannot be told."""
    sentence: str


def rulings(scores: Scores) -> list[Ruling]:
    """The outputs of one part that are suspect, and those of which that cannot be told.

    An output is suspect where a control is surely above chance, and the model not surely better than the control: the
    control's 95 % interval lies above chance, and that of the paired difference does not lie on the model's side of 0.
    Where a control does as well and may do so by chance, that is said, and that it cannot be told.
    The figure is AUROC, whose chance is one half, or the main figure, whose chance is what majority and prior reach.
    """
    found = []
    for output, names in shown(scores).items():
        metric = "auroc" if "auroc" in names else main_metric(names)
        figures = {who: scores[who].get(output, {}).get(metric) for who in CONTROLS if who in scores}
        there = {who: own for who, own in figures.items() if own}
        mine = scores["model"][output][metric]
        if output.split(" ")[0] == "overall" or not there or mine["value"] is None:
            continue
        chance = _chance(scores, output, metric)
        ruled = {who: _suspect(own, metric, chance) for who, own in there.items()}
        guilty = [who for who, suspect in ruled.items() if suspect]
        if guilty:
            told = "; ".join(f"{CONTROLS[who]}, {metric} {cell(there[who])}" for who in guilty)
            who = "this alone tells" if len(guilty) == 1 else "each of these alone tells"
            sentence = (
                f"{output} is suspect: {who} it as well as the model does, {metric} {cell(mine)}: {told}. "
                "What the model hears may be no more than that."
            )
            found.append(Ruling(output, True, sentence))
        elif None in ruled.values():
            unsure = next(who for who, suspect in ruled.items() if suspect is None)
            why = there[unsure].get("note") or "there is no interval"
            found.append(Ruling(output, False, f"Whether {output} is suspect cannot be told: {why}."))
        elif equal := [who for who, own in there.items() if _as_well(own["value"], mine["value"], metric)]:
            told = "; ".join(f"{CONTROLS[who]}, {metric} {cell(there[who])}" for who in equal)
            sentence = (
                f"Whether {output} is suspect cannot be told: it is told as well as by the model, {metric} "
                f"{cell(mine)}, though not surely better than by chance, by {told}."
            )
            found.append(Ruling(output, False, sentence))
    return found


def _chance(scores: Scores, output: str, metric: str) -> float | None:
    if metric == "auroc":
        return 0.5
    values = [scores[f"baseline/{who}"][output][metric]["value"] for who in ("majority", "prior")
              if metric in scores.get(f"baseline/{who}", {}).get(output, {})]  # fmt: skip
    known = [value for value in values if value is not None]
    return (max if higher_is_better(metric) else min)(known) if known else None


def _as_well(control: float, model: float, metric: str) -> bool:
    return control >= model if higher_is_better(metric) else control <= model


def _suspect(control: Mapping[str, Any], metric: str, chance: float | None) -> bool | None:
    """Whether a control's figure makes its output suspect; `None` where that cannot be told."""
    more = higher_is_better(metric)
    if control["value"] is None or control["low"] is None or chance is None or more is None:
        return None
    above = control["low"] > chance if more else control["high"] < chance
    return above and surely_better(control, metric) is not True
