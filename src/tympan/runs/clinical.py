"""Labels as a clinic would judge them: at a threshold fixed beforehand, calibrated, by speaker, and in subgroups."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float

from ..data import storage
from ..objectives import drawn
from ..objectives.accumulate import undefined
from ..objectives.decision import Decision
from ..objectives.drawn import Array
from ..objectives.resample import MIN_GROUPS, OVERALL, interval, mean, times
from .decided import Answers, Decisions, decisions
from .evaluate import Evaluation
from .metrics import Metrics
from .metrics import write as write_metrics
from .sections import Judging

RESAMPLES = 2000
_AT_ONCE = 4_000_000  # numbers in memory: how many draws are made together


@dataclass(frozen=True)
class _Judged:
    """One label of one repeat, and what was decided of it."""

    answers: Answers
    said: Float[np.ndarray, "recordings"]
    """1 where it is said to hold."""
    calibrated: Float[np.ndarray, "recordings"]

    @classmethod
    def of(cls, answers: Answers, made: Decisions, label: str) -> "_Judged":
        said, calibrated = np.full((2, len(answers.truth)), np.nan)
        for training, decision in made[label].items():
            own = answers.folds == training
            said[own] = decision.holds(answers.probability[own])
            calibrated[own] = decision.calibrated(answers.probability[own])
        return cls(answers, said, calibrated)

    def figures(self, weights: Float[np.ndarray, "draws recordings"]) -> dict[str, Float[np.ndarray, "draws"]]:
        """Every figure in every draw; NaN where it is undefined, and everywhere if an answer is no number."""
        y, p, said = self.answers.truth, self.answers.probability, self.said
        ratio = drawn.ratio
        found = {
            "auroc": drawn.auroc(y, p, weights),
            "average_precision": drawn.average_precision(y, p, weights),
            "sensitivity": ratio(weights, said * y, y),
            "specificity": ratio(weights, (1 - said) * (1 - y), 1 - y),
            "positive_predictive_value": ratio(weights, said * y, said),
            "negative_predictive_value": ratio(weights, (1 - said) * (1 - y), 1 - said),
            "brier": ratio(weights, (p - y) ** 2, np.ones_like(y)),
            "brier_calibrated": ratio(weights, (self.calibrated - y) ** 2, np.ones_like(y)),
            "calibration_error": drawn.calibration_error(y, np.nan_to_num(p), weights),
            "calibration_error_calibrated": drawn.calibration_error(y, np.nan_to_num(self.calibrated), weights),
        }
        if np.isfinite(p).all():
            return found
        return {name: np.full(len(weights), np.nan) for name in found}

    def why(self, name: str) -> str:
        """Why a figure is undefined."""
        y = self.answers.truth
        if not np.isfinite(self.answers.probability).all():
            return "an answer is no number"
        if len(y) and name in ("positive_predictive_value", "negative_predictive_value"):
            return f"nobody is said {'to have' if name.startswith('positive') else 'not to have'} it"
        return undefined(len(y), len(set(self.answers.groups)), int(y.sum()))


def judge(evaluations: Mapping[str, Sequence[Evaluation]], judging: Judging, made: Decisions) -> dict[str, Any]:
    """What clinical.json holds: `decisions` by label and training, and the figures of each part: `recordings` and
    `groups` by label, and `subgroups` by column, value and label. Of repeats with other seeds figures are means."""
    if not made:
        return {}
    parts: dict[str, Any] = {}
    for part, repeats in evaluations.items():
        answers = [Answers.of(repeat.predictions) for repeat in repeats]
        recordings = {label: [own.get(label, Answers.none()) for own in answers] for label in made}
        groups = {label: [one.by_group() for one in own] for label, own in recordings.items()}
        told: dict[str, Any] = {"recordings": _level(recordings, made), "groups": _level(groups, made), "subgroups": {}}
        for column, strata in repeats[0].strata.items():
            for label, own in recordings.items():
                values = [np.array([strata.get(id, "unknown") for id in one.ids], object) for one in own]
                for value in sorted(set(values[0])):
                    within = [one.only(v == value) for one, v in zip(own, values, strict=True)]
                    there = told["subgroups"].setdefault(column, {}).setdefault(value, {})
                    there[label] = figures(within, made, label, judging.smallest_subgroup)
        parts[part] = told
    return {"decisions": {label: {f: asdict(d) for f, d in own.items()} for label, own in made.items()}, "parts": parts}


def _level(answers: Mapping[str, Sequence[Answers]], made: Decisions) -> dict[str, Any]:
    """The figures of every label, and of several the mean over those that are defined."""
    everyone = np.unique(np.concatenate([one.groups.astype(str) for own in answers.values() for one in own]))
    told = {label: figures(own, made, label, everyone=everyone) for label, own in answers.items()}
    if len(told) > 1:
        judged = {label: [_Judged.of(a, made, label) for a in own] for label, own in answers.items()}
        told[OVERALL] = _overall(judged, everyone)
    return told


def figures(
    repeats: Sequence[Answers], made: Decisions, label: str, fewest: int = 0, everyone: np.ndarray | None = None
) -> dict[str, Any]:
    """Counts of a label, and figures with 95 % intervals over groups: `{name: {value, low, high, note}}`.

    Args:
        repeats: answers to the same recordings by trainings with other seeds; one of them in most runs.
        made: what was decided before.
        label: the name of the label.
        fewest: of fewer groups no figure is given.
        everyone: the groups that are drawn, sorted; by default those of which the label is known.
    """
    judged = [_Judged.of(own, made, label) for own in repeats]
    first = repeats[0]
    names, place = np.unique(first.groups.astype(str), return_inverse=True)
    positive = np.bincount(place, first.truth, len(names)) > 0
    told = {
        **{"n": len(first.truth), "groups": len(names), "positives": int(first.truth.sum())},
        **{"positive_groups": int(positive.sum()), "prevalence": float(first.truth.mean()) if len(place) else None},
    }
    if len(names) < fewest:
        nothing = {"value": None, "low": None, "high": None, "note": f"fewer than {fewest} groups"}
        return told | {"figures": dict.fromkeys(judged[0].figures(np.ones((1, len(place)))), nothing)}
    values = _drawn(judged, names if everyone is None else everyone)
    return told | {
        "figures": {
            name: _figure(mean(np.stack([own[name] for own in values], 1)), len(names), judged[0].why(name))
            for name in values[0]
        }
    }


def _overall(judged: Mapping[str, Sequence[_Judged]], names: np.ndarray) -> dict[str, Any]:
    """The mean over labels, of those that are defined in a draw."""
    every = [one.answers for own in judged.values() for one in own]
    flat = _drawn([one for own in judged.values() for one in own], names)
    told: dict[str, Any] = {}
    for name in flat[0]:
        of_labels = iter(flat)
        by_label = [mean(np.stack([next(of_labels)[name] for _ in own], 1)) for own in judged.values()]
        there = [v for v in by_label if np.isfinite(v[0])]
        values = mean(np.stack(there, 1)) if there else np.full(1 + RESAMPLES, np.nan)
        told[name] = _figure(values, len(names), "of no label")
        if there and len(there) < len(by_label):
            note = f"mean of {len(there)} of {len(by_label)} labels"
            told[name]["note"] = "; ".join(filter(None, (note, told[name]["note"])))
    n = len({id for own in every for id in own.ids})
    return {"n": n, "groups": len(names), "positives": None, "positive_groups": None, "prevalence": None} | {
        "figures": told
    }


def _drawn(judged: Sequence[_Judged], names: np.ndarray) -> list[dict[str, Array]]:
    """Every figure of each, first as it is, and then in each draw of groups; all see the same draws, which are those of
    metrics.json."""
    places = [np.searchsorted(names, own.answers.groups.astype(str)) for own in judged]
    found = [[own.figures(np.ones((1, len(place))))] for own, place in zip(judged, places, strict=True)]
    for counts in _draws(len(names), max(1, len(names), *map(len, places))):
        for figures_of, own, place in zip(found, judged, places, strict=True):
            figures_of.append(own.figures(counts[:, place]))
    return [{name: np.concatenate([one[name] for one in own]) for name in own[0]} for own in found]


def _draws(groups: int, largest: int) -> Iterator[Float[np.ndarray, "draws {groups}"]]:
    """How often each group is drawn, some draws at a time."""
    drawn = times(groups, RESAMPLES, 0) if groups else iter(())
    while some := list(islice(drawn, max(_AT_ONCE // largest, 1))):
        yield np.stack(some).astype(float)


def _figure(values: Array, groups: int, why: str) -> dict[str, Any]:
    """A figure and its draws, with the reason where it is undefined, or where there is no interval."""
    if not np.isfinite(values[0]):
        return {"value": None, "low": None, "high": None, "note": why}
    low, high, note = interval(values[1:])
    if groups < MIN_GROUPS:
        low, high, note = None, None, f"no interval: {groups} groups, fewer than {MIN_GROUPS}"
    return {"value": float(values[0]), "low": low, "high": high, "note": note}


def write(
    folder: Path,
    evaluations: Mapping[str, Sequence[Evaluation]],
    judging: Judging,
    known: Mapping[str, Decision] = MappingProxyType({}),
) -> tuple[Metrics, Decisions]:
    """Write metrics.json and predictions.parquet, and where labels are given once per recording clinical.json: what was
    decided of them, and their figures.

    Args:
        folder: of the run.
        evaluations: of each part, one for each repeat with another seed.
        judging: how labels are judged.
        known: what was decided before, by label.
    """
    made = decisions(evaluations, judging, known)
    metrics = write_metrics(folder, evaluations, made)
    if judged := judge(evaluations, judging, made):
        storage.write_text(folder / "clinical.json", json.dumps(judged, indent=1, allow_nan=False) + "\n")
    return metrics, made
