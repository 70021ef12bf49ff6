"""Labels as a clinic would judge them: at a threshold fixed beforehand, calibrated, by speaker, and in subgroups."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar

from ..data import storage
from ..objectives import drawn
from ..objectives.resample import MIN_GROUPS
from .evaluate import Evaluation
from .said import Said
from .sections import Judging

RESAMPLES = 2000
_FEWEST = 10  # recordings of which a threshold and a temperature are learned
_LEAST = 1e-12

Array = Float[np.ndarray, "..."]


@dataclass(frozen=True)
class Decision:
    """What of a label's probability is fixed before it is judged."""

    threshold: float
    """The probability, as the model says it, from which on the label is said to hold."""
    temperature: float
    """By which logits are divided, so that probabilities are as often right as they say (Guo et al. 2017)."""
    source: str
    """Where both come from, in words."""


@dataclass(frozen=True)
class Answers:
    """What was said of one label, `(recordings,)` each."""

    truth: Array
    probability: Array
    groups: np.ndarray
    folds: np.ndarray
    ids: np.ndarray

    @classmethod
    def of(cls, said: Iterable[Said]) -> "dict[str, Answers]":
        """By label; labels that are given over time have no part in it, nor what is unknown."""
        rows: dict[str, list[Said]] = {}
        for one in said:
            if one.space == "binary" and one.rate is None and not np.isnan(one.truth[0]):
                rows.setdefault(one.output, []).append(one)
        return {
            label: cls(
                np.array([s.truth[0] for s in own], float),
                np.array([s.answer[0, 0] for s in own], float),
                *(np.array(v, object) for v in zip(*((s.group, s.fold, s.id) for s in own), strict=True)),
            )
            for label, own in rows.items()
        }

    def only(self, which: np.ndarray) -> "Answers":
        return Answers(*(v[which] for v in vars(self).values()))

    def by_group(self) -> "Answers":
        """One answer for each group: the mean logit of its recordings; it is positive where one of them is."""
        names, place = np.unique(self.groups.astype(str), return_inverse=True)
        n = np.bincount(place)
        logit = np.bincount(place, logits(self.probability)) / n
        truth = np.bincount(place, self.truth) > 0
        return Answers(truth.astype(float), _sigmoid(logit), names, names, names)


def logits(p: Array) -> Array:
    p = np.clip(p, _LEAST, 1 - _LEAST)
    return np.log(p) - np.log1p(-p)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-np.clip(x, -700, 700)))


def decide(answers: Answers, judging: Judging, source: str) -> Decision:
    """Fix threshold and temperature on answers that are not judged by them."""
    truth, p = answers.truth, answers.probability
    fixed = judging.threshold if isinstance(judging.threshold, float) else None
    if len(truth) < _FEWEST or truth.min() == truth.max():
        why = f"{source} has {len(truth)} recordings{' of both kinds' if len(truth) < _FEWEST else ', all of one kind'}"
        return Decision(0.5 if fixed is None else fixed, 1.0, f"{why}, too few to fix anything; 0.5 by default")

    def cost(log_temperature: float) -> float:
        q = np.clip(_sigmoid(logits(p) / math.exp(log_temperature)), _LEAST, 1 - _LEAST)
        return -float((truth * np.log(q) + (1 - truth) * np.log(1 - q)).mean())

    temperature = math.exp(minimize_scalar(cost, bounds=(-3, 3), method="bounded").x)  # pyright: ignore
    if fixed is not None:
        return Decision(fixed, temperature, f"threshold given, temperature from {source}")
    order = np.argsort(-p)
    sensitivity, rejected = np.cumsum(truth[order]) / truth.sum(), np.cumsum(1 - truth[order]) / (1 - truth).sum()
    last = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))  # equal probabilities fall together
    if judging.sensitivity is not None:
        place = last[np.argmax(sensitivity[last] >= judging.sensitivity - 1e-12)]
        rule = f"sensitivity {judging.sensitivity:g}"
    else:
        place, rule = last[np.argmax((sensitivity - rejected)[last])], "Youden's J"
    below = p[order][place + 1] if place + 1 < len(p) else 0.0
    return Decision(float(p[order][place] + below) / 2, temperature, f"{source}, {rule}")


def decisions(
    evaluations: Mapping[str, Sequence[Evaluation]], judging: Judging, known: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Decision]]:
    """By label, the decision for each fold; `''` where there are none.

    Of a run with a validation part it is made there; of folds, on the answers to all other folds; else 0.5 is all
    that is known. `known` are decisions that were made before, and stay.
    """
    if known:
        return {label: {"": Decision(**one)} for label, one in known.items()}
    part = next((p for p in ("validation", "out_of_fold") if p in evaluations), None)
    found: dict[str, dict[str, Decision]] = {}
    if part is None:
        test = next(iter(evaluations.values()), [])
        labels = Answers.of(test[0].predictions) if test else {}
        nothing = "no validation part, and nothing else to fix it by; 0.5 by default"
        given = judging.threshold if isinstance(judging.threshold, float) else 0.5
        return {label: {"": Decision(given, 1.0, nothing)} for label in labels}
    for label, own in Answers.of(evaluations[part][0].predictions).items():
        names = sorted(set(own.folds)) if part == "out_of_fold" else [""]
        source = "the other folds" if part == "out_of_fold" else "validation"
        found[label] = {
            name: decide(own.only(own.folds != name) if part == "out_of_fold" else own, judging, source)
            for name in names
        }
    return found


def judge(
    evaluations: Mapping[str, Sequence[Evaluation]], judging: Judging, known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What clinical.json holds: `decisions` by label and fold, and the figures of each part: `recordings` and `groups`
    by label, and `subgroups` by column, value and label. Of repeats with other seeds the first is judged."""
    made = decisions(evaluations, judging, known)
    if not made:
        return {}
    parts: dict[str, Any] = {}
    for part, (evaluation, *_) in evaluations.items():
        answers = Answers.of(evaluation.predictions)
        told: dict[str, Any] = {"recordings": {}, "groups": {}, "subgroups": {}}
        for label, own in answers.items():
            if label not in made:
                continue
            told["recordings"][label] = figures(own, made[label])
            told["groups"][label] = figures(own.by_group(), {"": Decision(0.5, 1.0, "")}, decided=False)
            for column, strata in evaluation.strata.items():
                values = np.array([strata.get(id, "unknown") for id in own.ids], object)
                for value in sorted(set(values)):
                    within = told["subgroups"].setdefault(column, {}).setdefault(value, {})
                    within[label] = figures(own.only(values == value), made[label])
        parts[part] = told
    return {"decisions": {label: {f: asdict(d) for f, d in own.items()} for label, own in made.items()}, "parts": parts}


def figures(answers: Answers, made: Mapping[str, Decision], decided: bool = True) -> dict[str, Any]:
    """Counts, and figures with 95 % intervals over groups: `{name: {value, low, high, note}}`."""
    y, p = answers.truth, answers.probability
    each = [made.get(fold, next(iter(made.values()))) for fold in answers.folds]
    names, place = np.unique(answers.groups.astype(str), return_inverse=True)
    positive_groups = len(set(answers.groups[y == 1].astype(str)))
    told = {
        **{"n": len(y), "groups": len(names), "positives": int(y.sum()), "positive_groups": positive_groups},
        "prevalence": float(y.mean()) if len(y) else None,
    }
    weights = np.vstack([np.ones(len(names)), _draws(answers, names, place)])[:, place]
    values: dict[str, Array] = {
        "auroc": drawn.auroc(y, p, weights),
        "average_precision": drawn.average_precision(y, p, weights),
    }
    if decided:
        said = (p >= np.array([d.threshold for d in each])).astype(float)
        calibrated = _sigmoid(logits(p) / np.array([d.temperature for d in each]))
        values |= {
            "sensitivity": drawn.ratio(weights, said * y, y),
            "specificity": drawn.ratio(weights, (1 - said) * (1 - y), 1 - y),
            "positive_predictive_value": drawn.ratio(weights, said * y, said),
            "negative_predictive_value": drawn.ratio(weights, (1 - said) * (1 - y), 1 - said),
            "brier": drawn.ratio(weights, (p - y) ** 2, np.ones_like(y)),
            "brier_calibrated": drawn.ratio(weights, (calibrated - y) ** 2, np.ones_like(y)),
            "calibration_error": drawn.calibration_error(y, p, weights),
            "calibration_error_calibrated": drawn.calibration_error(y, calibrated, weights),
        }
    return told | {"figures": {name: _interval(v, len(names)) for name, v in values.items()}}


def _draws(answers: Answers, names: np.ndarray, place: np.ndarray) -> Array:
    """How often each group is drawn: those with and those without a positive recording each among themselves, so that
    no draw has but one kind."""
    rng = np.random.default_rng(0)
    positive = np.bincount(place, answers.truth, len(names)) > 0
    counts = np.zeros((RESAMPLES, len(names)))
    for kind in (positive, ~positive):
        n = int(kind.sum())
        if n:
            counts[:, kind] = rng.multinomial(n, np.full(n, 1 / n), RESAMPLES)
    return counts


def _interval(values: Array, groups: int) -> dict[str, Any]:
    value = float(values[0])
    if not math.isfinite(value):
        return {"value": None, "low": None, "high": None, "note": "undefined: only one kind is known"}
    if groups < MIN_GROUPS:
        return {"value": value, "low": None, "high": None, "note": f"{groups} groups are too few for an interval"}
    finite = values[1:][np.isfinite(values[1:])]
    low, high = (float(np.quantile(finite, q)) for q in (0.025, 0.975)) if len(finite) else (None, None)
    return {"value": value, "low": low, "high": high, "note": ""}


def write(folder: Path, judged: Mapping[str, Any]) -> None:
    """Write clinical.json, where labels were judged."""
    if judged:
        storage.write_text(folder / "clinical.json", json.dumps(judged, indent=1, allow_nan=False) + "\n")
