"""A trained run's artifact -> its figures, and what people read of them: the same after training and ever after."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..data import storage
from ..objectives.decision import kept
from ..output import Part
from ..reports import card, facts, page
from ..serving.artifact import WEIGHTS_ALONE, Artifact
from . import clinical, worst
from . import folder as folders
from .evaluate import Evaluation, evaluate
from .export import USE
from .metrics import Metrics
from .prepare import Prepared


def score(
    folder: Path, prepared: Prepared, artifact: Artifact, parts: Sequence[Part]
) -> tuple[dict[str, Evaluation], Metrics, Artifact]:
    """Evaluate on parts of a run's data; metrics, predictions and the worst answers are written into its folder.

    Returns:
        What was found in each part, the metrics, and the artifact with the loss of the test part, if that was heard.
    """
    run = prepared.run
    found = evaluate(prepared, artifact, parts, run.training.batch_size)
    several: dict[str, list[Evaluation]] = {part: [evaluation] for part, evaluation in found.items()}
    metrics, made = clinical.write(folder, several, run.judged, kept(artifact.config.provenance))
    if made:
        artifact = artifact.told(decisions={label: asdict(own[""]) for label, own in made.items()})
    worst.write(folder, prepared, found, run.logging.worst_examples)
    test = {"test": found["test"].loss} if "test" in found else {}
    return found, metrics, artifact.told(losses={**artifact.config.provenance.get("losses", {}), **test})


def publish(folder: Path, artifact: Artifact, metrics: Metrics) -> None:
    """Write the artifact's config.json and card, and the page, from what the run's folder holds."""
    told = folders.summary(folder)
    resolved = (folder / "run.yaml").read_text(encoding="utf-8")
    notes = [*told.get("alarms", []), *told["notes"]]
    alone = (folder / "model" / WEIGHTS_ALONE).is_file()
    judged = facts.json_of(folder / "clinical.json")
    text = card.card(artifact, metrics, resolved, notes, USE if alone else "", judged, told.get("group", "group"))
    if alone:
        storage.write_text(folder / "model" / "README.md", text)
    else:
        artifact.describe(folder / "model", text)
    page.write(folder)
