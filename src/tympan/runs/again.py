"""Evaluate a run that was trained before, from its folder alone."""

import json
from pathlib import Path

from ..data import Source, copies
from ..data.split import Parts
from ..reports import page
from ..serving.artifact import Artifact
from . import clinical
from . import folder as folders
from .configuration import load
from .evaluate import Evaluation
from .metrics import Metrics, pool
from .prepare import Prepared
from .score import publish, score


def evaluate_again(folder: str | Path, *, test: bool = False, device: str = "auto") -> Metrics:
    """Score a run's artifact on its own parts again; metrics.json, predictions.parquet, card and report are anew.

    Args:
        folder: the run's folder, a path or URI; of one in a bucket a copy is scored, and what is anew is sent there.
        test: hear the test part too where the run left it unheard (`test: false`); its notes then say so.
        device: what answers: auto, cpu, cuda or mps.

    Raises:
        FileNotFoundError: the folder holds no run that ended.
        ValueError: the data no longer hold what the run's split names, or there is no such device.
    """
    with copies.working(folder) as here:
        return _again(here, test, device)


def _again(folder: Path, test: bool, device: str) -> Metrics:
    told = folders.summary(folder)
    if told.get("elsewhere"):
        raise ValueError(f"{folder}: holds figures on other data; name the folder of the run, two above it, and --data")
    names = told["members"]
    if not names:
        return score_again(folder, test, device)[1]
    pooled = pool({name: score_again(folder / name, test, device)[0] for name in names})
    metrics, _ = clinical.write(folder, pooled, load(folder / "run.yaml").judged)
    if test:
        folders.heard(folder)
    page.write(folder)
    return metrics


def score_again(folder: Path, test: bool, device: str) -> tuple[dict[str, Evaluation], Metrics]:
    """What the artifact of one training answers to its own parts, judged and published anew."""
    run = load(folder / "run.yaml")
    prepared = Prepared(run, named_parts(folder / "split.json", run.data), folder)
    artifact = Artifact.load(folder / "model", run.elsewhere, device)
    before = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    heard = run.test or test or "test" in before
    found, metrics, artifact = score(folder, prepared, artifact, ("validation", "test") if heard else ("validation",))
    if test:
        folders.heard(folder)
    publish(folder, artifact, metrics)
    return found, metrics


def named_parts(file: Path, source: Source) -> Parts:
    """The parts that a run's split.json names, found again in its source by their ids."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    place = {source.describe(i).id: i for i in range(len(source))}
    named = {part: kept[part]["ids"] for part in ("train", "validation", "test")}
    lost = [id for ids in named.values() for id in ids if id not in place]
    if lost:
        raise ValueError(f"{file}: names {len(lost)} recordings that the data no longer holds: {', '.join(lost[:10])}")
    return Parts(**{part: [place[id] for id in ids] for part, ids in named.items()})
