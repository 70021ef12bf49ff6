"""The sections of a run's configuration that are not components: how it is trained, on what, and what is kept."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ..component import Section, assume
from ..data.storage import elsewhere
from ..data.upload import check_bucket


class Optimizer(Section):
    """How weights change."""

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    """The optimizer, as torch defines it."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """The highest learning rate of every schedule but onecycle's, which may name its own."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled for adamw, added to the gradient for adam and sgd; biases and normalisation are left out."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of the first moment (adam, adamw); onecycle leads it from 0.95 to 0.85 and back."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the second moment (adam, adamw)."""
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Momentum (sgd); onecycle leads it from 0.95 to 0.85 and back."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps over which the learning rate rises evenly to its highest; for onecycle the length of its own rise."""
    warmup_ratio: float = Field(default=0.0, ge=0, lt=1)
    """The same as a fraction of all steps; for onecycle torch's 0.3 where neither is given."""
    scheduler: Literal["cosine", "linear", "constant", "reduce_on_plateau", "onecycle", "none"] = "cosine"
    """What the learning rate does after the warm-up: falls to 0 along a cosine or a line, stays (constant, none), falls
    to a tenth when the monitored figure no longer improves, or torch's one cycle."""
    plateau_patience: int = Field(default=4, ge=0)
    """Validations without improvement that reduce_on_plateau bears."""
    max_lr: float | None = Field(default=None, gt=0)
    """The peak of onecycle; by default `learning_rate`."""
    freeze: tuple[str, ...] = ()
    """The beginnings of the names of weights that stay as they are, and with them their normalisation: `[backbone]`, or
    `[backbone.network.blocks.0]`."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """The learning rate of each layer of the backbone, as a share of that of the next one; the head has the whole."""

    @field_validator("scheduler", mode="before")
    @classmethod
    def _null(cls, value: object) -> object:
        return "none" if value is None else value


class Training(Section):
    """How long, in what portions, and when to stop."""

    max_epochs: int = Field(default=100, ge=0)
    """How often every training example is heard; 0 trains nothing, and the weights to begin with are judged."""
    max_steps: int | None = Field(default=None, ge=1)
    """Stop after this many optimizer steps, if that is sooner."""
    batch_size: int = Field(default=32, ge=1)
    """Clips in a batch."""
    balance: Literal["none", "label", "group", "both"] = "none"
    """How often each recording comes in an epoch of as many clips as before: once; so often that each label's classes
    come alike; that each group (speaker) does, of the kind that the split keeps whole; or that the groups within each
    class do, and the classes too. Of several labels the mean is taken. Probabilities are then those of such data."""
    gradient_clip_val: float = Field(default=1.0, ge=0)
    """Largest norm of the gradient; 0 does not clip."""
    nonfinite: Literal["stop", "skip"] = "stop"
    """What becomes of a step whose loss or gradient is not a finite number: the run ends there, or the step is left out
    and changes nothing. Either way nonfinite.jsonl in the run's folder names its recordings."""
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
            raise ValueError(f"{value} is neither whole steps (write {value:.0f}) nor a fraction of an epoch up to 1.0")
        return value


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
    worst_examples: int = Field(default=3, ge=0)
    """How many of the worst answers for each output the report plays; 0 leaves all sound out of it."""
    show_ids: bool = False
    """Name recordings of people, and play them, in the report; else they have codes there, which ids.csv in the run's
    folder explains, and no sound. Of other sources everything is shown anyway."""

    @property
    def wandb_mode(self) -> Literal["off", "offline", "online"]:
        """What Weights & Biases does."""
        return self.wandb or ("offline" if self.wandb_project else "off")


class Judging(Section):
    """How labels are judged, once per recording each."""

    threshold: Literal["fixed_on_validation"] | Annotated[float, Field(ge=0, le=1)] = "fixed_on_validation"
    """The probability from which on a label is said to hold: chosen on validation, of folds on the other folds; or a
    number."""
    sensitivity: float | None = Field(default=None, gt=0, le=1)
    """The sensitivity that the chosen threshold is to have at least; by default Youden's J is largest."""
    calibration: Literal["auto", "temperature", "platt", "none"] = "auto"
    """How probabilities are corrected, where the threshold is chosen: logits are divided by a number (temperature), or
    a number is added as well (platt), which `auto` does where positives or groups had weights of their own."""
    subgroups: dict[str, tuple[float, ...]] = {}
    """Columns whose values are judged each by itself: `{sex: [], age: [40, 60]}`, numbers between bounds."""
    smallest_subgroup: int = Field(default=5, ge=1)
    """Of a subgroup with fewer groups (speakers) no figure is given."""
    speaker: tuple[str, ...] = ("age", "sex")
    """Columns of which a control tries to tell the labels; of these default ones, where they are known."""

    @model_validator(mode="after")
    def _one_rule(self) -> "Judging":
        if isinstance(self.threshold, float) and self.sensitivity is not None:
            raise ValueError("sensitivity is for a threshold that is chosen, and threshold is a number; keep one")
        return self

    def stratum(self, column: str, value: Any) -> str:
        """The subgroup of a value, in words.

        Raises:
            ValueError: the column has bounds, and the value is no number.
        """
        bounds = sorted(self.subgroups[column])
        if value is None or value != value:
            return "unknown"
        if not bounds:
            return f"{value:g}" if isinstance(value, float) else str(value)
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"judging.subgroups: {column} has bounds, and {value!r} is no number; write {column}: []"
            ) from error
        place = sum(number >= bound for bound in bounds)
        low, high = [-math.inf, *bounds][place], [*bounds, math.inf][place]
        return f"below {high:g}" if place == 0 else f"from {low:g}" + (f" to {high:g}" if high < math.inf else "")


class Checkpoint(Section):
    """What is kept of the way."""

    checkpoint_dir: str = "runs"
    """The folder in which every run makes its own: name, date, time and a hash of the configuration. A `gs://` or `s3://`
    one is short for `upload`; the run is made in `runs` first, since training writes where it also reads."""
    run_dir: str | None = None
    """The run's own folder, where a certain one is wanted; it may not hold anything yet."""
    upload: str | None = None
    """A `gs://` or `s3://` folder that the run's own folder is copied into, after checkpoints and when training
    has ended or was stopped, each file compared with what came; by default nothing leaves this machine. Of people the
    ids.csv stays here; split, predictions and bad_samples.csv hold ids too, and go along."""
    save_top_k: int = Field(default=3, ge=1)
    """How many of the best checkpoints stay."""
    monitor: str = "val_loss"
    """The validation figure that decides what is best: `val_loss`, `val_` and a metric, or the metric alone; `val/`
    says the same."""
    mode: Literal["min", "max"] | None = None
    """Whether less or more is better; by default what the figure itself says."""
    save_last: bool = True
    """Keep the newest checkpoint besides the best."""
    save_every_n_steps: int = Field(default=1000, ge=1)
    """Optimizer steps between checkpoints, besides those of every validation."""
    load_from_checkpoint: str | None = None
    """An artifact, a run or one of its checkpoints whose weights to begin with, where names and shapes agree; what is
    taken and what is not is listed."""
    weights_only: bool | Literal["matching"] = "matching"
    """What is taken from there: the weights that match, as for another head; `true` all weights, each of which must
    match; `false` everything, so that this run goes on where that checkpoint stands, in a folder of its own."""

    @model_validator(mode="before")
    @classmethod
    def _bucket_for_runs(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not elsewhere(str(value.get("checkpoint_dir") or "")):
            return value
        if value.get("upload"):
            raise ValueError("checkpoint_dir: names a bucket, as upload does; name a local folder, or leave upload out")
        assume(f"checkpoint_dir: is in a bucket; runs are made in `runs`, and copied to {value['checkpoint_dir']}")
        return {**value, "checkpoint_dir": "runs", "upload": value["checkpoint_dir"]}

    @field_validator("upload")
    @classmethod
    def _into_a_bucket(cls, uri: str | None) -> str | None:
        return uri if uri is None else check_bucket(uri)

    @field_validator("run_dir")
    @classmethod
    def _on_this_machine(cls, path: str | None) -> str | None:
        if path and elsewhere(path):
            raise ValueError("run_dir is a folder on this machine; name the bucket in checkpoint.upload")
        return path

    @field_validator("monitor")
    @classmethod
    def _one_name(cls, name: str) -> str:
        return f"val_{name.replace('/', '_').removeprefix('eval_').removeprefix('val_')}"
