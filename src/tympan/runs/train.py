"""A configuration -> a run's folder: trained, exported, evaluated beside baselines, reported."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from transformers import TrainerCallback

from .. import memory
from ..data import cache, storage
from ..data.split import Parts, record
from ..device import device
from ..reports import page
from . import clinical, dry, obtain, probe, standardization
from . import folder as folders
from . import parts as parts_of
from .again import named_parts
from .audible import unheard
from .checkpoint import last_checkpoint
from .configuration import load
from .evaluate import Evaluation
from .export import export
from .finetune import judged
from .metrics import Metrics, pool
from .prepare import prepare
from .resolved import dump
from .run import Run
from .score import publish, score
from .trainer import Trained
from .unbroken import cut, fit, step_of, told

_STAGES: tuple[str, ...] = ("prepare", "train", "evaluate")


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
    losses: Mapping[str, float] = field(default_factory=dict)
    """The loss of training, validation and test at the best checkpoint, by part; of several trainings the means."""


@dataclass(frozen=True)
class _Way:
    """How the trainings of a run are done."""

    chosen: torch.device
    console: Console
    title: str
    dry_run: bool = False
    checkpoint: Path | None = None
    """Of the run itself, from which to go on."""
    callbacks: Sequence[TrainerCallback] = ()


@dataclass(frozen=True)
class _Member:
    """One training of a run: one seed, one split."""

    trained: Trained
    found: dict[str, Evaluation]
    metrics: Metrics
    times: dict[str, float]
    data: dict[str, Any]
    alarms: list[str]
    """Why its figures are not fair."""
    doubts: list[str]
    """Why they may not be."""


@cache.asked_once()
def train(
    run: Run,
    *,
    console: Console | None = None,
    dry_run: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
) -> Result:
    """Train a run, export its best checkpoint, and evaluate that once on the test part.

    A run with `split.folds` trains once for every fold and scores the pooled out-of-fold answers; a run with `seeds`
    is repeated, and its figures are means over the repeats.

    Args:
        run: the configuration.
        console: where progress goes; by default standard error.
        dry_run: two steps, a checkpoint, a reload and an evaluation on a few examples, to see that all of it works.
        callbacks: of the Trainer, to watch or to end the training.

    Raises:
        ValueError: the configuration does not fit the data, or its parts each other.
    """
    console = console or Console(stderr=True)
    drawn = all(corpus.own_seed is None for corpus in (run.data, *(own for own, _ in run.data.corpora.values())))
    if run.split.seed is None and drawn:  # the same split for every seed, and said in run.yaml
        run = run.model_copy(update={"split": run.split.model_copy(update={"seed": run.seed})})
    splits = obtain.obtain(run).divide()
    seeds = run.seeds or (run.seed,)
    if dry_run:
        run, splits, seeds = (
            dry.short(run),
            [dry.few(parts, run.training.batch_size) for parts in splits[:1]],
            seeds[:1],
        )
    chosen = device(run.hardware.device, "hardware.device")
    if chosen.type == "cpu":
        memory.keep()
    run = _decided(run, splits[0], chosen, console)
    with folders.sent(run, folder := folders.make(run), console):
        storage.write_text(folder / "run.yaml", dump(run))
        several = len(splits) * len(seeds) > 1
        members: dict[str, _Member] = {}
        for seed in seeds:
            for number, parts in enumerate(splits):
                name = "-".join([f"seed-{seed}"] * (len(seeds) > 1) + [f"fold-{number}"] * (len(splits) > 1))
                (folder / name).mkdir(exist_ok=True)
                member, title = run.model_copy(update={"seed": seed, "seeds": ()}), name or run.name
                notes = folders.notes(run, splits, name)
                way = _Way(chosen, console, title, dry_run, callbacks=callbacks)
                members[name] = _member(member, parts, folder / name, notes, way)
        first, trained = next(iter(members.values())), [member.trained for member in members.values()]
        metrics, alarms = first.metrics, list(dict.fromkeys(a for m in members.values() for a in m.alarms))
        if several:
            pooled = pool({name: member.found for name, member in members.items()})
            metrics, _ = clinical.write(folder, pooled, run.judging)
            times = {stage: sum(member.times[stage] for member in members.values()) for stage in first.times}
            notes = [*dict.fromkeys(d for m in members.values() for d in m.doubts), *folders.notes(run, splits)]
            folders.summarise(folder, run, trained, times, notes, alarms, str(chosen), first.data, "", list(members))
            page.write(folder)
        memory.give_back()
        return _result(folder, metrics, list(members.values()), tuple(members) if several else ())


def _result(folder: Path, metrics: Metrics, members: Sequence[_Member], names: Sequence[str] = ()) -> Result:
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
    return Result(status, folder, metrics, paths, None if names else first.best, alarms, losses)


def resume(folder: str | Path, *, console: Console | None = None) -> Result:
    """Go on with a run that was stopped, from its last checkpoint, with its own configuration and split.

    Raises:
        FileNotFoundError: the folder holds no run, or one that was stopped before its first checkpoint.
        ValueError: the run has ended, or is one of several trainings.
    """
    folder, console = Path(folder), console or Console(stderr=True)
    if (folder / "summary.json").is_file():
        raise ValueError(f"{folder}: has ended, and there is nothing to go on with; `tympan evaluate` scores it again")
    if not (folder / "split.json").is_file():
        there = "only the folders of its single trainings" if (folder / "run.yaml").is_file() else "no run"
        raise FileNotFoundError(f"{folder}: holds {there} to go on with; name the folder of one, with its split.json")
    checkpoint = last_checkpoint(folder / "checkpoints")
    if checkpoint is None:
        raise FileNotFoundError(f"{folder}: was stopped before its first checkpoint; train it anew")
    run = load(folder / "run.yaml")
    parts = named_parts(folder / "split.json", run.data)
    chosen = device(run.hardware.device, "hardware.device")
    if chosen.type == "cpu":
        memory.keep()
    cut(folder, step := step_of(checkpoint))
    console.print(f"{run.name}: goes on from step {step}", highlight=False)
    way = _Way(chosen, console, run.name, checkpoint=checkpoint)
    with folders.sent(run, folder, console):
        member = _member(run, parts, folder, folders.notes(run, [parts]), way)
        memory.give_back()
        return _result(folder, member.metrics, [member])


def _decided(run: Run, parts: Parts, chosen: torch.device, console: Console) -> Run:
    """The run with a precision, and with the parts of the configuration seen to fit each other."""
    hardware, prepared = run.hardware, prepare(run, parts, hear=False)
    prepared.pipeline()  # what does not fit is refused before a folder is made
    if hardware.precision is None:
        hardware = hardware.model_copy(update={"precision": "fp16" if chosen.type == "cuda" else "fp32"})
    if hardware.precision == "fp16" and chosen.type == "cpu":
        raise ValueError("hardware.precision: fp16 does not train on cpu, which `auto` took; one of: fp32, bf16, auto")
    if hardware.precision == "auto":
        hardware = probe.fastest(prepared, chosen, lambda said: console.print(said, highlight=False))
    taken = " (auto)" if hardware.device == "auto" else ""
    last = ", channels_last" if hardware.channels_last else ""
    console.print(f"device: {chosen}{taken}, precision: {hardware.precision}{last}", highlight=False)
    return run.model_copy(update={"hardware": hardware})


def _member(run: Run, parts: Parts, folder: Path, notes: list[str], way: _Way) -> _Member:
    clock = [time.perf_counter()]
    prepared = prepare(run, parts, folder=folder)
    kept = record(run.data, parts, run.split, run.seed)
    storage.write_text(folder / "split.json", json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    storage.write_text(folder / "run.yaml", dump(prepared.run))
    alarms, doubts = judged(run.checkpoint.load_from_checkpoint, run, kept)
    for said in (*(f"NOT FAIR: {alarm}" for alarm in alarms), *doubts):
        way.console.print(said, style="bold red", highlight=False, markup=False, soft_wrap=True)
    notes = [*doubts, *unheard(prepared), *standardization.told(prepared.run.features, len(parts.train)), *notes]
    clock.append(time.perf_counter())
    said = prepared.run.model_dump(mode="json")
    trained = fit(prepared, folder, way.console, way.title, said, way.checkpoint, way.callbacks)
    clock.append(time.perf_counter())
    artifact = prepared.artifact(
        trained.pipeline,
        id=folder.name if way.title == run.name else f"{folder.parent.name}/{folder.name}",
        checkpoint=trained.best.name,
        steps=trained.steps,
        epoch=trained.epoch,
        split=kept.get("sha256"),
        losses=trained.losses,
    )
    artifact = export(artifact, folder / "model", run)
    if way.dry_run:
        dry.same(prepared, trained, artifact)
    artifact.pipeline.to(way.chosen)
    heard = ("validation", "test") if run.test else ("validation",)
    found, metrics, artifact = score(folder, prepared, artifact, heard)
    clock.append(time.perf_counter())
    times = {stage: after - before for stage, (before, after) in zip(_STAGES, pairwise(clock), strict=True)}
    data = parts_of.describe(prepared)
    skipped = told(prepared, folder)
    folders.summarise(folder, run, [trained], times, [*skipped, *notes], alarms, str(way.chosen), data, str(artifact))
    publish(folder, artifact, metrics)
    return _Member(trained, found, metrics, times, data, alarms, [*doubts, *skipped])
