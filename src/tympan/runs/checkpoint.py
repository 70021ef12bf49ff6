"""Which checkpoints are kept, and when training stops early: a callback of the stock Trainer."""

import json
import math
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from . import ranks, sealed
from .asked import Asked
from .sections import Checkpoint, Training

FOLDERS = f"{PREFIX_CHECKPOINT_DIR}-*"
TRAINER_STATE = "trainer_state.json"


class NoneSound(ValueError):
    """There are checkpoints, and none of them is whole."""

    status = 3


class BrokenOff(Exception):
    """Somebody asked for the end while a step was validated."""


class Keeper(TrainerCallback, ExportableState):
    """Keeps the best k checkpoints and the last, and stops when the monitored figure no longer improves."""

    def __init__(
        self, config: Checkpoint, training: Training, monitor: str | None, higher_is_better: bool, asked: Asked
    ) -> None:
        self.config, self.training, self.asked = config, training, asked
        self.monitor = monitor
        self.sign = -1.0 if higher_is_better else 1.0
        self.ranking: list[list[float]] = []  # [signed figure, step], best first
        self.best, self.waited = math.inf, 0

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of this callback."""
        return {"args": {}, "attributes": {"ranking": self.ranking, "best": self.best, "waited": self.waited}}

    def restore(self, checkpoint: Path) -> None:
        """Go on from a checkpoint with what was counted until then."""
        told = json.loads((checkpoint / TRAINER_STATE).read_text(encoding="utf-8"))
        for name, value in told["stateful_callbacks"][type(self).__name__]["attributes"].items():
            setattr(self, name, value)

    @property
    def ended_early(self) -> bool:
        """Whether the figure has not improved for too long."""
        return self.training.early_stopping and self.waited >= self.training.early_stopping_patience

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save every n steps and at the end; save and end where somebody asked for it."""
        self.asked.agree()
        if self.asked.name:
            control.should_training_stop = True
        if (
            self.asked.name
            or state.global_step % self.config.save_every_n_steps == 0
            or state.global_step >= state.max_steps
        ):
            control.should_save = True

    def on_prediction_step(self, args: TrainingArguments, state: TrainerState, *rest: Any, **kwargs: Any) -> None:
        """Break a validation off where somebody asked for the end, but not the last one, which is the end.

        Raises:
            BrokenOff: it is.
        """
        self.asked.agree()
        if self.asked.name and state.global_step < state.max_steps:
            raise BrokenOff

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Rank the figure; save where it is among the best; stop where it has not improved for too long."""
        self.asked.agree()
        if self.asked.name:  # while it was judged
            control.should_training_stop = control.should_save = True
        if self.monitor is None:
            return
        value = self.sign * kwargs["metrics"][self.monitor]
        value = math.inf if math.isnan(value) else value
        self.ranking = sorted([*self.ranking, [value, float(state.global_step)]])[: self.config.save_top_k]
        if [value, float(state.global_step)] in self.ranking or self.config.save_last:
            control.should_save = True
        if value < self.best - self.training.early_stopping_min_delta:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.ended_early:
            control.should_training_stop = control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Remove what is neither among the best nor the last, unless nothing else is whole."""
        if ranks.rank():
            return
        keep = {int(step) for _, step in self.ranking}
        if self.config.save_last or self.asked.name or not keep:
            keep.add(state.global_step)
        there = _by_step(Path(args.output_dir or "."))
        surplus = [path for step, path in there.items() if step not in keep]
        if surplus and any(_whole(there[step]) for step in sorted(keep, reverse=True) if step in there):
            for path in surplus:
                sealed.remove(path)

    def best_checkpoint(self, folder: Path) -> Path:
        """The best checkpoint by the monitored figure; the last where nothing was monitored."""
        there = _by_step(folder)
        for _, step in self.ranking:
            if int(step) in there:
                return there[int(step)]
        return there[max(there)]


def last_checkpoint(folder: Path) -> tuple[Path | None, dict[Path, str]]:
    """The newest sound checkpoint in a folder, `None` where it holds none at all, and why others are passed over.

    Raises:
        NoneSound: none of those that it holds is whole.
    """
    found, passed = sealed.newest(folder, FOLDERS)
    if found is None and passed:
        told = "; ".join(f"{path.name}: {why}" for path, why in passed.items())
        raise NoneSound(f"{folder}: no checkpoint is whole ({told}); train anew, or bring a whole copy of one back")
    return found, passed


def checkpoints(folder: Path) -> list[Path]:
    """The sealed checkpoints in a folder, the oldest first."""
    return list(_by_step(folder).values())


def step_of(checkpoint: Path) -> int:
    """The optimizer steps that a checkpoint has."""
    return sealed.sealed_step(checkpoint)


def _by_step(folder: Path) -> dict[int, Path]:
    found = {}
    for path in folder.glob(FOLDERS):
        try:
            found[sealed.sealed_step(path)] = path
        except sealed.Unsound:
            continue
    return dict(sorted(found.items()))


def _whole(folder: Path) -> bool:
    try:
        sealed.verify(folder)
    except sealed.Unsound:
        return False
    return True
