"""Real quantities with units, once per clip or at a rate: a diameter, skin conductance."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from ...component import assume
from ...signals import Signal
from .. import Target
from ._read import numbers, times, together, unique, with_units


class Continuous(Target):
    """Real quantities, which the network sees with zero mean and unit deviation over the training part."""

    space = "real"
    mixable = True
    default_loss = "mse"
    default_metrics = ("mse", "mae", "r2", "pearson", "spearman")
    metrics_over_time = ("rmse", "mae", "pearson", "ccc")

    quantities: dict[str, str] = Field(min_length=1)
    """The name of each quantity and its unit, `{diameter: m}`; a list of names has no units."""
    scale: Literal["linear", "log"] = "linear"
    """Whether the network is trained on the quantities or on their logarithms, for which they must be above 0."""
    mean: tuple[float, ...] = ()
    """The mean of each quantity (in its unit, or of its natural logarithm), taken from the training part."""
    std: tuple[float, ...] = ()
    """The standard deviation of each quantity, likewise."""

    @field_validator("quantities", mode="before")
    @classmethod
    def _without_units(cls, value: Any) -> Any:
        return with_units(value)

    @model_validator(mode="after")
    def _check(self) -> "Continuous":
        unique(self.quantities, "quantity")
        if len(self.mean) != len(self.std) or len(self.mean) not in (0, len(self.quantities)):
            raise ValueError(
                f"{len(self.mean)} numbers in mean and {len(self.std)} in std for {len(self.quantities)} quantities; "
                "give one of each for every quantity, or none to take them from the training part"
            )
        if any(not s > 0 for s in self.std):
            raise ValueError(f"std must be above 0, it is {self.std}")
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.quantities)

    @property
    def unit(self) -> dict[str, str]:
        return dict(self.quantities)

    def signal(self, duration: float) -> Signal:
        return Signal(self.outputs, self.rate, duration)

    def fit(self, values: Iterable[Mapping[str, Any]]) -> "Continuous":
        """A copy with the mean and deviation of every quantity over all known frames; given ones are kept.

        Raises:
            ValueError: a quantity is unknown everywhere in the training part.
        """
        if self.mean:
            return self
        seen: dict[str, list[np.ndarray]] = {name: [] for name in self.quantities}
        for example in values:
            for name, kept in seen.items():
                array = self._read(name, example.get(name))
                kept.append(array[~np.isnan(array)])
        mean, std = [], []
        for name, kept in seen.items():
            known = np.concatenate(kept) if kept else np.empty(0)
            if not known.size:
                raise ValueError(
                    f"quantity {name!r} is unknown in every training example; check its name, or leave it out"
                )
            if np.ptp(known) == 0:
                assume(f"quantity {name!r} is the same in the whole training part; its deviation is taken as 1")
            mean.append(float(known.mean()))
            std.append(float(known.std()) if np.ptp(known) else 1.0)
        return self.model_copy(update={"mean": tuple(mean), "std": tuple(std)})

    def encode(self, values: Mapping[str, Any]) -> Float[Tensor, "channels frames"]:
        x = together({name: self._read(name, values.get(name)) for name in self.quantities})
        mean, std = self._moments()
        return torch.from_numpy(((x - mean) / std).astype(np.float32))

    def decode(
        self, prediction: Float[Tensor, "batch channels frames"]
    ) -> dict[str, Float[np.ndarray, "batch values frames"]]:
        mean, std = self._moments()
        x = prediction.detach().cpu().double().numpy() * std + mean
        if self.scale == "log":
            with np.errstate(over="ignore"):  # an untrained network may say anything
                x = np.exp(x)
        return {name: x[:, i : i + 1] for i, name in enumerate(self.quantities)}

    def truth(self, encoded: Float[Tensor, "batch channels frames"]) -> dict[str, Float[np.ndarray, "batch 1 frames"]]:
        return self.decode(encoded)

    def columns(self, decoded: Mapping[str, Float[np.ndarray, "values frames"]]) -> dict[str, list[float] | list[str]]:
        headings = {name: f"{name} ({unit})" if unit else name for name, unit in self.quantities.items()}
        return {**times(decoded, self.rate), **{headings[name]: x[0].tolist() for name, x in decoded.items()}}

    def _moments(self) -> tuple[Float[np.ndarray, "channels 1"], Float[np.ndarray, "channels 1"]]:
        n = len(self.quantities)
        return np.array(self.mean or (0.0,) * n)[:, None], np.array(self.std or (1.0,) * n)[:, None]

    def _read(self, name: str, value: Any) -> Float[np.ndarray, "frames"]:
        x = numbers(f"quantity {name!r}", value, self.rate)
        if self.scale == "log":
            if (x <= 0).any():
                raise ValueError(
                    f"quantity {name!r} is {float(x[x <= 0][0])}, which has no logarithm; use `scale: linear`, "
                    "or leave it empty where it is unknown"
                )
            return np.log(x)
        return x
