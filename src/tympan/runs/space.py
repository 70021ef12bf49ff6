"""What a sweep searches: a file as Weights & Biases writes it, its names and distributions in ours."""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ..component import Section, did_you_mean
from .parameter import Parameter
from .run import Run

SHORT = {
    "learning_rate": "optimizer.learning_rate",
    "lr": "optimizer.learning_rate",
    "optimiser": "optimizer.name",
    "optimizer": "optimizer.name",
    "batch_size": "training.batch_size",
    "num_of_epochs": "training.max_epochs",
    "epochs": "training.max_epochs",
    "with_early_stopping": "training.early_stopping",
    "dropout": "model.dropout",
    "depth": "model.capacity",
}
"""Fields under the names that other programs' sweeps give them, kac_prediction's among them."""

_TAKEN = ("test", "seeds", "split.folds", "checkpoint.run_dir", "checkpoint.monitor", "checkpoint.mode")
"""Fields by which trials are kept apart and judged, so that no trial may choose them."""
_SAME_LOSS = ("loss", "evaluation_loss", "validation_loss", "testing_loss")


class Goal(Section):
    """What a sweep wants."""

    name: str
    """A figure of the validation part: `val_loss`, `val_mae`."""
    goal: Literal["minimize", "maximize"] = "minimize"
    """Which way is better."""
    target: float | None = None
    """A figure that is good enough: the sweep ends when a trial reaches it."""

    @field_validator("name")
    @classmethod
    def _ours(cls, name: str) -> str:
        name = name.replace("/", "_").removesuffix(".aggregate")
        return "val_loss" if name in _SAME_LOSS else f"val_{name.removeprefix('eval_').removeprefix('val_')}"


class Early(Section):
    """Hyperband: trials that are behind are ended at certain numbers of validations."""

    type: Literal["hyperband"]
    """The only one there is."""
    min_iter: int | None = Field(default=None, ge=1)
    """Validations before the first decision."""
    max_iter: int | None = Field(default=None, ge=1)
    """Validations of a whole trial; with `s`, says `min_iter`."""
    s: int | None = Field(default=None, ge=1)
    """How many decisions there are."""
    eta: int = Field(default=3, ge=2)
    """One trial of so many goes on."""
    strict: bool = False
    """Said for Weights & Biases; Optuna's hyperband is always strict."""

    @model_validator(mode="after")
    def _first(self) -> "Early":
        if self.min_iter is None and (self.max_iter is None or self.s is None):
            raise ValueError("early_terminate needs min_iter, or max_iter with s")
        return self

    @property
    def first(self) -> int:
        """Validations before the first decision."""
        return self.min_iter or max(int((self.max_iter or 1) / self.eta ** (self.s or 1)), 1)


class Space(Section):
    """The fields that a sweep varies, how it chooses, and what it wants; a sweep file of Weights & Biases."""

    method: Literal["random", "tpe", "bayes", "grid"] = "random"
    """How values are chosen; for `bayes`, which means Gaussian processes there, ours is a tree of Parzen estimators."""
    parameters: dict[str, Parameter] = Field(min_length=1)
    """By field: `optimizer.learning_rate`, or nested as sections are."""
    metric: Goal | None = None
    """By default the figure that the run monitors."""
    early_terminate: Early | None = None
    """Whether trials that are behind are ended early; by default not."""
    run_cap: int | None = Field(default=None, ge=1)
    """How many trials at most."""
    name: str | None = Field(default=None, min_length=1)
    """What the sweep is called; its folder, if no other is named, with a hyphen for what no folder's name holds."""
    program: str | None = None
    """Which program an agent starts; not for us."""
    command: tuple[str, ...] = ()
    """How an agent starts it; not for us."""
    project: str | None = None
    """Where Weights & Biases keeps it; not for us."""
    entity: str | None = None
    """Whose it is there; not for us."""
    description: str | None = None
    """For people."""

    @field_validator("parameters", mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        named = [(place(name), parameter) for name, parameter in _leaves(value, "")]
        twice = [name for name, _ in named if sum(name == other for other, _ in named) > 1]
        if twice:
            raise ValueError(f"{twice[0]} is given twice, under two names; leave one")
        if taken := [name for name, _ in named if name in _TAKEN]:
            raise ValueError(f"{taken[0]} is the same for all trials, which are compared; take it out")
        return dict(named)

    @property
    def unread(self) -> list[str]:
        """What the file says to an agent of Weights & Biases alone."""
        return [name for name in ("program", "command", "project", "entity") if getattr(self, name)]

    def grid(self) -> list[dict[str, str]]:
        """Every combination of the values, as a trial's parameters.

        Raises:
            ValueError: a parameter has a range, which a grid cannot visit.
        """
        varied = {name: parameter for name, parameter in self.parameters.items() if parameter.kind != "constant"}
        for name, parameter in varied.items():
            if parameter.kind != "categorical" or parameter.probabilities:
                raise ValueError(f"parameters.{name}: a grid visits `values`; list them, or take method: random")
        values = ([json.dumps(value) for value in parameter.values] for parameter in varied.values())
        return [dict(zip(varied, one, strict=True)) for one in product(*values)]


def place(name: str) -> str:
    """The field that a sweep's parameter means.

    Raises:
        ValueError: there is none of that name.
    """
    if "." in name:
        return name
    if name in SHORT or name in Run.model_fields:
        return SHORT.get(name, name)
    known = [*SHORT, *Run.model_fields]
    raise ValueError(
        f"parameter {name!r} is no field of a run; write it with its section (optimizer.learning_rate), or one of: "
        f"{', '.join(SHORT)}{did_you_mean(name, known)}"
    )


def _leaves(parameters: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, parameter in parameters.items():
        if isinstance(parameter, Mapping) and isinstance(parameter.get("parameters"), Mapping):
            yield from _leaves(parameter["parameters"], f"{before}{name}.")
        else:
            yield f"{before}{name}", parameter
