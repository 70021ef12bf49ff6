"""What of a label's probability is fixed before it is judged: from where on it holds, and how sure it really is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .drawn import Array

_LEAST = 1e-12


@dataclass(frozen=True)
class Decision:
    """How a label is decided and calibrated; the same ever after."""

    threshold: float
    """The probability, as the model says it, from which on the label is said to hold."""
    temperature: float
    """By which logits are divided, so that probabilities are as often right as they say (Guo et al. 2017)."""
    source: str
    """Where all this comes from, in words."""
    bias: float = 0.0
    """What is added to the divided logits (Platt 1999); 0 where only a temperature was fitted."""

    def holds(self, p: Array) -> Array:
        """1 where the label is said to hold, 0 where not; NaN stays."""
        return np.where(np.isnan(p), np.nan, p >= self.threshold)

    def calibrated(self, p: Array) -> Array:
        """The probabilities that are as often right as they say."""
        return sigmoid(logits(p) / self.temperature + self.bias)


def kept(provenance: Mapping[str, Any]) -> dict[str, Decision]:
    """The decisions that an artifact keeps, by label."""
    return {label: Decision(**told) for label, told in provenance.get("decisions", {}).items()}


def decided(made: Mapping[str, Decision], answer: Mapping[str, Array]) -> dict[str, Any]:
    """The calibrated probability of each label that is decided, and 1 where it is said to hold, as columns of a table.

    Args:
        made: the decision of each label.
        answer: what is said of one recording by output, `(1, frames)` for a label.
    """
    found: dict[str, Any] = {}
    for label, decision in made.items():
        if label in answer:
            found[f"{label} (calibrated)"] = decision.calibrated(answer[label][0]).tolist()
            found[f"{label} (decision)"] = decision.holds(answer[label][0]).tolist()
    return found


def logits(p: Array) -> Array:
    """The logits of probabilities; those of 0 and 1 are finite."""
    p = np.clip(p, _LEAST, 1 - _LEAST)
    return np.log(p) - np.log1p(-p)


def joint(p: Array, classes: bool) -> Array:
    """What several say together, `(several, ...)`: the probability that the mean of their logits has; of classes,
    `(several, classes, ...)`, that of their log-probabilities."""
    if not classes:
        return sigmoid(logits(p).mean(0))
    whole = np.exp(np.log(np.clip(p, _LEAST, 1)).mean(0))
    return whole / whole.sum(0)


def sigmoid(x: Array) -> Array:
    """The probabilities of logits."""
    return 1 / (1 + np.exp(-np.clip(x, -700, 700)))
