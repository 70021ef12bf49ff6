"""Evaluate a run that was trained before, from its folder alone."""

import json
from pathlib import Path

from ..data import Source
from ..data.split import Parts
from ..reports import card, page
from ..serving.artifact import Artifact
from . import folder as folders
from . import worst
from .configuration import load
from .evaluate import Evaluation, Metrics, evaluate, pool, write
from .prepare import Prepared


def evaluate_again(folder: str | Path, *, test: bool = False, device: str = "auto") -> Metrics:
    """Score a run's artifact on its own parts again; metrics.json, predictions.parquet, card and report are anew.

    Args:
        folder: the run's folder.
        test: hear the test part too where the run left it unheard (`test: false`); its notes then say so.
        device: what answers: auto, cpu, cuda or mps.

    Raises:
        FileNotFoundError: the folder holds no run that ended.
        ValueError: the data no longer hold what the run's split names, or there is no such device.
    """
    folder = Path(folder)
    names = folders.summary(folder)["members"]
    if not names:
        return _one(folder, test, device)[1]
    metrics = write(folder, pool({name: _one(folder / name, test, device)[0] for name in names}))
    if test:
        folders.heard(folder)
    page.write(folder)
    return metrics


def _one(folder: Path, test: bool, device: str) -> tuple[dict[str, Evaluation], Metrics]:
    run = load(folder / "run.yaml")
    prepared = Prepared(run, _parts(folder / "split.json", run.data))
    artifact = Artifact.load(folder / "model", run.elsewhere, device)
    heard = ("validation",) if folders.unheard(folder) and not test else ("validation", "test")
    found = evaluate(prepared, artifact, heard, run.training.batch_size)
    metrics = write(folder, {part: [evaluation] for part, evaluation in found.items()})
    worst.write(folder, prepared, found, run.logging.worst_examples)
    if test:
        folders.heard(folder)
    told = folders.summary(folder)
    notes = [*told.get("alarms", []), *told["notes"]]
    artifact = artifact.told(losses=losses(artifact, found))
    artifact.describe(folder / "model", card.card(artifact, metrics, (folder / "run.yaml").read_text("utf-8"), notes))
    page.write(folder)
    return found, metrics


def losses(artifact: Artifact, found: dict[str, Evaluation]) -> dict[str, float]:
    """The losses that an artifact knows of, and that of the test part where it was heard."""
    test = {"test": found["test"].loss} if "test" in found else {}
    return {**artifact.config.provenance.get("losses", {}), **test}


def _parts(file: Path, source: Source) -> Parts:
    """The parts that a run's split.json names, found again in its source by their ids."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    place = {source.describe(i).id: i for i in range(len(source))}
    named = {part: kept[part]["ids"] for part in ("train", "validation", "test")}
    lost = [id for ids in named.values() for id in ids if id not in place]
    if lost:
        raise ValueError(f"{file}: names {len(lost)} recordings that the data no longer holds: {', '.join(lost[:10])}")
    return Parts(**{part: [place[id] for id in ids] for part, ids in named.items()})
