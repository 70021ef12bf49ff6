"""A run -> what the stock Trainer is told of it."""

from pathlib import Path

import torch
from transformers import TrainingArguments

from .run import Run


def arguments(
    run: Run,
    folder: Path,
    steps: int,
    interval: int | None,
    monitor: str | None,
    higher: bool,
    device: torch.device,
) -> TrainingArguments:
    """The Trainer's arguments.

    Args:
        folder: where checkpoints go.
        steps: optimizer steps of the whole training.
        interval: those between validations, if there are any.
        monitor: the figure that decides what is best, by the Trainer's name.
        higher: whether more of it is better.
    """
    workers = run.loader.workers
    given = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=run.training.batch_size,
        per_device_eval_batch_size=run.training.batch_size,
        gradient_accumulation_steps=run.training.accumulate_grad_batches,
        max_grad_norm=run.training.gradient_clip_val,
        train_sampling_strategy="sequential",  # the dataset's positions are the order
        eval_strategy="steps" if interval else "no",
        eval_steps=interval,
        metric_for_best_model=monitor,
        greater_is_better=higher,
        save_strategy="no",  # the Keeper decides
        logging_steps=run.logging.log_every_n_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        bf16=run.hardware.precision == "bf16",
        fp16=run.hardware.precision == "fp16",
        use_cpu=device.type == "cpu",
        seed=run.seed,
        dataloader_num_workers=workers,
        dataloader_prefetch_factor=run.loader.prefetch_size if workers else None,
        dataloader_persistent_workers=bool(workers),
        dataloader_pin_memory=device.type == "cuda",
        remove_unused_columns=False,
        label_names=["target"],
        batch_eval_metrics=True,
        report_to=[],
        disable_tqdm=True,
    )
    if given.n_gpu > 1:
        given._n_gpu = 1  # else the Trainer would split every batch between threads
    return given
