"""One split of one run through the stock Hugging Face Trainer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors.torch import load_file, save_file
from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.utils import logging as transformers_logging

from ..data import storage
from ..data.ahead import Gate, ahead
from ..device import device
from ..pipeline import Pipeline
from . import asked, faults, ranks, sealed, sharded
from .arguments import arguments
from .checkpoint import TRAINER_STATE, Keeper, checkpoints, step_of
from .finetune import noted, take
from .ids import shown_as
from .monitor import monitored
from .nonfinite import Guard
from .optimization import freeze, optimizer, scheduler
from .padded import Padded
from .prepare import Prepared
from .run import Run
from .running import Heard, validation
from .standing import Standing
from .surviving import SurvivingTrainer
from .tracking import Tracker, Watch


@dataclass(frozen=True)
class Trained:
    """What training left."""

    pipeline: Pipeline
    """With the best weights."""
    best: Path
    """The best checkpoint: the last, where nothing was monitored."""
    last: Path
    checkpoints: tuple[Path, ...]
    steps: int
    epoch: float
    """Epochs of training that the best checkpoint has."""
    losses: dict[str, float]
    """The training and the validation loss last logged when the best checkpoint was written, by part."""
    begun_with: str | None
    """What came of the weights to begin with, if any were asked for."""
    stopped_early: bool
    wait_share: float
    """The part of the training time that was spent waiting for data."""
    clips_per_second: float


def fit(
    prepared: Prepared,
    folder: Path,
    console: Console,
    title: str,
    configuration: dict[str, Any],
    checkpoint: Path | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> Trained:
    """Train until the configured end or until the monitored figure no longer improves.

    Args:
        folder: the run's folder; checkpoints go below it.
        title: how the progress is called.
        configuration: what trackers are given as the configuration.
        checkpoint: of this run, sound, from which to go on.
        callbacks: besides ours.

    Where a run has several processes, each of them comes here, and takes the same steps.

    Raises:
        Interrupted: somebody asked it to stop, and it has, with a checkpoint.
        NonFinite: a loss or a gradient is no number, and `training.nonfinite` is `stop`.
    """
    run, training = prepared.run, prepared.run.training
    chosen = device(run.hardware.device, "hardware.device")
    pipeline = prepared.pipeline()
    if run.checkpoint.load_from_checkpoint and checkpoint is None:
        here = prepared.artifact(pipeline).config.model_dump(mode="json")
        taken = take(pipeline, run.checkpoint.load_from_checkpoint, here, run.checkpoint.weights_only is True)
        console.print(str(taken), highlight=False, markup=False, soft_wrap=True)
        if ranks.rank() == 0:
            taken.note(folder)
    begun_with = noted(folder)
    if not training.max_epochs:
        return _untrained(pipeline, folder, begun_with)
    ranks.hand_out(run=run.model_dump_json(), parts=prepared.parts, folder=folder, checkpoint=checkpoint)
    if run.hardware.channels_last:
        pipeline.backbone.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        pipeline.register_state_dict_post_hook(_contiguous)
    each = training.batch_size * ranks.processes()
    per_step = each * training.accumulate_grad_batches
    steps_per_epoch = len(prepared.parts.train) / per_step
    steps = min(math.ceil(training.max_epochs * steps_per_epoch), training.max_steps or 1 << 60)
    every = training.val_check_interval
    interval = every if isinstance(every, int) else max(round(every * steps_per_epoch), 1)
    validated = bool(prepared.parts.validation)
    figures = monitored(run.outputs)
    higher = run.checkpoint.mode == "max" if run.checkpoint.mode else figures.get(run.checkpoint.monitor, False)
    monitor = run.checkpoint.monitor.replace("val_", "eval_", 1) if validated else None

    watch = Watch(console, steps_per_epoch, per_step, title)
    tracker = Tracker(run, folder, steps_per_epoch, configuration)
    heard = Heard(pipeline)
    freeze(run.optimizer, pipeline)
    pipeline.to(chosen)
    if run.hardware.fsdp:
        sharded.shard(pipeline)
    optim = optimizer(run.optimizer, pipeline)
    if run.hardware.fsdp:
        sharded.follow(optim)
    workers = run.loader.workers
    told = arguments(run, folder / "checkpoints", steps, interval if validated else None, monitor, higher, chosen)
    epochs = math.ceil(steps / steps_per_epoch)
    schedule: Any = scheduler(run.optimizer, optim, steps, higher)  # the Trainer takes every kind, its annotation one
    begun = step_of(checkpoint) if checkpoint else 0
    gate = Gate(begun * per_step + prepared.first) if ranks.processes() == 1 else None
    early = 0 if workers or not gate else run.loader.prefetch_size * training.batch_size
    places = folder / "checkpoints"
    with (
        _quiet(),
        asked.listening() as signals,
        ahead(prepared.clips("train", epochs, shuffle=True), early, gate) as clips,
        ahead(prepared.clips("validation"), early) as judged,
    ):
        keeper = Keeper(run.checkpoint, training, monitor, higher, signals)
        if checkpoint:
            keeper.restore(checkpoint)
        guard = Guard(training.nonfinite, folder, lambda index: shown_as(folder, prepared.run, index))
        shown = [] if ranks.rank() else [tracker, watch]
        trainer = SurvivingTrainer(
            model=pipeline,
            args=told,
            data_collator=prepared.collate,
            train_dataset=clips if gate else Padded(clips, each),
            eval_dataset=judged if validated else None,
            compute_metrics=validation(pipeline),
            optimizers=(optim, schedule),
            callbacks=[*([_Opens(gate)] if gate else []), keeper, guard, heard, *shown, *callbacks],
            guard=guard,
            heard=heard,
            asked=signals,
            describe=Standing(prepared, keeper, steps),
        )
        if ranks.rank():  # all begin with the weights of process 0, and each draws its own dropout
            torch.manual_seed(run.seed + ranks.rank())
        trainer.add_callback(_GoesOn(trainer))
        trainer.remove_callback(PrinterCallback)  # log.jsonl and the Watch say it
        ended = begun >= steps or keeper.ended_early
        if not ended:
            with ranks.linked(), faults.told(trainer, places):
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        # Autocast is training's alone: what is exported answers in float32.
        trainer.accelerator.unwrap_model(pipeline, keep_fp32_wrapper=False)
    done = begun if ended else int(trainer.state.global_step)
    if signals.name and done < steps and not keeper.ended_early:
        raise asked.Interrupted(
            f"{folder}: stopped by {signals.name} at step {done:,} of {steps:,}, with a checkpoint; "
            f"`tympan resume {folder}` goes on",
            signals.status,
        )
    kept = checkpoints(places)
    best = keeper.best_checkpoint(places)
    if run.hardware.fsdp:  # process 0 goes on alone
        pipeline = prepared.pipeline().to(chosen)
    pipeline.load_state_dict(load_file(best / "model.safetensors"))
    history = TrainerState.load_from_json(str(kept[-1] / TRAINER_STATE)).log_history
    at = step_of(best)
    return Trained(
        pipeline=pipeline.eval(),
        best=best,
        last=kept[-1],
        checkpoints=tuple(kept),
        steps=done,
        epoch=at / steps_per_epoch,
        losses=_losses(history, at),
        begun_with=begun_with,
        stopped_early=done < steps,
        wait_share=watch.wait_share,
        clips_per_second=watch.clips_per_second,
    )


def along(job: dict[str, Any], callbacks: Sequence[TrainerCallback] = ()) -> None:
    """Train with process 0 what it has handed out."""
    prepared = Prepared(Run.model_validate_json(job["run"]), job["parts"], job["folder"])
    fit(prepared, job["folder"], Console(quiet=True), "", {}, job["checkpoint"], callbacks)


class _Opens(TrainerCallback):
    """Opens a gate once a step was made."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Let the next files be fetched."""
        self.gate.open()


class _GoesOn(TrainerCallback):
    """Puts back what a checkpoint held of the log, once the Trainer has put back everything else."""

    def __init__(self, trainer: SurvivingTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Go on from there."""
        self.trainer.go_on()


def _untrained(pipeline: Pipeline, folder: Path, begun_with: str | None) -> Trained:
    """What is left where nothing is to be trained: the weights to begin with, as a checkpoint of no steps."""
    checkpoint = folder / "checkpoints" / "checkpoint-0"
    with sealed.written(checkpoint, 0) as made:
        save_file(pipeline.state_dict(), made / "model.safetensors")
    storage.write_text(folder / "log.jsonl", "")
    return Trained(pipeline.eval(), checkpoint, checkpoint, (checkpoint,), 0, 0.0, {}, begun_with, False, 0.0, 0.0)


def _contiguous(module: torch.nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    """Weights lie in files as they always do; they keep their own order in memory when they are read again."""
    state.update({name: tensor.contiguous() for name, tensor in state.items() if name.startswith(prefix)})


def _losses(history: Sequence[dict[str, Any]], step: int) -> dict[str, float]:
    """The losses last logged up to a step, by part."""
    keys = {"loss": "train", "eval_loss": "validation"}
    seen = [line for line in history if line["step"] <= step]
    return {part: float(line[key]) for line in seen for key, part in keys.items() if key in line}


class _quiet:
    """The Trainer's own notices, silenced while it works; ours say what matters."""

    def __enter__(self) -> None:
        self.before = transformers_logging.get_verbosity()
        transformers_logging.set_verbosity_error()

    def __exit__(self, *error: object) -> None:
        transformers_logging.set_verbosity(self.before)
