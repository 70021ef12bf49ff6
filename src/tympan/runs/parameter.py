"""One field of a sweep: the values that it may take, in the distributions of Weights & Biases."""

import json
import math
import sys
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from ..component import Section

if TYPE_CHECKING:
    from optuna import Trial

_Distribution = Literal[
    "constant", "categorical", "int_uniform", "uniform", "q_uniform", "log_uniform", "log_uniform_values",
    "q_log_uniform", "q_log_uniform_values", "inv_log_uniform", "inv_log_uniform_values", "normal", "q_normal",
    "log_normal", "q_log_normal",
]  # fmt: skip


class Parameter(Section):
    """One field and the values that it may take."""

    value: Any = None
    """One value, which stays."""
    values: tuple[Any, ...] = ()
    """The values to choose from."""
    probabilities: tuple[float, ...] = ()
    """How likely each of them is; by default all alike."""
    min: float | int | None = None
    """The lowest value, or its logarithm, as the distribution has it."""
    max: float | int | None = None
    """The highest, likewise."""
    mu: float = 0.0
    """The mean of the normal distributions."""
    sigma: float = Field(default=1.0, gt=0)
    """Their deviation."""
    q: float | int = Field(default=1, gt=0)
    """The step to which the `q_` distributions round."""
    distribution: _Distribution | None = None
    """By default constant, categorical, int_uniform between whole numbers, uniform between others."""

    @model_validator(mode="after")
    def _told(self) -> "Parameter":
        given = [name for name in ("value", "values", "probabilities", "min", "max") if name in self.model_fields_set]
        kind = self.kind
        needed = {"constant": {"value"}, "categorical": {"values"}}.get(kind, {"min", "max"})
        if kind.endswith("normal"):
            needed = set()
        if set(given) - {"probabilities"} != needed:
            raise ValueError(f"{kind} needs {' and '.join(sorted(needed)) or 'mu and sigma'}, not {', '.join(given)}")
        if kind == "categorical" and not self.values:
            raise ValueError("values: there is none to choose; list one or more")
        if self.probabilities and (
            len(self.probabilities) != len(self.values)
            or min(self.probabilities) < 0
            or not math.isclose(sum(self.probabilities), 1, abs_tol=1e-6)
        ):
            raise ValueError("probabilities are as many as the values, 0 or more, and sum to 1")
        if self.min is not None and self.max is not None and not self.min < self.max:
            raise ValueError(f"min {self.min} is not below max {self.max}")
        if self.min is not None and kind.endswith("_values") and self.min <= 0:
            raise ValueError(f"min {self.min} has no logarithm; {kind} needs numbers above 0")
        if self.min is not None and self.max is not None:
            largest = math.log(sys.float_info.max) if kind.endswith("log_uniform") else sys.float_info.max
            if max(abs(self.min), abs(self.max)) > largest:
                logarithms = "; they are logarithms, and log_uniform_values takes the values" if "log" in kind else ""
                raise ValueError(f"min {self.min} and max {self.max} are too far apart for {kind}{logarithms}")
        return self

    @property
    def kind(self) -> str:
        """The distribution."""
        if self.distribution:
            return self.distribution
        if "value" in self.model_fields_set:
            return "constant"
        if "values" in self.model_fields_set:
            return "categorical"
        return "int_uniform" if isinstance(self.min, int) and isinstance(self.max, int) else "uniform"

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        assert self.min is not None and self.max is not None, "validated"
        if self.kind in ("log_uniform", "q_log_uniform"):
            return math.exp(self.min), math.exp(self.max)
        if self.kind == "inv_log_uniform":  # log(1/x) is uniform
            return math.exp(-self.max), math.exp(-self.min)
        return float(self.min), float(self.max)

    def extremes(self) -> tuple[Any, ...]:
        """Values by which a configuration is tried before a sweep begins."""
        if self.kind == "constant":
            return (self.value,)
        if self.values:
            return self.values
        if self.kind.endswith("normal"):
            return (self._transformed(0.5),)
        low, high = self.ends
        return (int(low), int(high)) if self.kind == "int_uniform" else (self._rounded(low), self._rounded(high))

    def draw(self, name: str, trial: "Trial") -> Any:
        """The value that a trial tries."""
        kind = self.kind
        if kind == "constant":
            return self.value
        if kind == "categorical" and self.probabilities:
            place, below = trial.suggest_float(name, 0, 1), 0.0
            for value, share in zip(self.values, self.probabilities, strict=True):
                below += share
                if place < below:
                    return value
            return self.values[-1]
        if kind == "categorical":
            return json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in self.values]))
        if kind.endswith("normal"):
            return self._transformed(trial.suggest_float(name, 1e-6, 1 - 1e-6))
        low, high = self.ends
        if kind == "int_uniform":
            return trial.suggest_int(name, int(low), int(high))
        return self._rounded(trial.suggest_float(name, low, high, log="log" in kind))

    def _transformed(self, share: float) -> float | int:
        x = NormalDist(self.mu, self.sigma).inv_cdf(share)
        return self._rounded(math.exp(x) if "log" in self.kind else x)

    def _rounded(self, x: float) -> float | int:
        if not self.kind.startswith("q_"):
            return float(x)
        x = round(x / self.q) * self.q
        if self.min is not None:
            low, high = self.ends
            x = max(min(x, math.floor(high / self.q + 1e-9) * self.q), math.ceil(low / self.q - 1e-9) * self.q)
        return int(x) if float(self.q).is_integer() else float(x)
