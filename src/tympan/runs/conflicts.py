"""What does not fit together in a run's configuration, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..component import did_you_mean
from ..feedback import check_past
from ..objectives import PROBABLE, Loss, Metric, Target
from ..output import PARTS, Output
from .monitor import monitored

if TYPE_CHECKING:
    from .run import Run

Conflict = tuple[str, str]
"""The field, as `section.field`, and what is wrong with it."""


def conflicts(run: Run) -> list[Conflict]:
    """Every conflict of a run."""
    found = [*_predicted(run), *_optimizer(run), *_hardware(run), *_validated(run), *_untrained(run), *_timed(run)]
    found += [*_balanced(run), *_unread(run)]
    if len(set(run.seeds)) < len(run.seeds) or min(run.seeds, default=0) < 0:
        found.append(("seeds", "seeds are different whole numbers from 0 on"))
    if run.split.folds and any(set(parts) != set(PARTS) for _, parts in run.data.corpora.values()):
        found.append(
            ("split.folds", "folds go over everything; leave out data.train, validation, test and weights of 0")
        )
    found += [
        ("", f"{name} is defined inside of a function, where no artifact finds it; define it at the top of a file")
        for name in run.elsewhere
        if "<locals>" in name
    ]
    if run.split.folds and not run.test:
        found.append(("test", "folds are scored on their test parts; with test: false leave split.folds out"))
    if not found and run.split.validation != "none":
        allowed, monitor = monitored(run.outputs), run.checkpoint.monitor
        if monitor not in allowed:
            near = did_you_mean(monitor, list(allowed))
            found.append(("checkpoint.monitor", f"{monitor!r} is never computed; one of: {', '.join(allowed)}{near}"))
    return found


def _predicted(run: Run) -> Iterator[Conflict]:
    one = [field for field in ("target", "head", "loss", "metrics") if getattr(run, field) is not None]
    if run.targets and one:
        yield one[0], f"`{one[0]}` is for one target; with `targets` write it inside of each"
    elif _undecided(run):
        yield "target", f"nothing to predict; one of: {', '.join(Target.names())}"
    else:
        try:
            check_outputs(run.outputs)
        except ValueError as error:
            yield "targets" if run.targets else "target", str(error)
        try:
            check_past(run.model, {name: output.target for name, output in run.outputs.items()})
        except ValueError as error:
            yield "model", str(error)


def _optimizer(run: Run) -> Iterator[Conflict]:
    o, t = run.optimizer, run.training
    if o.warmup_steps and o.warmup_ratio:
        yield "optimizer.warmup_ratio", "warmup_steps and warmup_ratio say the same thing; keep one of them"
    if o.max_lr and o.scheduler != "onecycle":
        yield "optimizer.max_lr", f"max_lr is the peak of scheduler onecycle; with {o.scheduler} set learning_rate"
    if o.momentum and o.name != "sgd":
        yield "optimizer.momentum", f"momentum is sgd's; {o.name} has beta1 and beta2"
    if o.name == "sgd" and (o.beta1, o.beta2) != (0.9, 0.999):
        yield "optimizer.beta1", "beta1 and beta2 are adam's; sgd has momentum"
    if o.scheduler == "onecycle" and (o.momentum or o.beta1 != 0.9):
        name = "momentum" if o.momentum else "beta1"
        yield f"optimizer.{name}", f"onecycle leads {name} from 0.95 to 0.85 and back; leave it out"
    if o.scheduler == "reduce_on_plateau" and t.early_stopping and o.plateau_patience >= t.early_stopping_patience:
        yield (
            "optimizer.plateau_patience",
            f"training stops after {t.early_stopping_patience} validations without improvement, before the rate would "
            f"be lowered; set plateau_patience below early_stopping_patience",
        )
    if o.scheduler != "reduce_on_plateau" and "plateau_patience" in o.model_fields_set and o.plateau_patience != 4:
        yield "optimizer.plateau_patience", f"plateau_patience is reduce_on_plateau's; the scheduler is {o.scheduler}"


def _hardware(run: Run) -> Iterator[Conflict]:
    if run.hardware.precision == "fp16" and run.hardware.device == "cpu":
        yield "hardware.precision", "fp16 does not train on cpu; one of: fp32, bf16, auto"
    if run.hardware.precision == "auto" and run.hardware.channels_last:
        yield "hardware.channels_last", "precision auto decides it; leave it out, or name a precision"
    if run.hardware.num_gpus > 1 and not run.hardware.distributed:
        yield "hardware.num_gpus", "several processes are for distributed: true; set that, or leave num_gpus out"
    if run.hardware.distributed and run.loader.bad_samples == "skip":
        yield "loader.bad_samples", "skip is for one process, and hardware.distributed asks for several; leave one out"
    if run.hardware.distributed and run.hardware.precision == "auto":
        yield "hardware.precision", "auto measures one process, and hardware.distributed asks for several; name one"
    if run.hardware.fsdp and not run.hardware.distributed:
        yield "hardware.fsdp", "what is to be shared out needs several processes: set hardware.distributed and num_gpus"
    if run.hardware.fsdp and run.hardware.channels_last:
        yield "hardware.channels_last", "fsdp shares out weights that lie in their own order; leave one of both out"
    if run.hardware.fsdp and run.hardware.precision == "fp16":
        yield "hardware.precision", "fp16 has a scale that processes do not share under fsdp; one of: fp32, bf16"


def _validated(run: Run) -> Iterator[Conflict]:
    if run.split.validation != "none":
        return
    if "early_stopping" in run.training.model_fields_set and run.training.early_stopping:
        yield "training.early_stopping", "early stopping needs a validation part, and split.validation is none"
    if run.optimizer.scheduler == "reduce_on_plateau":
        yield "optimizer.scheduler", "reduce_on_plateau needs a validation part, and split.validation is none"
    if run.checkpoint.monitor != "val_loss":  # the default, which run.yaml writes out
        yield "checkpoint.monitor", "there is nothing to monitor: split.validation is none"


def _untrained(run: Run) -> Iterator[Conflict]:
    if run.training.max_epochs or run.checkpoint.load_from_checkpoint or getattr(run.model, "weights", None):
        return
    yield (
        "training.max_epochs",
        "0 trains nothing, and the model begins with random weights; set model.weights or "
        "checkpoint.load_from_checkpoint, or train it",
    )


def _balanced(run: Run) -> Iterator[Conflict]:
    by = run.training.balance
    if by == "none":
        return
    if run.data.corpora:
        yield "training.balance", "the batches of a mixture are drawn by data.sampling_weights; leave balance out"
    targets = {} if _undecided(run) else run.outputs
    if by != "group" and not any(o.target.space in PROBABLE for o in targets.values()):
        yield "training.balance", f"{by} needs a target with labels (binary, categorical); take group, or none"
    if by != "group" and any(o.target.rate for o in targets.values()):
        yield "training.balance", f"{by} is of labels of whole recordings, and a target has a rate; take group, or none"
    weighed = [o.criterion for o in targets.values()]
    auto = [w for w in weighed if "auto" in (getattr(w, "positive_weights", 0), getattr(w, "class_weights", 0))]
    if by != "group" and auto:
        yield "training.balance", f"{by}, and a loss whose weights are auto, count rare classes twice; keep one of them"
    if by != "label" and not run.split.kinds(run.data)[0]:
        yield "training.balance", f"{by} needs groups, and the data name none; set split.group, or take label, or none"


def _unread(run: Run) -> Iterator[Conflict]:
    """What a head says of layers that it does not have; `relu` is the default, which run.yaml writes out."""
    for name, output in ({} if _undecided(run) else run.outputs).items():
        head, where = output.head, f"targets.{name}.head" if run.targets else "head"
        if head.layer_norm and not head.bottleneck:
            yield (
                f"{where}.layer_norm",
                "comes behind the bottleneck, and there is none; set bottleneck, or leave it out",
            )
        if head.activation not in ("relu", "none") and not head.bottleneck and not head.shared_dense:
            yield (
                f"{where}.activation",
                f"{head.activation} comes behind bottleneck or shared_dense, and there is neither; set one of them, or "
                "leave activation out",
            )


def _undecided(run: Run) -> bool:
    """Whether it is not said what is predicted, which is told by itself."""
    return not run.targets and run.target is None


def _timed(run: Run) -> Iterator[Conflict]:
    targets = [output.target for output in run.targets.values()] + ([run.target] if run.target else [])
    rates = [target.rate for target in targets if target.rate]
    for rate in rates:
        frames = run.data.audio.duration * rate
        if abs(frames - round(frames)) > 1e-6:
            near = " or ".join(f"{n / rate:g}" for n in (int(frames), int(frames) + 1) if n)
            yield (
                "data.duration",
                f"a clip has {frames:g} frames of a target at {rate:g} Hz, not a whole number; take {near} s",
            )
    if rates and run.features.target_length:
        yield (
            "features.target_length",
            "frames are cut off or added, and a target with a rate would no longer lie beside them; leave it out",
        )
    if rates and run.data.trim is not None:
        yield "data.trim", "a target with a rate is heard from where it begins, silent or not; leave it out"
    if rates and run.data.crop == "onset":
        yield (
            "data.crop",
            "a target with a rate is heard from where it begins, not from the onset; take start, random or all",
        )
    outputs = {} if _undecided(run) else run.outputs
    if not run.model.hears_future and any(output.head.upsampling == "residual" for output in outputs.values()):
        yield "head.upsampling", f"residual hears what comes, and model {run.model.type} does not; take linear"
    if run.model.autoregressive and any(output.metrics.train for output in outputs.values()):
        yield (
            "metrics.train",
            f"in training {run.model.type} hears the true past, and figures would be of that; leave them out",
        )
    if any(a.mixes for a in run.augmentations) and any(output.metrics.train for output in outputs.values()):
        yield (
            "metrics.train",
            "mixup mixes sounds and their labels in training, and figures would be of that; leave them out",
        )
    moving = [a.type for a in run.augmentations if a.moves_sound]
    if rates and moving:
        yield "augmentations", f"{', '.join(moving)} moves sound, and a target has a rate"


def check_outputs(outputs: Mapping[str, Output]) -> None:
    """Refuse outputs whose loss or metrics are not for their target, or that share a name.

    Raises:
        ValueError: with what is allowed.
    """
    seen: dict[str, str] = {}
    for name, output in outputs.items():
        target = output.target
        figures = [m for part in PARTS for m in output.figures(part)]
        choices: list[tuple[Loss | Metric, set[str], set[str]]] = [
            (output.criterion, {output.criterion.space}, set(target.loss_spaces)),
            *((metric, set(metric.spaces), {target.space}) for metric in figures),
        ]
        for choice, spaces, wanted in choices:
            if not spaces & wanted:
                raise ValueError(
                    f"{choice.kind().__name__.lower()} {choice.type!r} is for {' or '.join(sorted(spaces))} targets, "
                    f"and target {target.type!r} is {' or '.join(sorted(wanted))}"
                )
            if choice.timed and not target.rate:
                raise ValueError(f"{choice.type!r} is of signals over time, and target {name!r} has no rate")
        for metric in figures:
            if metric.once_per_clip and target.rate:
                raise ValueError(f"metric {metric.type!r} ranks recordings, and target {name!r} has a rate")
        for column in target.outputs:
            if column in seen:
                raise ValueError(f"targets {seen[column]!r} and {name!r} both predict {column!r}; rename one")
            seen[column] = name
