"""A real quantity as one of several levels: a softmax over them, whose expectation is the answer."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from ...component import assume
from ...signals import Signal
from .. import Target
from ._read import numbers, times, unique, with_units


class Quantised(Target):
    """A real quantity, which the network sees as one of equally wide levels, the outermost of them open-ended.

    As in van den Oord et al. 2016 (doi 10.48550/arXiv.1609.03499), but with an expectation in place of a draw. The
    encoded target is a level's number with a fraction, from which the quantity is found again; losses of classes take
    the number alone.
    """

    space = "real"
    loss_space = "class"
    default_loss = "cross_entropy"
    default_metrics = ("mse", "mae", "r2", "pearson")

    quantities: dict[str, str] = Field(min_length=1, max_length=1)
    """The name of the quantity and its unit, `{eda: µS}`; `[eda]` has no unit."""
    levels: int = Field(default=64, ge=1, le=65536)
    """How many levels there are."""
    limits: tuple[float, ...] = ()
    """Where the levels begin and end, in the quantity's unit; by default from the training part."""
    tail: float = Field(default=0.001, ge=0, lt=0.5)
    """The part of the training values that limits taken from there leave out below, and again above."""

    @field_validator("quantities", mode="before")
    @classmethod
    def _without_units(cls, value: Any) -> Any:
        return with_units(value)

    @model_validator(mode="after")
    def _check(self) -> "Quantised":
        unique(self.quantities, "quantity")
        if self.levels == 1:
            raise ValueError(
                "a softmax over one channel is 1 whatever the network says, so nothing can be learned; give two "
                "`levels` or more, or take target continuous, whose network says the quantity itself"
            )
        if self.limits and (len(self.limits) != 2 or not self.limits[0] < self.limits[1]):
            raise ValueError(f"limits are the lower one and the higher one, not {self.limits}")
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.quantities)

    @property
    def unit(self) -> dict[str, str]:
        return dict(self.quantities)

    def signal(self, duration: float) -> Signal:
        return Signal(tuple(f"{self._name}_{i}" for i in range(self.levels)), self.rate, duration)

    def fit(self, values: Iterable[Mapping[str, Any]]) -> "Quantised":
        """A copy with limits between which all known frames lie, but for both tails; given ones are kept.

        Raises:
            ValueError: the quantity is unknown everywhere in the training part.
        """
        if self.limits:
            return self
        read = [self._read(example) for example in values]
        known = np.concatenate([x[~np.isnan(x)] for x in read] or [np.empty(0)])
        if not known.size:
            raise ValueError(
                f"quantity {self._name!r} is unknown in every training example; check its name, or leave it out"
            )
        low, high = (float(x) for x in np.quantile(known, [self.tail, 1 - self.tail]))
        if low == high:
            assume(f"quantity {self._name!r} is nearly always {low:g} in the training part; its levels are of 1 in all")
            low, high = low - 0.5, high + 0.5
        return self.model_copy(update={"limits": (low, high)})

    def encode(self, values: Mapping[str, Any]) -> Float[Tensor, "1 frames"]:
        low, width = self._grid()
        place = (self._read(values) - low) / width
        # Of the outermost levels, half is for what lies within the limits, and the rest for what lies beyond.
        below, above = np.minimum(place, 1), np.maximum(place, self.levels - 1)
        place = np.where(place < 1, 1 / (2 - below), place)
        place = np.where(place > self.levels - 1, self.levels - 1 / (2 - self.levels + above), place)
        last = np.nextafter(np.float32(self.levels), np.float32(0))
        return torch.from_numpy(np.minimum(place.astype(np.float32), last))[None]

    def decode(
        self, prediction: Float[Tensor, "batch levels frames"]
    ) -> dict[str, Float[np.ndarray, "batch 1 frames"]]:
        low, width = self._grid()
        return {self._name: low + width * self._expected(prediction.detach().cpu().double()).numpy()}

    def truth(self, encoded: Float[Tensor, "batch 1 frames"]) -> dict[str, Float[np.ndarray, "batch 1 frames"]]:
        low, width = self._grid()
        return {self._name: low + width * self._place(encoded.detach().cpu().double()).numpy()}

    def columns(self, decoded: Mapping[str, Float[np.ndarray, "values frames"]]) -> dict[str, list[float] | list[str]]:
        ((name, unit),) = self.quantities.items()
        return {**times(decoded, self.rate), f"{name} ({unit})" if unit else name: decoded[name][0].tolist()}

    def past_signal(self, duration: float) -> Signal:
        return Signal(self.outputs, self.rate, duration)

    def past_of_truth(self, encoded: Float[Tensor, "batch 1 frames"]) -> Float[Tensor, "batch 1 frames"]:
        """The quantity, from -3 at the lower limit to 3 at the upper one: about its deviations."""
        return (6 / self.levels * self._place(encoded) - 3).clamp(-3, 3)

    def past_of_prediction(self, prediction: Float[Tensor, "batch levels frames"]) -> Float[Tensor, "batch 1 frames"]:
        """The expectation, from -3 to 3."""
        return 6 / self.levels * self._expected(prediction) - 3

    def _expected(self, prediction: Float[Tensor, "batch levels frames"]) -> Float[Tensor, "batch 1 frames"]:
        middles = torch.arange(self.levels, dtype=prediction.dtype, device=prediction.device) + 0.5
        return (prediction.softmax(1) * middles[:, None]).sum(1, keepdim=True)

    def _place(self, encoded: Float[Tensor, "batch 1 frames"]) -> Float[Tensor, "batch 1 frames"]:
        """How many widths of a level above the lower limit: `encode`, backwards."""
        low = torch.where(encoded < 1, 2 - 1 / encoded, encoded)
        return torch.where(encoded > self.levels - 1, self.levels - 2 + 1 / (self.levels - encoded), low)

    def _grid(self) -> tuple[float, float]:
        if not self.limits:
            raise ValueError(
                f"the limits of {self._name!r} are not known yet; set `limits`, or call fit with the training values"
            )
        return self.limits[0], (self.limits[1] - self.limits[0]) / self.levels

    @property
    def _name(self) -> str:
        return next(iter(self.quantities))

    def _read(self, values: Mapping[str, Any]) -> Float[np.ndarray, "frames"]:
        return numbers(f"quantity {self._name!r}", values.get(self._name), self.rate)
