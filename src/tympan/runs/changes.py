"""What may change in the middle of a training, and what may not."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .finetune import differ
from .run import Run
from .state import STATE, TrainState

FREE = (
    *("name", "seeds", "test", "judging", "logging", "loader", "checkpoint"),
    *("hardware.device", "hardware.fsdp", "data.root", "data.path", "data.splits"),
    *("training.early_stopping", "training.early_stopping_patience", "training.early_stopping_min_delta"),
    "training.nonfinite",
)
"""Fields, and whole sections, that do not change what is learned from a batch, or which batches come."""
LONGER = ("training.max_epochs", "training.max_steps")
"""Fields that may become more, where the learning rate does not depend on how long the training is."""
_STEADY = ("constant", "none", "reduce_on_plateau")


def refuse(checkpoint: Path, run: Run) -> None:
    """Compare a run with the one that a checkpoint is of.

    Raises:
        ValueError: something differs that may not; the message has each difference and what may change.
    """
    if not (checkpoint / STATE).is_file():  # of a run that trains nothing
        return
    before, now = TrainState.read(checkpoint / STATE).run, run.model_dump(mode="json")
    if before["hardware"]["num_gpus"] != now["hardware"]["num_gpus"]:
        before, now = _by_step(before), _by_step(now)
    steady = run.optimizer.scheduler in _STEADY
    wrong = [
        line
        for field, line in _differences(before, now)
        if not _within(field, FREE) and not (field in LONGER and steady and _more(before, now, field))
    ]
    if wrong:
        raise ValueError(
            f"{checkpoint}: cannot go on with another configuration: {'; '.join(wrong)}. Begin a new run, or leave it "
            f"as it was; free to change are {', '.join(FREE)}, and where the learning rate does not depend on how long "
            f"the training is, {' and '.join(LONGER)} may be more"
        )


def _by_step(told: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with the clips of an optimizer step in place of how processes share them."""
    hardware, training = dict(told["hardware"]), dict(told["training"])
    each = hardware.pop("num_gpus"), training.pop("batch_size"), training.pop("accumulate_grad_batches")
    hardware.pop("distributed")
    return {**told, "hardware": hardware, "training": {**training, "clips_per_step": math.prod(each)}}


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = [line for part in dict.fromkeys([*before, *now]) for line in differ(part, before.get(part), now.get(part))]
    return [(line.partition(" ")[0], line) for line in lines]


def _within(field: str, fields: tuple[str, ...]) -> bool:
    return any(field == free or field.startswith(f"{free}.") for free in fields)


def _more(before: Mapping[str, Any], now: Mapping[str, Any], field: str) -> bool:
    section, name = field.split(".")
    old, new = before[section][name], now[section][name]
    return new is None or (old is not None and new >= old)
