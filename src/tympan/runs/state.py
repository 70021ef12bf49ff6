"""The state of a training: where it stands, and all that it needs to go on; a checkpoint holds it as `state.json`.

The schema follows the mission's: random states, model, optimizer, checkpoints, metrics and the position in every data
source. Large tensors stay in files of their own, which the state names.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, ValidationError

from ..data import copies, storage
from . import sealed
from .resolved import dump
from .run import Run
from .state_parts import (
    CheckpointState,
    DataLoaderState,
    LogState,
    MetaDataLoaderState,
    MetricState,
    ModelState,
    OptimizerState,
    Part,
    RNGState,
)

STATE = "state.json"
WEIGHTS, OPTIMIZER = "model.safetensors", "optimizer.pt"
Status = Literal["initialized", "in_progress", "stopped", "complete"]
"""`stopped` ended early, by the monitored figure or because somebody asked; `complete` did all its steps."""
Migration = Callable[[dict[str, Any]], dict[str, Any]]
MIGRATIONS: list[Migration] = []
"""From the state that version i + 1 wrote to that of version i + 2, in order: an old checkpoint is brought forward."""


def version() -> int:
    """The version of the schema that is written now."""
    return len(MIGRATIONS) + 1


class TrainState(Part):
    """A training, from `initialized` to its end."""

    schema_version: int = Field(default_factory=version)
    status: Status
    run: dict[str, Any]
    """The whole configuration."""
    rng_state: RNGState
    optimizer_state: OptimizerState
    checkpoint_state: CheckpointState
    metric_state: MetricState
    meta_dataloader_state: MetaDataLoaderState
    model_state: ModelState
    log_state: LogState = LogState()

    @classmethod
    def from_config(cls, config: Run) -> "TrainState":
        """The state of a run that has not begun; `train` begins it."""
        sources, weights = sources_of(config)
        return cls(
            status="initialized",
            run=config.model_dump(mode="json"),
            rng_state=RNGState.now(config.seed),
            optimizer_state=OptimizerState(
                last_step=0, moments_ram_size_bytes=0, moments_dtype=None, moments_device=None, moments_path=None
            ),
            checkpoint_state=CheckpointState(
                steps_since_last_checkpoint=0, checkpoint_dir=Path(config.checkpoint.checkpoint_dir)
            ),
            metric_state=MetricState(metrics={}),
            meta_dataloader_state=MetaDataLoaderState(
                split="train",
                sampling_weights=weights,
                dataloader_states=[DataLoaderState(last_batch_idx=0, dataset=name, split="train") for name in sources],
            ),
            model_state=ModelState(
                model_loaded=False,
                model_ram_size_bytes=0,
                model_dtype=torch.float32,
                model_device=torch.device("cpu"),
                best_model_path=None,
                last_model_path=None,
            ),
        )

    @classmethod
    def from_checkpoint(cls, checkpoint_path: str | Path) -> "TrainState":
        """The state that a checkpoint holds, a path or URI, its seal verified.

        Raises:
            FileNotFoundError: there is no such folder.
            ValueError: it is not whole, or of a newer tympan; the message says why.
        """
        folder = copies.here(checkpoint_path)
        if not folder.is_dir():
            raise FileNotFoundError(f"{checkpoint_path}: is no folder; name a checkpoint of a run")
        try:
            sealed.verify(folder)
        except sealed.Unsound as error:
            raise ValueError(f"{checkpoint_path}: {error}; name another checkpoint") from error
        return cls.read(folder / STATE)

    @classmethod
    def read(cls, path: Path) -> "TrainState":
        """The state in a file, brought forward from an older version.

        Raises:
            ValueError: it is no state, or of a newer tympan.
        """
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            written = int(told["schema_version"])
            if written > version():
                raise ValueError(f"{path}: has version {written}, and this tympan knows {version()}; use a newer one")
            for migrate in MIGRATIONS[written - 1 :]:
                told = migrate(told)
            return cls.model_validate_json(json.dumps({**told, "schema_version": version()}))
        except (KeyError, TypeError, ValidationError, json.JSONDecodeError) as error:
            raise ValueError(f"{path}: is no state of a training: {error}") from error

    def to_checkpoint(self, checkpoint_path: Path) -> None:
        """Write the state beside the tensors that it names."""
        storage.write_text(checkpoint_path / STATE, self.model_dump_json(indent=1) + "\n")

    def configuration(self) -> Run:
        """The run that it is the state of."""
        return Run.model_validate(self.run)

    def same_as(self, run: Run) -> bool:
        """Whether it is the state of this very run."""
        return dump(self.configuration()) == dump(run)


def sources_of(run: Run) -> tuple[list[str], list[float]]:
    """The corpora that a run draws from, and how large a part of the batches each is meant to be."""
    trained = {name: float(len(source)) for name, (source, parts) in run.data.corpora.items() if "train" in parts}
    if not trained:
        return [str(run.data.type)], [1.0]
    given = [float(weight) for weight in getattr(run.data, "sampling_weights", ()) if weight]
    return list(trained), given or list(trained.values())
