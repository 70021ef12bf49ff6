"""One split of one run through the stock Hugging Face Trainer."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors.torch import load_file, save_file
from transformers import (
    EvalPrediction,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.utils import logging as transformers_logging

from ..data import storage
from ..data.ahead import Gate, ahead
from ..device import device
from ..pipeline import Pipeline
from . import faults
from .checkpoint import Keeper
from .finetune import Taken, take
from .monitor import monitored
from .optimization import freeze, optimizer, scheduler
from .prepare import Prepared
from .running import Heard, Running
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
    taken: Taken | None
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
        checkpoint: of this run, from which to go on.
        callbacks: besides ours.
    """
    run, training = prepared.run, prepared.run.training
    chosen = device(run.hardware.device, "hardware.device")
    pipeline = prepared.pipeline()
    taken = None
    if run.checkpoint.load_from_checkpoint and checkpoint is None:
        here = prepared.artifact(pipeline).config.model_dump(mode="json")
        taken = take(pipeline, run.checkpoint.load_from_checkpoint, here)
        console.print(str(taken), highlight=False, markup=False, soft_wrap=True)
    if not training.max_epochs:
        return _untrained(pipeline, folder, taken)
    if run.hardware.channels_last:
        pipeline.backbone.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        pipeline.register_state_dict_post_hook(_contiguous)
    per_step = training.batch_size * training.accumulate_grad_batches
    steps_per_epoch = len(prepared.parts.train) / per_step
    steps = min(math.ceil(training.max_epochs * steps_per_epoch), training.max_steps or 1 << 60)
    every = training.val_check_interval
    interval = every if isinstance(every, int) else max(round(every * steps_per_epoch), 1)
    validated = bool(prepared.parts.validation)
    figures = monitored(run.outputs)
    higher = run.checkpoint.mode == "max" if run.checkpoint.mode else figures.get(run.checkpoint.monitor, False)
    monitor = run.checkpoint.monitor.replace("val_", "eval_", 1) if validated else None

    keeper = Keeper(run.checkpoint, training, monitor, higher)
    watch = Watch(console, steps_per_epoch, per_step, title)
    tracker = Tracker(run, folder, steps_per_epoch, configuration)
    heard = Heard(pipeline)
    freeze(run.optimizer, pipeline)
    optim = optimizer(run.optimizer, pipeline.to(chosen))
    workers = run.loader.workers
    arguments = TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        max_steps=steps,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.batch_size,
        gradient_accumulation_steps=training.accumulate_grad_batches,
        max_grad_norm=training.gradient_clip_val,
        train_sampling_strategy="sequential",  # the dataset's positions are the order
        eval_strategy="steps" if validated else "no",
        eval_steps=interval,
        metric_for_best_model=monitor,
        greater_is_better=higher,
        save_strategy="no",  # the Keeper decides
        logging_steps=run.logging.log_every_n_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        bf16=run.hardware.precision == "bf16",
        fp16=run.hardware.precision == "fp16",
        use_cpu=chosen.type == "cpu",
        seed=run.seed,
        dataloader_num_workers=workers,
        dataloader_prefetch_factor=run.loader.prefetch_size if workers else None,
        dataloader_persistent_workers=bool(workers),
        dataloader_pin_memory=chosen.type == "cuda",
        remove_unused_columns=False,
        label_names=["target"],
        batch_eval_metrics=True,
        restore_callback_states_from_checkpoint=True,
        report_to=[],
        disable_tqdm=True,
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # else the Trainer would split every batch between threads
    epochs = math.ceil(steps / steps_per_epoch)
    schedule: Any = scheduler(run.optimizer, optim, steps, higher)  # the Trainer takes every kind, its annotation one
    begun = int(checkpoint.name.rpartition("-")[2]) * per_step if checkpoint else 0
    gate = Gate(begun + prepared.first)
    early = 0 if workers else run.loader.prefetch_size * training.batch_size
    with (
        _quiet(),
        ahead(prepared.clips("train", epochs, shuffle=True), early, gate) as clips,
        ahead(prepared.clips("validation"), early) as judged,
    ):
        trainer = Trainer(
            model=pipeline,
            args=arguments,
            data_collator=prepared.collate,
            train_dataset=clips,
            eval_dataset=judged if validated else None,
            compute_metrics=_validation_metrics(pipeline),
            optimizers=(optim, schedule),
            callbacks=[_Opens(gate), keeper, heard, tracker, watch, *callbacks],
        )
        trainer.remove_callback(PrinterCallback)  # log.jsonl and the Watch say it
        with faults.told(trainer, folder / "checkpoints"):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        # Autocast is training's alone: what is exported answers in float32.
        trainer.accelerator.unwrap_model(pipeline, keep_fp32_wrapper=False)
    kept = sorted((folder / "checkpoints").glob("checkpoint-*"), key=lambda p: int(p.name.rsplit("-", 1)[1]))
    best = Keeper.of(trainer).best_checkpoint(folder / "checkpoints")
    pipeline.load_state_dict(load_file(best / "model.safetensors"))
    done, at = int(trainer.state.global_step), int(best.name.rsplit("-", 1)[1])
    return Trained(
        pipeline=pipeline.eval(),
        best=best,
        last=kept[-1],
        checkpoints=tuple(kept),
        steps=done,
        epoch=at / steps_per_epoch,
        losses=_losses(trainer.state.log_history, at),
        taken=taken,
        stopped_early=done < steps,
        wait_share=watch.wait_share,
        clips_per_second=watch.clips_per_second,
    )


class _Opens(TrainerCallback):
    """Opens a gate once a step was made."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Let the next files be fetched."""
        self.gate.open()


def _untrained(pipeline: Pipeline, folder: Path, taken: Taken | None) -> Trained:
    """What is left where nothing is to be trained: the weights to begin with, as a checkpoint of no steps."""
    checkpoint = folder / "checkpoints" / "checkpoint-0"
    checkpoint.mkdir(parents=True)
    save_file(pipeline.state_dict(), checkpoint / "model.safetensors")
    storage.write_text(folder / "log.jsonl", "")
    return Trained(pipeline.eval(), checkpoint, checkpoint, (checkpoint,), 0, 0.0, {}, taken, False, 0.0, 0.0)


def _contiguous(module: torch.nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    """Weights lie in files as they always do; they keep their own order in memory when they are read again."""
    state.update({name: tensor.contiguous() for name, tensor in state.items() if name.startswith(prefix)})


def _losses(history: Sequence[dict[str, Any]], step: int) -> dict[str, float]:
    """The losses last logged up to a step, by part."""
    keys = {"loss": "train", "eval_loss": "validation"}
    seen = [line for line in history if line["step"] <= step]
    return {part: float(line[key]) for line in seen for key, part in keys.items() if key in line}


def _validation_metrics(pipeline: Pipeline) -> Callable[[EvalPrediction], dict[str, float]]:
    """The figures of validation, from one batch after the other; nothing but rows of clips is kept."""
    running = Running(pipeline.outputs, "validation")

    def compute(batch: EvalPrediction, compute_result: bool = True) -> dict[str, float]:
        prediction: Any = batch.predictions
        label: Any = batch.label_ids
        running.update(prediction, label)
        return {k.removeprefix("val_"): v for k, v in running.compute().items()} if compute_result else {}

    return compute


class _quiet:
    """The Trainer's own notices, silenced while it works; ours say what matters."""

    def __enter__(self) -> None:
        self.before = transformers_logging.get_verbosity()
        transformers_logging.set_verbosity_error()

    def __exit__(self, *error: object) -> None:
        transformers_logging.set_verbosity(self.before)
