"""A run: everything that a configuration file says, in one frozen object."""

from collections.abc import Iterator
from typing import Any

from pydantic import Field, SerializeAsAny, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from ..component import Section
from ..data import Description, Example, Source
from ..data.augmentations import Augmentation
from ..data.split import Parts, Split, folds, split
from ..features import Feature
from ..head import Head
from ..models import Model
from ..objectives import Loss, Metric, Target
from ..pipeline import Output, check_outputs
from .sections import Checkpoint, Hardware, Loader, Logging, Optimizer, Training


class Run(Section):
    """A whole run, from data to report."""

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """The beginning of the run folder's name."""
    seed: int = Field(default=42, ge=0, lt=2**31)
    """Decides weights, order, augmentation, and the split unless that has its own."""
    seeds: tuple[int, ...] = ()
    """Repeat the whole run with each of these seeds and report the mean; by default once with `seed`."""
    data: SerializeAsAny[Source]
    """Where examples come from."""
    split: Split = Split()
    """Which examples train, validate and test."""
    features: SerializeAsAny[Feature]
    """The representation of sound that the model hears."""
    augmentations: tuple[SerializeAsAny[Augmentation], ...] = ()
    """Random changes in training, in this order."""
    model: SerializeAsAny[Model]
    """The backbone."""
    head: Head | None = None
    """From the backbone to the target; for one target."""
    target: SerializeAsAny[Target] | None = None
    """What is predicted; for one target."""
    loss: SerializeAsAny[Loss] | None = None
    """How wrong a prediction is; for one target."""
    metrics: tuple[SerializeAsAny[Metric], ...] = ()
    """The figures for people; for one target."""
    targets: dict[str, Output] = {}
    """Several things predicted at once, by name, each with its own target, head, loss, weight and metrics."""
    optimizer: Optimizer = Optimizer()
    """How weights change."""
    training: Training = Training()
    """How long, in what portions, and when to stop."""
    hardware: Hardware = Hardware()
    """What computes, and how exactly."""
    loader: Loader = Loader()
    """How examples are read."""
    logging: Logging = Logging()
    """Where figures go."""
    checkpoint: Checkpoint = Checkpoint()
    """What is kept of the way."""

    @property
    def outputs(self) -> dict[str, Output]:
        """Everything predicted by name; `target`, `head`, `loss`, `metrics` are short for one called `target`."""
        if self.targets:
            return self.targets
        assert self.target is not None, "validated"
        return {
            "target": Output(target=self.target, head=self.head or Head(), loss=self.loss, metrics=self.metrics),
        }

    def with_outputs(self, outputs: dict[str, Output]) -> "Run":
        """A copy that predicts these outputs, in the same spelling (one target, or several)."""
        if self.targets:
            return self.model_copy(update={"targets": outputs})
        (one,) = outputs.values()
        return self.model_copy(update={"target": one.target, "loss": one.loss})

    def group_of(self, what: Example | Description) -> str:
        """The group that the split keeps whole; an example that has none is its own."""
        kind = self.split.group or self.data.group
        return what.groups.get(kind, what.id) if kind else what.id

    def divide(self) -> list[Parts]:
        """The parts of every fold, or of the one split."""
        return (
            folds(self.data, self.split, self.seed) if self.split.folds else [split(self.data, self.split, self.seed)]
        )

    @property
    def elsewhere(self) -> list[str]:
        """The dotted paths of components outside tympan that the run names, and so its user trusts."""

        def walk(node: Any) -> Iterator[str]:
            if isinstance(node, dict) and "." in str(node.get("type", "")):
                yield node["type"]
            for inside in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
                yield from walk(inside)

        return list(walk(self.model_dump(mode="json")))

    @model_validator(mode="after")
    def _nothing_conflicts(self) -> "Run":
        problems: list[tuple[tuple[str, ...], str]] = []
        one = [field for field in ("target", "head", "loss") if getattr(self, field) is not None]
        one += ["metrics"] if self.metrics else []
        if self.targets and one:
            problems.append(((one[0],), f"`{one[0]}` is for one target; with `targets` write it inside of each"))
        elif not self.targets and self.target is None:
            problems.append((("target",), f"nothing to predict; one of: {', '.join(Target.names())}"))
        else:
            try:
                check_outputs(self.outputs)
            except ValueError as error:
                problems.append((("targets" if self.targets else "target",), str(error)))
        problems += self._conflicts()
        if problems:
            raise ValidationError.from_exception_data(
                "Run",
                [
                    InitErrorDetails(type=PydanticCustomError("conflict", "{why}", {"why": why}), loc=loc, input=None)
                    for loc, why in problems
                ],
            )
        return self

    def _conflicts(self) -> list[tuple[tuple[str, ...], str]]:
        found: list[tuple[tuple[str, ...], str]] = []

        def refuse(when: Any, where: str, why: str) -> None:
            if when:
                found.append((tuple(where.split(".")), why))

        o, t, c = self.optimizer, self.training, self.checkpoint
        refuse(
            o.warmup_steps and o.warmup_ratio,
            "optimizer.warmup_ratio",
            "warmup_steps and warmup_ratio say the same thing; keep one of them",
        )
        refuse(
            o.max_lr and o.scheduler != "onecycle",
            "optimizer.max_lr",
            f"max_lr is the peak of scheduler onecycle; with {o.scheduler} set learning_rate",
        )
        refuse(
            o.scheduler == "onecycle" and o.warmup_steps,
            "optimizer.warmup_steps",
            "onecycle has its own rise; set its length as warmup_ratio",
        )
        refuse(
            o.scheduler == "reduce_on_plateau" and (o.warmup_steps or o.warmup_ratio),
            "optimizer.scheduler",
            "reduce_on_plateau follows validation, not steps, and has no warm-up; take another schedule, or none of it",
        )
        refuse(
            o.momentum and o.name != "sgd",
            "optimizer.momentum",
            f"momentum is sgd's; {o.name} has beta1 and beta2",
        )
        refuse(
            {"beta1", "beta2"} & o.model_fields_set and o.name == "sgd" and (o.beta1, o.beta2) != (0.9, 0.999),
            "optimizer.beta1",
            "beta1 and beta2 are adam's; sgd has momentum",
        )
        refuse(
            self.hardware.precision == "fp16" and self.hardware.device == "cpu",
            "hardware.precision",
            "fp16 does not train on cpu; one of: fp32, bf16",
        )
        validated = self.split.validation != "none"
        refuse(
            not validated and "early_stopping" in t.model_fields_set and t.early_stopping,
            "training.early_stopping",
            "early stopping needs a validation part, and split.validation is none",
        )
        refuse(
            not validated and o.scheduler == "reduce_on_plateau",
            "optimizer.scheduler",
            "reduce_on_plateau needs a validation part, and split.validation is none",
        )
        refuse(
            not validated and "monitor" in c.model_fields_set,
            "checkpoint.monitor",
            "there is nothing to monitor: split.validation is none",
        )
        targets = [o.target for o in self.targets.values()] + ([self.target] if self.target else [])
        rated = any(target.rate for target in targets)
        for rate in (target.rate for target in targets if target.rate):
            frames = self.data.audio.duration * rate
            near = " or ".join(f"{n / rate:g}" for n in (int(frames), int(frames) + 1) if n)
            refuse(
                abs(frames - round(frames)) > 1e-6,
                "data.duration",
                f"a clip has {frames:g} frames of a target at {rate:g} Hz, not a whole number; take {near} s",
            )
        refuse(
            len(set(self.seeds)) < len(self.seeds) or min(self.seeds, default=0) < 0,
            "seeds",
            "seeds are different whole numbers from 0 on",
        )
        moving = [a.type for a in self.augmentations if a.moves_sound]
        refuse(rated and moving, "augmentations", f"{', '.join(moving)} moves sound, and a target has a rate")
        if validated and not found:
            allowed = monitored(self.outputs) if targets else {"val_loss": False}
            refuse(
                c.monitor not in allowed,
                "checkpoint.monitor",
                f"{c.monitor!r} is never computed; one of: {', '.join(allowed)}",
            )
        return found


def monitored(outputs: dict[str, Output]) -> dict[str, bool]:
    """The figures that validation computes, and whether more of it is better: `val_loss`, `val_accuracy`, ...

    With several outputs the name of the output stands in between: `val_digit_accuracy`.
    """
    figures = {"val_loss": False}
    for name, output in outputs.items():
        for metric in output.figures:
            figures[metric_key(metric.type, name, len(outputs) > 1)] = metric.higher_is_better
    return figures


def metric_key(metric: str, output: str, several: bool) -> str:
    """The name of a validation metric: `val_accuracy`, or `val_<output>_accuracy` where there are several outputs."""
    return f"val_{output}_{metric}" if several else f"val_{metric}"
