"""Other data for a run that was trained: another folder or table of its kind, heard just as its own."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from .. import state_dict
from ..component import assume
from ..data import Source, copies, storage
from ..data.datasets.speech_folder import SpeechFolder, holds_parts
from ..data.split import Parts
from ..data.table import TABLES, some
from ..objectives.decision import kept
from ..serving.answer import Named
from ..serving.artifact import Artifact
from . import clinical, elsewhere
from . import folder as folders
from .again import named_parts
from .configuration import load
from .evaluate import evaluate
from .metrics import Metrics
from .prepare import Prepared, known, prepare
from .resolved import dump
from .run import Run


def on_other(run: Run, data: str, labelled: bool = True) -> Run:
    """The run on other data: a folder of its own kind, with all that is in it; or a table or a folder of tables, whose
    sound lies where the run's does, or beside the table.

    Args:
        run: the run.
        data: a path or URI.
        labelled: whether what is predicted is wanted of them; the run's own label file says what that is, where they
            bring none.

    Raises:
        ValueError: the run's data are not of a kind that lies in a folder or is named by a table.
    """
    if isinstance(run.data, SpeechFolder):
        return run.model_copy(update={"data": _other_folder(run.data, data, labelled)})
    fields = run.data.model_dump(mode="json")
    table = data.lower().endswith(TABLES)
    if "root" in fields and not table:
        changed = {"root": data}
    elif "path" in fields and table:
        changed = {"path": data}
    else:
        what = "a table" if table else "a folder"
        raise ValueError(f"--data: the run's data are of type {run.data.type}, which {what} cannot stand for")
    return run.model_copy(update={"data": Source.model_validate({**fields, **changed})})


def _other_folder(own: SpeechFolder, data: str, labelled: bool) -> SpeechFolder:
    changed: dict[str, Any] = {"root": data, "splits": None, "study": None}
    if data.lower().endswith(TABLES):
        around = data.rpartition("/")[0] or "."
        beside = storage.exists(storage.join(around, own.folder))
        changed = {"splits": data} | ({"root": around, "study": None} if beside else {})
    elif own.folder and holds_parts(data) and not storage.is_folder(storage.join(data, own.folder)):
        changed = {"splits": data}
    if not labelled:
        changed |= {"label_file": None, "derived": {}, "unknown": (), "positive_above": None}
    other = SpeechFolder.model_validate({**own.model_dump(mode="json"), **changed})
    if other.label_file is None:
        return other.partly()
    if not storage.exists(other.beside(other.label_file)):
        file = own.beside(own.label_file or "")
        file = file if storage.is_remote(file) else str(Path(file).expanduser().absolute())
        other = other.model_copy(update={"label_file": file})
    return other.partly()


def run_of(folder: str) -> str:
    """The folder of a run, a path or URI: the one that is given, or the one above it if that is an artifact's.

    Raises:
        FileNotFoundError: there is no run in either.
    """
    for place in (folder, copies.above(folder)[1]):
        if storage.exists(storage.join(place, "run.yaml")):
            return place
    raise FileNotFoundError(
        f"{folder}: holds no run.yaml that says which data, nor does the folder above it; name sound files, or the "
        "run's folder"
    )


def named_recordings(folder: str, data: str | None) -> Iterator[Named]:
    """The recordings of a run's own data, each with its part of the split, or those of other data.

    Args:
        folder: the run's, a path or URI.
        data: the other data, a folder or a table.

    Raises:
        ValueError: the data are of another kind.
    """
    place = copies.here(folder)
    run = load(place / "run.yaml")
    parts: dict[str, str] = {}
    if data is not None:
        run = on_other(run, data, labelled=False)
    elif (place / "split.json").is_file():
        kept = json.loads((place / "split.json").read_text(encoding="utf-8"))
        parts = {id: part for part in ("train", "validation", "test") for id in kept[part]["ids"]}
    source = run.data
    for index in range(len(source)):
        told = source.describe(index)

        def waveform(index: int = index) -> np.ndarray:
            return source.heard(index).waveform

        part = parts.get(told.id, told.part or "")
        yield Named(told.id, run.group_of(told) if source.group else "", part, waveform)


def evaluate_on(
    folder: str, data: str, *, dataset: str | None = None, device: str = "auto"
) -> tuple[Metrics, str | Path]:
    """Score a run's artifact on all recordings of other data, and report it; nothing is fitted anew.

    Baselines are those of the run's own training part, where that can still be read.

    Args:
        folder: the run's, a path or URI.
        data: the other data, a folder or a table.
        dataset: how they are called, in the name of the folder of figures; by default as `named` says.
        device: what answers: auto, cpu, cuda or mps.

    Returns:
        The figures, and the folder below the run's that holds them: of a run in a bucket it is there.

    Raises:
        FileNotFoundError: there is no run.
        ValueError: the data are of another kind, lack what is predicted, or hold those that the run was trained on.
    """
    place = copies.here(folder)
    if folders.summary(place)["members"]:
        raise ValueError(f"{folder}: is a run of several trainings; name the folder of one of them")
    run = load(place / "run.yaml")
    other = on_other(run, data)
    everything = list(range(len(other.data)))
    _compatible(run, other, place, everything)
    artifact = Artifact.load(place / "model", run.elsewhere, device)
    try:
        own: Prepared | None = Prepared(run, named_parts(place / "split.json", run.data))
    except (OSError, ValueError) as error:
        assume(f"the run's own data cannot be read ({error}); baselines are left out")
        own = None
    prepared = Prepared(other, Parts([], [], everything))
    found = evaluate(prepared, artifact, ("test",), run.training.batch_size, own)
    into = output(folder, "evaluations", data, dataset)
    with copies.working(into, fresh=True) as made:
        storage.write_text(made / "run.yaml", dump(other))
        metrics, _ = clinical.write(made, {"test": [found["test"]]}, run.judged, kept(artifact.config.provenance))
        elsewhere.publish(made, place, prepared, artifact, found, named(data, dataset), own is not None)
    return metrics, into if storage.is_remote(into) else Path(into)


def named(data: str, dataset: str | None = None) -> str:
    """How data are called in the names of outputs: as one says, or by their folder, in which a table lies too.

    Raises:
        ValueError: what one says can be no part of a file's name.
    """
    if dataset is not None:
        return storage.check_id(dataset)
    folder = data.rpartition("/")[0] if data.lower().endswith(TABLES) else data
    return Path(folder.rstrip("/")).name or "data"


def output(folder: str, kind: str, data: str | None, dataset: str | None = None) -> str:
    """A name that no other output of a run has, below its folder by their kind: never in the folder of the data."""
    name = "own" if data is None else named(data, dataset)
    return storage.join(folder, kind, f"{name}-{datetime.now():%Y%m%d-%H%M%S-%f}")


def _compatible(run: Run, other: Run, place: Path, everything: list[int]) -> None:
    names = {name for values in known(other, everything) for name in values}
    for output in run.outputs.values():
        lost = [name for name in output.target.outputs if name not in names]
        if lost and len(lost) == len(output.target.outputs):
            raise ValueError(
                f"--data: nothing is known there of {some(lost)}, which the run predicts; it cannot be scored"
            )
        if lost:
            assume(f"--data: nothing is known there of {some(lost)}; the other outputs are scored")
    kept = json.loads((place / "split.json").read_text(encoding="utf-8"))
    trained = {*kept["train"]["group_names"], *kept["validation"]["group_names"]}
    shared = sorted({other.group_of(other.data.describe(i)) for i in everything} & trained)
    if shared:
        kind = other.split.kinds(other.data)[0]
        raise ValueError(
            f"--data: {kind or 'recordings'} {some(shared)}: {len(shared)} in all, are what the run was trained on, "
            "and the score would say nothing about anybody new; take their rows out. If they are others who were given "
            f"the same names, rename them there, {f'in the column {kind!r}' if kind else 'by their ids'}: "
            f"'other-{shared[0]}' for '{shared[0]}', and so on"
        )


def evaluate_weights(run: Run, weights: str, *, device: str = "auto") -> tuple[Metrics, Path]:
    """Score weights that nothing but a configuration describes, on the validation and test parts of its data.

    What is fitted on the training part is fitted again, and thresholds and calibration on validation. Every name and
    shape must agree.

    Returns:
        The figures, and the folder that holds them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no weights, or those of another network; or the run's folder holds something already.
    """
    folders.check_free(run)
    state = state_dict.read(copies.here(weights), f"--weights: {weights}")
    prepared = prepare(run, run.divide()[0])
    pipeline = prepared.pipeline()
    try:
        pipeline.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"--weights: {weights} does not fit the configuration: {error}") from error
    assume(
        f"nothing vouches that {weights} was trained by this configuration; names and shapes agree, no more is known"
    )
    artifact = prepared.artifact(pipeline.eval(), id=Path(weights).stem)
    found = evaluate(prepared, artifact, ("validation", "test"), run.training.batch_size)
    made = folders.make(run)
    with folders.sent(run, made, Console(stderr=True)):
        storage.write_text(made / "run.yaml", dump(prepared.run))
        return clinical.write(made, {part: [own] for part, own in found.items()}, run.judged)[0], made
