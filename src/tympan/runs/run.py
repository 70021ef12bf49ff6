"""A run: everything that a configuration file says, in one frozen object."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, SerializeAsAny, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from ..component import Section
from ..data import Augmentation, Source
from ..data.split import Split
from ..features import Feature
from ..head import Head
from ..models import Model
from ..objectives import Loss, Metric, Target
from ..pipeline import Output, check_outputs


class Optimizer(Section):
    """How weights change."""

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    """The optimizer, as torch defines it."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """The highest learning rate of every schedule but onecycle's, which may name its own."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled for adamw, added to the gradient for adam and sgd; biases and normalisation are left out."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of the first moment (adam, adamw)."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the second moment (adam, adamw)."""
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Momentum (sgd)."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps over which the learning rate rises from 0."""
    warmup_ratio: float = Field(default=0.0, ge=0, lt=1)
    """The same as a fraction of all steps; for onecycle the fraction in which it rises (0: torch's 0.3)."""
    scheduler: Literal["cosine", "linear", "constant", "reduce_on_plateau", "onecycle", "none"] = "cosine"
    """What the learning rate does after the warm-up."""
    max_lr: float | None = Field(default=None, gt=0)
    """The peak of onecycle; by default `learning_rate`."""


class Training(Section):
    """How long, in what portions, and when to stop."""

    max_epochs: int = Field(default=100, ge=1)
    """How often every training example is heard."""
    max_steps: int | None = Field(default=None, ge=1)
    """Stop after this many optimizer steps, if that is sooner."""
    batch_size: int = Field(default=32, ge=1)
    """Clips in a batch."""
    gradient_clip_val: float = Field(default=1.0, ge=0)
    """Largest norm of the gradient; 0 does not clip."""
    accumulate_grad_batches: int = Field(default=1, ge=1)
    """Batches in one optimizer step."""
    val_check_interval: int | float = Field(default=1.0, gt=0)
    """Optimizer steps (a whole number: 500) or fraction of an epoch (1.0, 0.25) between validations."""
    early_stopping: bool = True
    """Stop when the monitored figure no longer improves; needs a validation part."""
    early_stopping_patience: int = Field(default=10, ge=1)
    """Validations without improvement before stopping."""
    early_stopping_min_delta: float = Field(default=1e-4, ge=0)
    """The least change that counts as an improvement."""

    @field_validator("val_check_interval")
    @classmethod
    def _fraction(cls, value: int | float) -> int | float:
        if isinstance(value, float) and value != 1.0 and value > 1:
            raise ValueError(
                f"{value} is neither whole steps (write {round(value)}) nor a fraction of an epoch up to 1.0"
            )
        return value


class Hardware(Section):
    """What computes, and how exactly."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto` takes cuda, then mps, then cpu, and says so."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic of the backbone in training; features and losses are always float32."""


class Loader(Section):
    """How examples are read."""

    num_workers: int = Field(default=0, ge=0)
    """Processes that read and decode; 0 reads in the training process."""
    prefetch_size: int = Field(default=2, ge=1)
    """Batches that each worker reads ahead."""


class Logging(Section):
    """Where figures go; `log.jsonl` in the run's folder is always written."""

    wandb: Literal["off", "offline", "online"] | None = None
    """Weights & Biases; by default off without a project, offline with one."""
    wandb_project: str | None = None
    """Project of Weights & Biases."""
    wandb_entity: str | None = None
    """Team or user of Weights & Biases."""
    wandb_run_name: str | None = None
    """Name of the run there; by default the run's folder."""
    wandb_tags: tuple[str, ...] = ()
    """Tags of the run there."""
    tensorboard: bool = False
    """Write TensorBoard events into the run's folder."""
    log_every_n_steps: int = Field(default=50, ge=1)
    """Optimizer steps between two lines of the log."""
    log_config: bool = True
    """Give the resolved configuration to the trackers."""

    @property
    def wandb_mode(self) -> Literal["off", "offline", "online"]:
        """What Weights & Biases does."""
        return self.wandb or ("offline" if self.wandb_project else "off")


class Checkpoint(Section):
    """What is kept of the way."""

    checkpoint_dir: str = "runs"
    """The folder in which every run makes its own."""
    save_top_k: int = Field(default=3, ge=1)
    """How many of the best checkpoints stay."""
    monitor: str = "val_loss"
    """The validation figure that decides what is best: `val_loss`, or `val_` and a metric."""
    mode: Literal["min", "max"] | None = None
    """Whether less or more is better; by default what the figure itself says."""
    save_last: bool = True
    """Keep the newest checkpoint besides the best."""
    save_every_n_steps: int = Field(default=1000, ge=1)
    """Optimizer steps between checkpoints, besides those of every validation."""


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
    training: Training = Training()
    hardware: Hardware = Hardware()
    loader: Loader = Loader()
    logging: Logging = Logging()
    checkpoint: Checkpoint = Checkpoint()

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
