"""Where a training stands, as its checkpoints tell it."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from . import ranks
from .checkpoint import Keeper
from .prepare import Prepared
from .state import OPTIMIZER, WEIGHTS, Status, TrainState, sources_of
from .state_parts import (
    CheckpointState,
    DataLoaderState,
    LogState,
    MetaDataLoaderState,
    MetricState,
    ModelState,
    OptimizerState,
    RNGState,
    moments,
)
from .tracking import figures


class Standing:
    """A Trainer in training -> the TrainState of its run."""

    def __init__(self, prepared: Prepared, keeper: Keeper, steps: int) -> None:
        """Args:
        steps: those of the whole training.
        """
        self.prepared, self.keeper, self.steps = prepared, keeper, steps
        self.sources, self.weights = sources_of(prepared.run)
        self.configuration = prepared.run.model_dump(mode="json")
        self.taken: Counter[str] = Counter()
        self.counted = 0

    def __call__(self, trainer: Any) -> TrainState:
        """The state at a checkpoint that is being written."""
        step, folder = int(trainer.state.global_step), Path(trainer.args.output_dir)
        here = folder / f"{PREFIX_CHECKPOINT_DIR}-{step}"
        best = next((int(at) for _, at in self.keeper.ranking), None)
        model = trainer.model
        weights = [*model.parameters(), *model.buffers()]
        size, dtype, place = moments(trainer.optimizer.state)
        return TrainState(
            status=self._status(step),
            run=self.configuration,
            rng_state=RNGState.now(self.prepared.run.seed),
            optimizer_state=OptimizerState(
                last_step=step,
                moments_ram_size_bytes=size,
                moments_dtype=dtype,
                moments_device=place,
                moments_path=here / OPTIMIZER,
            ),
            checkpoint_state=CheckpointState(steps_since_last_checkpoint=0, checkpoint_dir=folder),
            metric_state=MetricState(metrics=self._metrics(trainer.state.log_history, step)),
            meta_dataloader_state=MetaDataLoaderState(
                split="train", sampling_weights=self.weights, dataloader_states=self._positions(trainer, step)
            ),
            model_state=ModelState(
                model_loaded=True,
                model_ram_size_bytes=sum(t.numel() * t.element_size() for t in weights),
                model_dtype=next((t.dtype for t in weights), torch.float32),
                model_device=next((t.device for t in weights), torch.device("cpu")),
                best_model_path=None if best is None else folder / f"{PREFIX_CHECKPOINT_DIR}-{best}" / WEIGHTS,
                last_model_path=here / WEIGHTS,
            ),
            log_state=LogState(
                loss=trainer.loss_since, steps=trainer.steps_since, validation_due=trainer.validation_due
            ),
        )

    def _status(self, step: int) -> Status:
        if step >= self.steps:
            return "complete"
        return "stopped" if self.keeper.ended_early or self.keeper.asked.name else "in_progress"

    def _positions(self, trainer: Any, step: int) -> list[DataLoaderState]:
        """How many batches were taken from each corpus; a batch is of one."""
        size, each = self.prepared.run.training.batch_size, self.prepared.run.training.accumulate_grad_batches
        each *= ranks.processes()
        clips = trainer.train_dataset
        clips = getattr(clips, "clips", clips)
        last = min(step * each, math.ceil(len(clips) / size))
        if len(self.sources) == 1:
            self.taken[self.sources[0]] = last
        else:
            for batch in range(self.counted, last):
                self.taken[self.prepared.source.describe(clips.at(batch * size)[1]).groups["corpus"]] += 1
            self.counted = last
        return [DataLoaderState(last_batch_idx=self.taken[name], dataset=name, split="train") for name in self.sources]

    @staticmethod
    def _metrics(history: list[dict[str, Any]], step: int) -> dict[str, float | int | None]:
        """The figures last logged, by `train/…` and `val/…`."""
        found: dict[str, float | int | None] = {}
        for line in history:
            for key, value in figures(line, step, 0.0).items():
                if key not in ("step", "epoch"):
                    name = f"val/{key.removeprefix('val_')}" if key.startswith("val_") else f"train/{key}"
                    found[name] = value if math.isfinite(value) else None
        return found
