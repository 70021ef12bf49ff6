"""Every training of a run, one for each seed and fold: begun, gone on with, or found finished."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from .. import memory
from ..data.split import Parts
from ..reports import page
from . import clinical, lock
from . import folder as folders
from .again import named_parts
from .checkpoint import FOLDERS
from .configuration import load
from .member import Member, Way, finished, member
from .metrics import Metrics, pool
from .run import Run
from .state import STATE, TrainState


@dataclass(frozen=True)
class Result:
    """What a training left."""

    status: Literal["complete", "stopped"]
    """`stopped` is early stopping: the monitored figure no longer improved."""
    folder: Path
    """The run's folder."""
    metrics: Metrics
    """What metrics.json holds."""
    paths: dict[str, Path]
    """Everything that was made, by name."""
    best_checkpoint: Path | None
    """The best checkpoint; `None` for a run over several folds or seeds, whose members have their own."""
    alarms: tuple[str, ...] = ()
    """Why the figures are not fair; empty where they are."""
    state: TrainState | None = None
    """Where the training stands, as its last checkpoint has it; `None` for several."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """The loss of training, validation and test at the best checkpoint, by part; of several trainings the means."""


def through(run: Run, folder: Path, splits: Sequence[Parts], seeds: Sequence[int], way: Way) -> Result:
    """Every training of a run, each in its folder; one that has ended is left as it is, one that was begun goes on."""
    several = len(splits) * len(seeds) > 1
    members: dict[str, Member] = {}
    for seed in seeds:
        for number, parts in enumerate(splits):
            name = "-".join([f"seed-{seed}"] * (len(seeds) > 1) + [f"fold-{number}"] * (len(splits) > 1))
            own = replace(way, title=name or way.title)
            alone = run.model_copy(update={"seed": seed, "seeds": ()})
            members[name] = _member(alone, parts, folder, name, folders.notes(run, splits, name), own)
    first, trained = next(iter(members.values())), [member.trained for member in members.values()]
    metrics, alarms = first.metrics, list(dict.fromkeys(a for m in members.values() for a in m.alarms))
    if several:
        pooled = pool({name: member.found for name, member in members.items()})
        metrics, _ = clinical.write(folder, pooled, run.judged)
        times = {stage: sum(member.times[stage] for member in members.values()) for stage in first.times}
        notes = [*dict.fromkeys(d for m in members.values() for d in m.doubts), *folders.notes(run, splits)]
        folders.summarise(folder, run, trained, times, notes, alarms, str(way.chosen), first.data, "", list(members))
        page.write(folder)
    memory.give_back()
    return _result(folder, metrics, list(members.values()), tuple(members) if several else ())


def _member(run: Run, parts: Parts, folder: Path, name: str, notes: list[str], way: Way) -> Member:
    """One of the trainings, in the run's folder or in its own below."""
    if not name:
        return member(run, parts, folder, notes, way)
    own = folder / name
    own.mkdir(exist_ok=True)
    with lock.held(own):
        if folders.ended(own):
            return finished(run, own, way.chosen)
        if any((own / "checkpoints").glob(FOLDERS)):
            run, parts = _taken_up(own, run, parts)
        return member(run, parts, own, notes, way)


def _result(folder: Path, metrics: Metrics, members: Sequence[Member], names: Sequence[str] = ()) -> Result:
    """What one training left, or several, whose folders have names."""
    paths = {"run": folder / "run.yaml", "metrics": folder / "metrics.json"}
    paths |= {"predictions": folder / "predictions.parquet", "report": folder / "report" / "index.html"}
    first = members[0].trained
    if not names:
        paths |= {"model": folder / "model", "log": folder / "log.jsonl", "split": folder / "split.json"}
        paths |= {"last_checkpoint": first.last, **{p.name: p for p in first.checkpoints}}
    paths |= {name: folder / name for name in names}
    status = "stopped" if any(m.trained.stopped_early for m in members) else "complete"
    alarms = tuple(dict.fromkeys(alarm for m in members for alarm in m.alarms))
    said = [m.trained.losses | ({"test": m.found["test"].loss} if "test" in m.found else {}) for m in members]
    losses = {part: sum(one[part] for one in said) / len(said) for part in said[0]}
    state = None if names else TrainState.read(first.last / STATE) if (first.last / STATE).is_file() else None
    return Result(status, folder, metrics, paths, None if names else first.best, alarms, state, losses)


def _taken_up(folder: Path, run: Run, parts: Parts) -> tuple[Run, Parts]:
    """What was begun in the folder of one of several trainings, where the data still divide as they did.

    Raises:
        ValueError: they do not.
    """
    kept = load(folder / "run.yaml")
    held = named_parts(folder / "split.json", kept.data)
    if held != parts:
        raise ValueError(
            f"{folder}: was begun with other recordings in its parts than the data give now; bring the data back, or "
            "train anew"
        )
    free = {name: getattr(run, name) for name in ("loader", "logging", "hardware", "checkpoint", "training")}
    return kept.model_copy(update=free), held
