"""Which checkpoints are kept, and when training stops early: a callback of the stock Trainer."""

import math
import shutil
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from .sections import Checkpoint, Training


class Keeper(TrainerCallback, ExportableState):
    """Keeps the best k checkpoints and the last, and stops when the monitored figure no longer improves."""

    def __init__(
        self,
        config: Checkpoint | dict[str, Any],
        training: Training | dict[str, Any],
        monitor: str | None,
        higher_is_better: bool,
    ) -> None:
        # The Trainer makes this object again from the dictionaries of `state`.
        self.config, self.training = Checkpoint.model_validate(config), Training.model_validate(training)
        self.monitor = monitor
        self.sign = -1.0 if higher_is_better else 1.0
        self.ranking: list[list[float]] = []  # [signed figure, step], best first
        self.best, self.waited = math.inf, 0
        self.saving = False  # between the decision to write a checkpoint and its end

    @classmethod
    def of(cls, trainer: Trainer) -> "Keeper":
        """The one that a Trainer calls, which is not the one that it was given where it went on from a checkpoint."""
        return next(callback for callback in trainer.callback_handler.callbacks if isinstance(callback, cls))

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of this callback."""
        arguments = {
            "config": self.config.model_dump(),
            "training": self.training.model_dump(),
            "monitor": self.monitor,
            "higher_is_better": self.sign < 0,
        }
        return {"args": arguments, "attributes": {"ranking": self.ranking, "best": self.best, "waited": self.waited}}

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save every n steps and at the end."""
        if state.global_step % self.config.save_every_n_steps == 0 or state.global_step >= state.max_steps:
            self._save(control)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Rank the figure; save where it is among the best; stop where it has not improved for too long."""
        if self.monitor is None:
            return
        value = self.sign * kwargs["metrics"][self.monitor]
        value = math.inf if math.isnan(value) else value
        self.ranking = sorted([*self.ranking, [value, float(state.global_step)]])[: self.config.save_top_k]
        if [value, float(state.global_step)] in self.ranking or self.config.save_last:
            self._save(control)
        if value < self.best - self.training.early_stopping_min_delta:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.training.early_stopping and self.waited >= self.training.early_stopping_patience:
            control.should_training_stop = True
            self._save(control)

    def _save(self, control: TrainerControl) -> None:
        control.should_save = self.saving = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Remove what is neither among the best nor the last."""
        self.saving = False
        keep = {int(step) for _, step in self.ranking}
        if self.config.save_last or not keep:
            keep.add(state.global_step)
        for folder in Path(args.output_dir or ".").glob(f"{PREFIX_CHECKPOINT_DIR}-*"):
            if int(folder.name.rsplit("-", 1)[1]) not in keep:
                shutil.rmtree(folder)

    def best_checkpoint(self, folder: Path) -> Path:
        """The best checkpoint by the monitored figure; the last where nothing was monitored."""
        there = {int(p.name.rsplit("-", 1)[1]): p for p in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*")}
        for _, step in self.ranking:
            if int(step) in there:
                return there[int(step)]
        return there[max(there)]


def last_checkpoint(folder: Path) -> Path | None:
    """The checkpoint with the most steps in a folder; `None` where it holds none."""
    there = {int(p.name.rsplit("-", 1)[1]): p for p in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*")}
    return there[max(there)] if there else None
