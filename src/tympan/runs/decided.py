"""Thresholds and calibration of labels, learned from answers that are not judged by them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Shaped
from scipy.optimize import minimize

from ..objectives.decision import Array, Decision, logits, sigmoid
from .evaluate import Evaluation
from .said import Said
from .sections import Judging

FEWEST = 10
"""Recordings of which a threshold and a calibration are learned."""
_SLOPES, _BIASES = (0.05, 20.0), (-10.0, 10.0)

Decisions = dict[str, dict[str, Decision]]
"""By label, then by the training that answers; `''` where there is but one."""


@dataclass(frozen=True)
class Answers:
    """What was said of one label where it is known, in one place for each recording."""

    truth: Float[np.ndarray, "recordings"]
    probability: Float[np.ndarray, "recordings"]
    groups: Shaped[np.ndarray, "recordings"]
    folds: Shaped[np.ndarray, "recordings"]
    """The training that answered."""
    ids: Shaped[np.ndarray, "recordings"]

    @classmethod
    def of(cls, said: Iterable[Said]) -> "dict[str, Answers]":
        """By label; labels that are given over time have no part in it, nor what is unknown."""
        rows: dict[str, list[Said]] = {}
        for one in said:
            if is_judged(one) and not np.isnan(one.truth[0]):
                rows.setdefault(one.output, []).append(one)
        return {label: cls._from(own) for label, own in rows.items()}

    @classmethod
    def _from(cls, said: Sequence[Said]) -> "Answers":
        truth, p = (np.array(x, float) for x in ([s.truth[0] for s in said], [s.answer[0, 0] for s in said]))
        return cls(truth, p, *(np.array([getattr(s, key) for s in said], object) for key in ("group", "fold", "id")))

    @classmethod
    def none(cls) -> "Answers":
        """Nothing that is known."""
        return cls._from(())

    def only(self, which: np.ndarray) -> "Answers":
        """Some of the recordings."""
        return Answers(*(v[which] for v in vars(self).values()))

    def by_group(self) -> "Answers":
        """One answer for each group: the mean logit of its recordings; it is positive where one of them is."""
        names, first, place = np.unique(self.groups.astype(str), return_index=True, return_inverse=True)
        logit = np.bincount(place, logits(self.probability)) / np.bincount(place)
        truth = np.bincount(place, self.truth) > 0
        return Answers(truth.astype(float), sigmoid(logit), names, self.folds[first], names)


def is_judged(said: Said) -> bool:
    """Whether it is of a label that is given once per recording."""
    return said.space == "binary" and said.rate is None


def decide(answers: Answers | None, judging: Judging, source: str) -> Decision:
    """Fix threshold and calibration on answers that are not judged by them.

    Args:
        answers: to learn from; `None` where there are none.
        judging: by what rule; its calibration is not auto.
        source: where the answers are from, in words.
    """
    given = judging.threshold if isinstance(judging.threshold, float) else None
    if few := _too_few(answers, source):
        threshold = "0.5 by default" if given is None else "given"
        return Decision(0.5 if given is None else given, 1.0, f"{few}: threshold {threshold}, nothing is calibrated")
    assert answers is not None
    truth, p = answers.truth, answers.probability
    slope, bias = _calibration(truth, logits(p), judging.calibration)
    if judging.calibration == "none":
        calibrated = "not calibrated"
    else:
        limit = "" if slope not in _SLOPES and bias not in _BIASES else ", as far as that may go"
        calibrated = f"calibrated by {judging.calibration} on {source}{limit}"
    if given is not None:
        return Decision(given, 1 / slope, f"threshold given; {calibrated}", bias)
    threshold, rule = _threshold(truth, p, judging.sensitivity)
    return Decision(threshold, 1 / slope, f"threshold on {source}, {rule}; {calibrated}", bias)


def _too_few(answers: Answers | None, source: str) -> str:
    """Why nothing is learned; empty where something is."""
    if answers is None and source.startswith("no "):
        return f"there is {source}"
    if answers is None or not len(answers.truth):
        return f"{source} knows nothing of it"
    if len(answers.truth) < FEWEST:
        return f"{source} has {len(answers.truth)} recordings, fewer than {FEWEST}"
    if answers.truth.min() == answers.truth.max():
        return f"{source} has only {'positives' if answers.truth[0] else 'negatives'}"
    for name, kind in (("positives", 1), ("negatives", 0)):
        if len(set(answers.groups[answers.truth == kind])) < 2:
            return f"{source} has {name} of one group alone"
    return "" if np.isfinite(answers.probability).all() else f"{source} has answers that are no numbers"


def _calibration(truth: Array, logit: Array, kind: str) -> tuple[float, float]:
    """The slope and the bias of logits with the least loss; without a bias where a temperature is asked for.

    Each kind is taken to be certain only as far as its number allows (Platt 1999), or what is told apart without a
    mistake here would be said to be certain everywhere.
    """
    if kind == "none":
        return 1.0, 0.0
    yes, no = truth.sum(), (1 - truth).sum()
    sure = np.where(truth == 1, (yes + 1) / (yes + 2), 1 / (no + 2))

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        z = x[0] * logit + x[1]
        off = (sigmoid(z) - sure) / len(z)
        return float((np.logaddexp(0, z) - sure * z).mean()), np.array([off @ logit, off.sum()])

    bounds = (_SLOPES, _BIASES if kind == "platt" else (0.0, 0.0))
    slope, bias = minimize(loss, (1.0, 0.0), jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(slope), float(bias)


def _threshold(truth: Array, p: Array, sensitivity: float | None) -> tuple[float, str]:
    """Halfway between two answers, where Youden's J is largest or the sensitivity is first met; and by what rule."""
    order = np.argsort(-p)
    ranked, found = p[order], np.cumsum(truth[order]) / truth.sum()
    alarms = np.cumsum(1 - truth[order]) / (1 - truth).sum()
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))  # equal probabilities fall together
    if sensitivity is None:
        place, rule = last[np.argmax((found - alarms)[last])], "by Youden's J"
    else:
        place, rule = last[np.argmax(found[last] >= sensitivity - 1e-12)], f"for sensitivity {sensitivity:g}"
    below = ranked[place + 1] if place + 1 < len(p) else 0.0
    return float(ranked[place] + below) / 2, rule


def decisions(
    evaluations: Mapping[str, Sequence[Evaluation]],
    judging: Judging,
    known: Mapping[str, Decision] = MappingProxyType({}),
) -> Decisions:
    """What is fixed for every label that is given once per recording.

    It is learned on the validation part; of folds, for each of them on the answers to all others; where there is
    neither, the threshold is 0.5 or the one given, and nothing is calibrated.

    Args:
        evaluations: of each part, one for each repeat with another seed.
        judging: by what rule.
        known: what was fixed before, by label; if it is there, nothing is learned.
    """
    part = next((p for p in ("validation", "out_of_fold") if evaluations.get(p)), "")
    source = {"validation": "validation", "out_of_fold": "the other folds"}.get(part, "no validation part")
    learned = [
        ({s.fold for s in repeat.predictions}, Answers.of(repeat.predictions)) for repeat in evaluations.get(part, ())
    ]
    every = (s for repeats in evaluations.values() for repeat in repeats for s in repeat.predictions)
    found: Decisions = {}
    for label, training in dict.fromkeys((s.output, s.fold) for s in every if is_judged(s)):
        if known:
            made = known.get(label) or decide(None, judging, "the artifact")
        else:
            own = next((of.get(label) for trainings, of in learned if training in trainings), None)
            if own and part == "out_of_fold":
                own = own.only(own.folds != training)
            elif own:
                own = own.only(own.folds == training)
            made = decide(own, judging, source)
        found.setdefault(label, {})[training] = made
    return found
