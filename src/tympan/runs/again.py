"""Evaluate a run that was trained before, from its folder alone."""

import json
from pathlib import Path

from ..data import Source
from ..data.split import Parts
from ..reports import page
from ..serving.artifact import Artifact
from . import worst
from .configuration import load
from .evaluate import Evaluation, Metrics, evaluate, pool, write
from .prepare import Prepared


def evaluate_again(folder: str | Path) -> Metrics:
    """Score a run's artifact on its own parts again, and write metrics.json, predictions.parquet and the report anew.

    Raises:
        FileNotFoundError: the folder holds no run.
        ValueError: the data no longer hold what the run's split names.
    """
    folder = Path(folder)
    if not (folder / "summary.json").is_file():
        raise FileNotFoundError(f"{folder}: holds no run that ended (summary.json)")
    names = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["members"]
    if not names:
        return _one(folder)[1]
    metrics = write(folder, pool({name: _one(folder / name)[0] for name in names}))
    page.write(folder)
    return metrics


def _one(folder: Path) -> tuple[dict[str, Evaluation], Metrics]:
    run = load(folder / "run.yaml")
    prepared = Prepared(run, _parts(folder / "split.json", run.data))
    artifact = Artifact.load(folder / "model", trust=run.elsewhere)
    found = evaluate(prepared, artifact, ("validation", "test"), run.training.batch_size)
    metrics = write(folder, {part: [evaluation] for part, evaluation in found.items()})
    worst.write(folder, prepared, found, run.logging.worst_examples)
    page.write(folder)
    return found, metrics


def _parts(file: Path, source: Source) -> Parts:
    """The parts that a run's split.json names, found again in its source by their ids."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    place = {source.describe(i).id: i for i in range(len(source))}
    named = {part: kept[part]["ids"] for part in ("train", "validation", "test")}
    lost = [id for ids in named.values() for id in ids if id not in place]
    if lost:
        raise ValueError(f"{file}: names {len(lost)} recordings that the data no longer holds: {', '.join(lost[:10])}")
    return Parts(**{part: [place[id] for id in ids] for part, ids in named.items()})
