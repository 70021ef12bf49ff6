"""One split of one run through the stock Hugging Face Trainer."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from safetensors.torch import load_file
from transformers import EvalPrediction, PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging as transformers_logging

from ..objectives.accumulate import Accumulator
from ..pipeline import Pipeline
from .checkpoint import Keeper
from .device import device
from .optimization import optimizer, scheduler
from .prepare import Prepared
from .run import metric_key, monitored
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
    stopped_early: bool
    wait_share: float
    """The part of the training time that was spent waiting for data."""
    clips_per_second: float


def fit(prepared: Prepared, folder: Path, console: Console, title: str, configuration: dict[str, Any]) -> Trained:
    """Train until the configured end or until the monitored figure no longer improves.

    Args:
        folder: the run's folder; checkpoints go below it.
        title: how the progress is called.
        configuration: what trackers are given as the configuration.
    """
    run, training = prepared.run, prepared.run.training
    chosen = device(run.hardware.device)
    pipeline = prepared.pipeline()
    per_step = training.batch_size * training.accumulate_grad_batches
    steps_per_epoch = len(prepared.parts.train) / per_step
    steps = min(math.ceil(training.max_epochs * steps_per_epoch), training.max_steps or 1 << 60)
    every = training.val_check_interval
    interval = every if isinstance(every, int) else max(round(every * steps_per_epoch), 1)
    validated = bool(prepared.parts.validation)
    figures = monitored(run.outputs)
    higher = run.checkpoint.mode == "max" if run.checkpoint.mode else figures[run.checkpoint.monitor]
    monitor = run.checkpoint.monitor.replace("val_", "eval_", 1) if validated else None

    keeper = Keeper(run.checkpoint, training, monitor, higher)
    watch = Watch(console, steps_per_epoch, per_step, title)
    tracker = Tracker(run, folder, steps_per_epoch, configuration)
    callbacks: list[TrainerCallback] = [keeper, tracker, watch]
    optim = optimizer(run.optimizer, pipeline.to(chosen))
    workers = run.loader.num_workers
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
    with _quiet():
        trainer = Trainer(
            model=pipeline,
            args=arguments,
            data_collator=prepared.collate,
            train_dataset=prepared.clips("train", epochs, shuffle=True),
            eval_dataset=prepared.clips("validation") if validated else None,
            compute_metrics=_validation_metrics(pipeline),
            optimizers=(optim, schedule),
            callbacks=callbacks,
        )
        trainer.remove_callback(PrinterCallback)  # log.jsonl and the Watch say it
        trainer.train()
    kept = sorted((folder / "checkpoints").glob("checkpoint-*"), key=lambda p: int(p.name.rsplit("-", 1)[1]))
    best = keeper.best_checkpoint(folder / "checkpoints")
    pipeline.load_state_dict(load_file(best / "model.safetensors"))
    done = int(trainer.state.global_step)
    return Trained(
        pipeline.eval(), best, kept[-1], tuple(kept), done, done < steps, watch.wait_share, watch.clips_per_second
    )


def _validation_metrics(pipeline: Pipeline) -> Callable[[EvalPrediction], dict[str, float]]:
    """The figures of validation, from one batch after the other; nothing but rows of clips is kept."""
    outputs = pipeline.outputs
    accumulators: dict[str, Accumulator] = {}
    seen = [0]

    def compute(batch: EvalPrediction, compute_result: bool = True) -> dict[str, float]:
        prediction: Any = batch.predictions
        label: Any = batch.label_ids
        for name, output in outputs.items():
            decoded = output.target.decode(torch.as_tensor(prediction[name]).float().cpu())
            truth = output.target.truth(torch.as_tensor(label[name]).float().cpu())
            ids = [str(seen[0] + i) for i in range(len(label[name]))]
            for metric in output.figures:
                key = metric_key(metric.type, name, len(outputs) > 1).removeprefix("val_")
                accumulator = accumulators.setdefault(key, metric.start(output.target.outputs))
                accumulator.update(decoded, truth, ids, ids)
        seen[0] += len(next(iter(label.values())))
        if not compute_result:
            return {}
        figures = {key: _overall(accumulator.compute()) for key, accumulator in accumulators.items()}
        accumulators.clear()
        return figures

    return compute


def _overall(values: dict[str, float]) -> float:
    return float(values.get("overall", next(iter(values.values()), np.nan)))


class _quiet:
    """The Trainer's own notices, silenced while it works; ours say what matters."""

    def __enter__(self) -> None:
        self.before = transformers_logging.get_verbosity()
        transformers_logging.set_verbosity_error()

    def __exit__(self, *error: object) -> None:
        transformers_logging.set_verbosity(self.before)
