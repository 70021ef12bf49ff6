"""One training of a run: one seed, one split; begun, gone on with, or found finished."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from transformers import TrainerCallback

from ..data import storage
from ..data.split import Parts, record
from ..serving.artifact import Artifact
from . import dry, sealed, standardization
from . import folder as folders
from . import parts as parts_of
from .again import score_again
from .audible import unheard
from .changes import refuse
from .checkpoint import checkpoints, last_checkpoint, step_of
from .evaluate import Evaluation
from .export import export
from .finetune import judged
from .metrics import Metrics
from .prepare import Prepared, prepare
from .resolved import dump
from .run import Run
from .score import publish, score
from .taken_over import take_over
from .trainer import Trained
from .unbroken import cut, fit, told

_STAGES: tuple[str, ...] = ("prepare", "train", "evaluate")


@dataclass(frozen=True)
class Way:
    """How the trainings of a run are done."""

    chosen: torch.device
    console: Console
    title: str
    dry_run: bool = False
    callbacks: Sequence[TrainerCallback] = ()


@dataclass(frozen=True)
class Member:
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


def member(run: Run, parts: Parts, folder: Path, notes: list[str], way: Way) -> Member:
    """Train, export and judge in a folder, from the newest sound checkpoint that it holds, if it holds any.

    Args:
        run: of one seed; where the folder holds a checkpoint, as the folder's run.yaml has it.
        notes: what a reader of the figures must know.

    Raises:
        Locked: another process is at work in the folder.
        NoneSound: the folder holds checkpoints, and none is whole.
        ValueError: the configuration is not the checkpoint's, in what may not change.
    """
    clock = [time.perf_counter()]
    sealed.sweep(folder / "checkpoints")
    checkpoint, passed = last_checkpoint(folder / "checkpoints")
    for path, why in passed.items():
        way.console.print(f"{path.name} is passed over: {why}", highlight=False, markup=False, soft_wrap=True)
    if checkpoint is None:
        prepared = prepare(run, parts, folder=folder)
        kept = record(run.data, parts, run.split, run.seed)
        storage.write_text(folder / "split.json", json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        if run.checkpoint.load_from_checkpoint and run.checkpoint.weights_only is False:
            checkpoint = take_over(run.checkpoint.load_from_checkpoint, folder, kept)
    else:  # what was learned from the training part is in run.yaml
        prepared = Prepared(run, parts, folder)
        kept = json.loads((folder / "split.json").read_text(encoding="utf-8"))
    if not checkpoint:
        cut(folder, 0)  # what was logged before the first checkpoint, where it begins anew
    else:
        refuse(checkpoint, prepared.run)
        cut(folder, step := step_of(checkpoint))
        way.console.print(f"{way.title}: goes on from step {step}", highlight=False)
    storage.write_text(folder / "run.yaml", dump(prepared.run))
    alarms, doubts = judged(run.checkpoint.load_from_checkpoint, run, kept)
    for said in (*(f"NOT FAIR: {alarm}" for alarm in alarms), *doubts):
        way.console.print(said, style="bold red", highlight=False, markup=False, soft_wrap=True)
    notes = [*doubts, *unheard(prepared), *standardization.told(prepared.run.features, len(parts.train)), *notes]
    clock.append(time.perf_counter())
    configuration = prepared.run.model_dump(mode="json")
    trained = fit(prepared, folder, way.console, way.title, configuration, checkpoint, way.callbacks)
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
    return Member(trained, found, metrics, times, data, alarms, [*doubts, *skipped])


def finished(run: Run, folder: Path, device: torch.device) -> Member:
    """A training of this folder that came to its end before."""
    found, metrics = score_again(folder, test=False, device=str(device))
    artifact = Artifact.load(folder / "model", run.elsewhere, str(device))
    summary, provenance = folders.summary(folder), artifact.config.provenance
    kept = checkpoints(folder / "checkpoints")
    trained = Trained(
        pipeline=artifact.pipeline,
        best=folder / "checkpoints" / provenance["checkpoint"],
        last=kept[-1],
        checkpoints=tuple(kept),
        steps=summary["steps"],
        epoch=summary["epoch"],
        losses=provenance["losses"],
        begun_with=summary["begun_with"],
        stopped_early=summary["status"] != "complete",
        wait_share=summary["wait_share"],
        clips_per_second=summary["clips_per_second"],
    )
    return Member(trained, found, metrics, summary["times"], summary["data"], summary["alarms"], [])
