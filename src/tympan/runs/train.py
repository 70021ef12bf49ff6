"""A configuration -> a run's folder: trained, exported, evaluated beside baselines, reported."""

import json
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from rich.console import Console

from ..data.split import Parts, record
from ..reports import card, page
from ..serving.artifact import Artifact
from .configuration import dump
from .device import device
from .evaluate import Evaluation, Metrics, evaluate, pool, write
from .prepare import Prepared, prepare
from .run import Run
from .trainer import Trained, fit


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


def train(run: Run, *, console: Console | None = None, dry_run: bool = False) -> Result:
    """Train a run, export its best checkpoint, and evaluate that once on the test part.

    A run with `split.folds` trains once for every fold and scores the pooled out-of-fold answers; a run with `seeds`
    is repeated, and its figures are means over the repeats.

    Args:
        run: the configuration.
        console: where progress goes; by default standard error.
        dry_run: two steps, a checkpoint, a reload and an evaluation on a few examples, to see that all of it works.

    Raises:
        ValueError: the configuration does not fit the data, or its parts each other.
    """
    console = console or Console(stderr=True)
    began = time.time()
    chosen = device(run.hardware.device)
    if run.hardware.device == "auto":
        console.print(f"device: {chosen} (auto)", highlight=False)
    if run.hardware.precision == "fp16" and chosen.type == "cpu":
        raise ValueError("hardware.precision: fp16 does not train on cpu, which `auto` took; one of: fp32, bf16")
    if run.split.seed is None:  # the same split for every seed, and said in run.yaml
        run = run.model_copy(update={"split": run.split.model_copy(update={"seed": run.seed})})
    splits = run.divide()
    seeds = run.seeds or (run.seed,)
    if dry_run:
        run, splits, seeds = _short(run), [_few(parts, run.training.batch_size) for parts in splits[:1]], seeds[:1]
    folder = _own_folder(run)
    (folder / "run.yaml").write_text(dump(run), encoding="utf-8")
    several = len(splits) * len(seeds) > 1
    members: dict[str, dict[str, Evaluation]] = {}
    results: list[tuple[Prepared, Trained]] = []
    metrics: Metrics = {}
    for seed in seeds:
        for number, parts in enumerate(splits):
            name = "-".join([f"seed-{seed}"] * (len(seeds) > 1) + [f"fold-{number}"] * (len(splits) > 1))
            inside = folder / name
            inside.mkdir(exist_ok=True)
            member = run.model_copy(update={"seed": seed, "seeds": ()})
            notes = _notes(run, splits, name)
            prepared, trained, members[name], metrics = _member(
                member, parts, inside, console, name or run.name, notes, dry_run
            )
            results.append((prepared, trained))
    if several:
        metrics = write(folder, pool(members))
        _summary(folder, run, results, time.time() - began, list(members), _notes(run, splits))
        page.write(folder)
    prepared, trained = results[0]
    paths = {"run": folder / "run.yaml", "metrics": folder / "metrics.json"}
    paths |= {"predictions": folder / "predictions.parquet", "report": folder / "report" / "index.html"}
    if not several:
        paths |= {"model": folder / "model", "log": folder / "log.jsonl", "split": folder / "split.json"}
        paths |= {"last_checkpoint": trained.last, **{p.name: p for p in trained.checkpoints}}
    else:
        paths |= {name: folder / name for name in members}
    status = "stopped" if any(t.stopped_early for _, t in results) else "complete"
    return Result(status, folder, metrics, paths, None if several else trained.best)


def _member(
    run: Run, parts: Parts, folder: Path, console: Console, title: str, notes: list[str], dry_run: bool
) -> tuple[Prepared, Trained, dict[str, Evaluation], Metrics]:
    """One training: one seed, one split."""
    began = time.time()
    prepared = prepare(run, parts)
    kept = record(run.data, parts, run.split, run.seed)
    (folder / "split.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    resolved = dump(prepared.run)
    (folder / "run.yaml").write_text(resolved, encoding="utf-8")
    trained = fit(prepared, folder, console, title, prepared.run.model_dump(mode="json"))
    artifact = prepared.artifact(
        trained.pipeline,
        checkpoint=trained.best.name,
        steps=trained.steps,
        data=run.data.type,
        split=kept.get("sha256"),
    )
    artifact.save(folder / "model")
    artifact = Artifact.load(folder / "model", trust=run.elsewhere)
    if dry_run:
        _same(prepared, trained, artifact)
    artifact.pipeline.to(device(run.hardware.device))
    found = evaluate(prepared, artifact, ("validation", "test"), run.training.batch_size)
    metrics = write(folder, {part: [evaluation] for part, evaluation in found.items()})
    _summary(folder, run, [(prepared, trained)], time.time() - began, [], notes, str(artifact))
    (folder / "model" / "README.md").write_text(card.card(artifact, metrics, resolved, notes), encoding="utf-8")
    page.write(folder)
    return prepared, trained, found, metrics


def _notes(run: Run, splits: Sequence[Parts], member: str = "") -> list[str]:
    """What a reader of the figures must know of the split; `member` names one of several trainings."""
    notes = []
    kind = run.split.group or run.data.group
    together = f"no {kind} is in two parts" if kind else "every recording is by itself"
    if member:
        notes.append(f"{member} is one of several trainings, whose joint figures are in the folder above; {together}.")
    elif run.split.folds:
        whole = len({i for parts in splits for i in parts.test})
        notes.append(
            f"{run.split.folds} folds over all {whole} recordings, {together}; figures pool the answers to the "
            "recordings that each fold's model never heard. A prior ranks below chance in such a pool: the more "
            "positives are in a fold's training part, the fewer are left to be judged."
        )
    else:
        notes.append(f"The test part is used once, after training; {together}.")
    if run.split.validation == "none":
        notes.append("There is no validation part: the last checkpoint is evaluated, and nothing was chosen by it.")
    if run.seeds and not member:
        notes.append(f"Figures are means over the seeds {', '.join(map(str, run.seeds))}.")
    return notes


def _summary(
    folder: Path,
    run: Run,
    results: Sequence[tuple[Prepared, Trained]],
    seconds: float,
    members: list[str],
    notes: list[str],
    artifact: str = "",
) -> None:
    trained = [t for _, t in results]
    text = {
        "name": run.name,
        "status": "stopped early" if any(t.stopped_early for t in trained) else "complete",
        "seconds": round(seconds, 1),
        "steps": sum(t.steps for t in trained),
        "parameters": sum(p.numel() for p in trained[0].pipeline.parameters()),
        "device": str(device(run.hardware.device)),
        "precision": run.hardware.precision,
        "wait_share": round(float(np.mean([t.wait_share for t in trained])), 4),
        "clips_per_second": round(float(np.mean([t.clips_per_second for t in trained])), 1),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("tympan", "torch", "torchaudio", "transformers", "timm", "numpy")},
        },
        "artifact": artifact,
        "members": members,
        "notes": notes,
    }
    (folder / "summary.json").write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _own_folder(run: Run) -> Path:
    """A new folder that no other run has, also when two start at once."""
    parent = Path(run.checkpoint.checkpoint_dir).expanduser()
    stem = f"{run.name}-{datetime.now().strftime('%Y%m%d-%H%M%S')}"
    parent.mkdir(parents=True, exist_ok=True)
    for suffix in chain([""], (f"-{n}" for n in range(2, 1000))):
        try:
            (parent / (stem + suffix)).mkdir()
        except FileExistsError:
            continue
        return parent / (stem + suffix)
    raise ValueError(f"checkpoint.checkpoint_dir: {parent} already holds 999 runs called {stem}")


def _short(run: Run) -> Run:
    training = run.training.model_copy(update={"max_steps": 2, "max_epochs": 1, "val_check_interval": 1})
    split = run.split.model_copy(update={"folds": None})
    return run.model_copy(update={"name": f"{run.name}-dry", "seeds": (), "training": training, "split": split})


def _few(parts: Parts, batch_size: int) -> Parts:
    n = max(2 * batch_size, 8)
    spread = {k: v[:: max(len(v) // n, 1)][:n] for k, v in vars(parts).items()}
    return replace(parts, **spread)


def _same(prepared: Prepared, trained: Trained, loaded: Artifact) -> None:
    """The reloaded artifact says what the trained pipeline says."""
    index = prepared.parts.train[0]
    waveform = prepared.source.clip(index, 0, prepared.run.seed).waveform
    before = next(iter(prepared.artifact(trained.pipeline.cpu()).hear([waveform])))
    after = next(iter(loaded.hear([waveform])))
    for name, said in before.items():
        torch.testing.assert_close(after[name], said, rtol=1e-5, atol=1e-6)
