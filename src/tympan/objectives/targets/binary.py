"""Labels that are yes or no, any number of them: a probability for each."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor

from ...signals import Signal
from .. import Target
from ._read import entries, numbers, times, together, unique

_WORDS = {"true": 1.0, "false": 0.0}


class Binary(Target):
    """Labels that hold or do not; each may be unknown by itself."""

    space = "binary"
    mixable = True
    default_loss = "bce"
    default_metrics = ("auroc", "average_precision", "unweighted_average_recall", "accuracy")

    labels: tuple[str, ...] = ()
    """The names of the labels; by default everything that is given with the training examples."""

    @model_validator(mode="after")
    def _check(self) -> "Binary":
        unique(self.labels, "label")
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.labels

    def signal(self, duration: float) -> Signal:
        if not self.labels:
            raise ValueError("target 'binary' has no `labels` yet; list them, or call fit with the training values")
        return Signal(self.labels, self.rate, duration)

    def fit(self, values: Iterable[Mapping[str, Any]]) -> "Binary":
        """A copy with its labels filled in.

        Raises:
            ValueError: a label is unknown in every example, or holds what is neither yes nor no.
        """
        examples = list(values)
        labels = self.labels or tuple(dict.fromkeys(name for example in examples for name in example))
        if not labels:
            raise ValueError("the training examples come without any label; check the table of labels")
        for label in labels:
            if all(np.isnan(self._read(label, example.get(label))).all() for example in examples):
                raise ValueError(
                    f"label {label!r} is unknown in every training example; check its name, or leave it out"
                )
        unique(labels, "label")
        return self.model_copy(update={"labels": labels})

    def encode(self, values: Mapping[str, Any]) -> Float[Tensor, "channels frames"]:
        rows = together({label: self._read(label, values.get(label)) for label in self.labels})
        return torch.from_numpy(rows.astype(np.float32))

    def decode(
        self, prediction: Float[Tensor, "batch channels frames"]
    ) -> dict[str, Float[np.ndarray, "batch values frames"]]:
        p = prediction.detach().cpu().double().sigmoid().numpy()
        return {label: p[:, i : i + 1] for i, label in enumerate(self.labels)}

    def truth(self, encoded: Float[Tensor, "batch channels frames"]) -> dict[str, Float[np.ndarray, "batch 1 frames"]]:
        known = encoded.detach().cpu().double().numpy()
        return {label: known[:, i : i + 1] for i, label in enumerate(self.labels)}

    def past_of_prediction(
        self, prediction: Float[Tensor, "batch labels frames"]
    ) -> Float[Tensor, "batch labels frames"]:
        return prediction.sigmoid()

    def columns(self, decoded: Mapping[str, Float[np.ndarray, "values frames"]]) -> dict[str, list[float] | list[str]]:
        return {**times(decoded, self.rate), **{label: p[0].tolist() for label, p in decoded.items()}}

    def _read(self, label: str, value: Any) -> Float[np.ndarray, "frames"]:
        what = f"label {label!r}"
        given = entries(what, value, self.rate)
        if given.dtype.kind in "OUS":
            given = np.array([_WORDS.get(str(x).strip().lower(), x) for x in given.tolist()], object)
        try:
            x = numbers(what, given, self.rate)
        except ValueError:
            x = np.array([np.inf])
        if not np.isin(x[~np.isnan(x)], (0, 1)).all():
            raise ValueError(
                f"{what} is {value!r}, which is neither 0 nor 1 (nor true nor false); leave it empty where it is "
                "unknown, list the labels that are meant in `labels`, or make one of a rating by `data.positive_above`"
            )
        return x
