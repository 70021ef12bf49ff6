"""A run's answers to other data -> a page of their own, which says that nothing was learned from these data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..reports import page
from ..reports.facts import counted
from ..serving.artifact import Artifact
from . import folder as folders
from . import parts, worst
from .evaluate import Evaluation
from .prepare import Prepared

_TRAINED = ("steps", "epoch", "begun_with", "parameters")


def publish(
    folder: Path,
    trained: Path,
    prepared: Prepared,
    artifact: Artifact,
    found: Mapping[str, Evaluation],
    called: str,
    baselines: bool,
) -> None:
    """Write the worst answers, summary.json and the report into a folder that holds the figures already.

    Args:
        folder: of the figures.
        trained: the run's, where it was trained.
        prepared: the run on the other data, all of which are its test part.
        artifact: what answered.
        found: what was answered.
        called: the name of the other data.
        baselines: whether there are some, fitted on the run's own training part.
    """
    run, own = prepared.run, folders.summary(trained)
    worst.write(folder, prepared, found, run.logging.worst_examples)
    data = {part: {**told, "spread": _counted(told["spread"])} for part, told in own["data"].items() if part != "test"}
    data |= {"test": parts.describe(prepared)["test"]}
    said = (
        f"The model was trained elsewhere, as the run “{own['id']}”, and is judged here on other data, “{called}”: "
        f"{counted(data['test']['recordings'], 'recording')}, the test part below. Everything was frozen: the weights, "
        "what features are standardised by, thresholds and calibration are those of its training, and nothing was "
        "fitted to these data."
    )
    fitted = (
        "Baselines and controls were fitted on the training part of that run, and met these data as the model did."
        if baselines
        else "The run's own data could not be read, so there are no baselines and no controls: nothing tells here "
        "whether a label is heard in the recording alone."
    )
    folders.save(
        folder,
        {
            "name": f"{run.name} on {called}",
            "id": folder.name,
            "status": "evaluated on other data",
            **{key: own[key] for key in _TRAINED},
            "device": str(next(artifact.pipeline.parameters()).device),
            "versions": folders.versions(),
            "data": data,
            "clinical": run.clinical,
            "group": own["group"],
            "artifact": str(artifact),
            "elsewhere": said,
            "notes": [fitted],
            "alarms": [],
        },
    )
    page.write(folder)


def _counted(spread: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """What is counted by name, and not in the bins of a histogram, which are others for other data."""
    return {name: own for name, own in spread.items() if own["space"] != "real"}
