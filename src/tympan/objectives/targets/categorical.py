"""One class of several: a probability for each."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from ...component import did_you_mean
from ...signals import Signal
from .. import Target
from ._read import entries, times, unique, unknown


class Categorical(Target):
    """One class of several; the network has a channel for each, the encoded target is the number of the class."""

    space = "class"
    mixable = True
    default_loss = "cross_entropy"
    default_metrics = ("accuracy", "unweighted_average_recall")

    column: str = Field(min_length=1)
    """The name of the value that holds the class."""
    classes: tuple[str, ...] = ()
    """The classes in the order of the channels; by default those of the training part, sorted."""

    @field_validator("classes", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return tuple(_text(c) for c in value) if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _check(self) -> "Categorical":
        unique(self.classes, "class")
        if len(self.classes) == 1:
            raise ValueError(f"one class, {self.classes[0]!r}, leaves nothing to tell apart; give two or more")
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.column,)

    def signal(self, duration: float) -> Signal:
        if not self.classes:
            raise ValueError(
                f"the classes of {self.column!r} are not known yet; list them in `classes`, or call fit with the "
                "training values"
            )
        return Signal(self.classes, self.rate, duration)

    def fit(self, values: Iterable[Mapping[str, Any]]) -> "Categorical":
        """A copy with the classes that occur, in numerical order where all are numbers; given ones are kept.

        Raises:
            ValueError: fewer than two classes occur, or one that is not among the given ones.
        """
        found = {_text(v) for example in values for v in self._entries(example) if not unknown(v)}
        if self.classes:
            for name in sorted(found):
                self._number(name)
        if len(found) < 2:
            raise ValueError(
                f"{self.column!r} holds {len(found)} classes ({', '.join(sorted(found)) or 'none'}) in the training "
                "part, and there must be two or more; check the column's name and the split"
            )
        return self.model_copy(update={"classes": self.classes or _in_order(found)})

    def encode(self, values: Mapping[str, Any]) -> Float[Tensor, "channels frames"]:
        numbers = [float("nan") if unknown(v) else self._number(_text(v)) for v in self._entries(values)]
        return torch.tensor([numbers], dtype=torch.float32)

    def decode(
        self, prediction: Float[Tensor, "batch channels frames"]
    ) -> dict[str, Float[np.ndarray, "batch values frames"]]:
        return {self.column: prediction.detach().cpu().double().softmax(1).numpy()}

    def truth(self, encoded: Float[Tensor, "batch channels frames"]) -> dict[str, Float[np.ndarray, "batch 1 frames"]]:
        return {self.column: encoded.detach().cpu().double().numpy()}

    def mixed(
        self,
        encoded: Float[Tensor, "batch 1 frames"],
        other: Float[Tensor, "batch 1 frames"],
        share: Float[Tensor, " batch"],
    ) -> Float[Tensor, "batch classes frames"]:
        """Probabilities of the classes."""
        return super().mixed(self._shares(encoded), self._shares(other), share)

    def _shares(self, encoded: Float[Tensor, "batch 1 frames"]) -> Float[Tensor, "batch classes frames"]:
        known = torch.where(encoded.isnan(), 0.0, encoded)
        return torch.where(encoded.isnan(), torch.nan, self.past_of_truth(known))

    def past_of_truth(self, encoded: Float[Tensor, "batch 1 frames"]) -> Float[Tensor, "batch classes frames"]:
        return torch.nn.functional.one_hot(encoded[:, 0].long(), len(self.classes)).transpose(1, 2).float()

    def past_of_prediction(
        self, prediction: Float[Tensor, "batch classes frames"]
    ) -> Float[Tensor, "batch classes frames"]:
        return prediction.softmax(1)

    def columns(self, decoded: Mapping[str, Float[np.ndarray, "values frames"]]) -> dict[str, list[float] | list[str]]:
        p = decoded[self.column]
        names = [self.classes[i] for i in p.argmax(0)]
        return {**times(decoded, self.rate), self.column: names, f"{self.column} probability": p.max(0).tolist()}

    def _entries(self, values: Mapping[str, Any]) -> list[Any]:
        return entries(repr(self.column), values.get(self.column), self.rate).tolist()

    def _number(self, name: str) -> float:
        if name not in self.classes:
            raise ValueError(
                f"{self.column!r} is {name!r}, which is none of the classes {', '.join(self.classes) or '(none yet)'}"
                f"{did_you_mean(name, list(self.classes))}; leave it empty where it is unknown"
            )
        return float(self.classes.index(name))


def _text(value: Any) -> str:
    # A column of whole numbers with gaps is read as decimal numbers by many programs: 1.0 is the class "1".
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value).strip()


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    try:
        return tuple(sorted(names, key=float))
    except ValueError:
        return tuple(sorted(names))
