"""A configuration -> a run's folder: trained, exported, evaluated beside baselines, reported."""

from collections.abc import Sequence

import torch
from rich.console import Console
from transformers import TrainerCallback

from .. import memory
from ..data import cache, storage
from ..data.split import Parts
from ..device import device, has_bf16
from . import dry, lock, obtain, probe, ranks
from . import folder as folders
from .hardware import Hardware, counted
from .member import Way
from .mirror import mirrored
from .prepare import prepare
from .resolved import dump
from .resume import resume
from .run import Run
from .state import TrainState
from .trainer import along
from .trainings import Result, through

__all__ = ["Result", "resume", "train"]


@cache.asked_once()
def train(
    run: Run | TrainState,
    *,
    console: Console | None = None,
    dry_run: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
) -> Result:
    """Train a run, export its best checkpoint, and evaluate that once on the test part.

    A run with `split.folds` trains once for every fold and scores the pooled out-of-fold answers; a run with `seeds`
    is repeated, and its figures are means over the repeats.

    Args:
        run: the configuration; or a training's state, which begins, or goes on from its run's last checkpoint.
        console: where progress goes; by default standard error.
        dry_run: two steps, a checkpoint, a reload and an evaluation on a few examples, to see that all of it works.
        callbacks: of the Trainer, to watch or to end the training.

    Raises:
        ValueError: the configuration does not fit the data, or its parts each other.
        Lost: another process of this run has ended.
    """
    console = console or Console(stderr=True)
    if isinstance(run, TrainState):
        if run.status != "initialized":
            return resume(run.checkpoint_state.checkpoint_dir.parent, console=console)
        run = run.configuration()
    run = counted(run)
    return ranks.together(lambda: _train(run, console, dry_run, callbacks), lambda job: along(job, callbacks))


def _train(run: Run, console: Console, dry_run: bool, callbacks: Sequence[TrainerCallback]) -> Result:
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
    folder = folders.make(run)
    with lock.held(folder), folders.sent(run, folder, console), mirrored(run, folder) as copying:
        storage.write_text(folder / "run.yaml", dump(run))
        return through(run, folder, splits, seeds, Way(chosen, console, run.name, dry_run, (*callbacks, *copying)))


def _precise(hardware: Hardware, chosen: torch.device) -> str:
    if chosen.type != "cuda":
        return "fp32"
    return "bf16" if hardware.fsdp else "fp16"


def _decided(run: Run, parts: Parts, chosen: torch.device, console: Console) -> Run:
    """The run with a precision, and with the parts of the configuration seen to fit each other."""
    hardware, prepared = run.hardware, prepare(run, parts, hear=False)
    prepared.pipeline()  # what does not fit is refused before a folder is made
    if hardware.precision is None:
        hardware = hardware.model_copy(update={"precision": _precise(hardware, chosen)})
    if hardware.precision == "fp16" and chosen.type == "cpu":
        raise ValueError("hardware.precision: fp16 does not train on cpu, which `auto` took; one of: fp32, bf16, auto")
    if hardware.precision == "auto":
        hardware = probe.fastest(prepared, chosen, lambda said: console.print(said, highlight=False))
    if hardware.precision == "bf16" and not has_bf16(chosen.type):
        told = "this processor has no bf16 and makes it up: hardware.precision fp32 is many times faster"
        console.print(told, highlight=False)
    taken = " (auto)" if hardware.device == "auto" else ""
    taken += f", {hardware.num_gpus} processes" if hardware.num_gpus > 1 else ""
    last = ", channels_last" if hardware.channels_last else ""
    console.print(f"device: {chosen}{taken}, precision: {hardware.precision}{last}", highlight=False)
    return run.model_copy(update={"hardware": hardware})
