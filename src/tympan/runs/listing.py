"""The runs in a folder: where each stands, how good it is, and how old."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data import storage
from . import folder as folders
from . import lock, sealed
from .checkpoint import TRAINER_STATE, checkpoints
from .configuration import load
from .state import STATE, TrainState


@dataclass(frozen=True)
class Listed:
    """One run, as its folder tells."""

    folder: Path
    status: str
    """`complete`, `stopped early`, `stopped`, `in progress` while a process is at work in it, `initialized` before its
    first checkpoint, or `unreadable`."""
    step: int | None
    """Optimizer steps of the newest checkpoint; of several trainings the sum."""
    metric: str
    """What decides which checkpoint is best."""
    best: float | None
    """Its best value on the validation part; `None` where nothing was validated, or of several trainings."""
    age: float
    """Seconds since something in the folder was last written."""


def runs(folder: str | Path) -> list[Listed]:
    """Every run in a folder, the newest first.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is in a bucket, where each run would have to be brought here to tell how it stands.
    """
    if storage.elsewhere(folder):
        raise ValueError(
            f"{folder}: only runs on this machine are listed; list the bucket with its own program, and name the URI "
            "of a run in it to `tympan resume`, `evaluate`, `predict`, `embed` or `compare`"
        )
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: is no folder; name the one that runs are made in (checkpoint.checkpoint_dir)"
        )
    found = [path for path in sorted(folder.iterdir()) if (path / "run.yaml").is_file()]
    return sorted((_standing(path) for path in found), key=lambda standing: standing.age)


def _standing(folder: Path) -> Listed:
    members = [path for path in sorted(folder.iterdir()) if (path / "run.yaml").is_file()] or [folder]
    newest = max(path.stat().st_mtime for path in folder.rglob("*"))
    states = [state for member in members if (state := _newest(member))]
    step = sum(state.optimizer_state.last_step for state in states) if states else None
    try:
        metric = load(folder / "run.yaml").checkpoint.monitor
    except ValueError:
        return Listed(folder, "unreadable", step, "", None, time.time() - newest)
    best = _best(members[0], metric) if len(members) == 1 else None
    return Listed(folder, _status(folder, states), step, metric, best, max(time.time() - newest, 0.0))


def _newest(member: Path) -> TrainState | None:
    """The state in the newest checkpoint; its files are not read, which would take long, but by `resume`."""
    for checkpoint in reversed(checkpoints(member / "checkpoints")):
        try:
            return TrainState.read(checkpoint / STATE)
        except (ValueError, FileNotFoundError):
            continue
    return None


def _status(folder: Path, states: Sequence[TrainState]) -> str:
    if folders.ended(folder):
        return str(folders.summary(folder)["status"])
    if lock.busy(folder):
        return "in progress"
    return "stopped" if states else "initialized"


def _best(member: Path, metric: str) -> float | None:
    """The first of the ranking, as the newest checkpoint has it."""
    kept = checkpoints(member / "checkpoints")
    try:
        told = json.loads((kept[-1] / TRAINER_STATE).read_text(encoding="utf-8"))
    except (IndexError, FileNotFoundError, ValueError, sealed.Unsound):
        return None
    name = metric.replace("val_", "eval_", 1)
    ranking = told["stateful_callbacks"]["Keeper"]["attributes"]["ranking"]
    by_step = {line["step"]: line[name] for line in told["log_history"] if name in line}
    return by_step.get(int(ranking[0][1])) if ranking else None
