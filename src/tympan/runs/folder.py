"""A run's folder: where it is, and what it tells of the run besides its figures."""

import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from ..data import storage
from ..data.split import Parts
from ..data.upload import Sent, send
from ..objectives import PROBABLE
from . import ids
from .mirror import prune
from .obtain import told as obtained
from .resolved import dump
from .run import Run
from .trainer import Trained
from .transform import origin

_UNHEARD, _HEARD = "The test part was not heard (test: false)", "The test part was heard on request, after training"
_VERSIONS = ("tympan", "torch", "torchaudio", "transformers", "timm", "numpy")


@contextmanager
def sent(run: Run, folder: Path, console: Console) -> Iterator[None]:
    """While a run is in its folder: when it has ended, or was stopped, the folder is copied to where `upload` says.

    Raises:
        OSError: it could not be copied; where the run itself failed that is only said, and its own error is raised.
    """
    to = run.checkpoint.upload
    if to is None:
        yield
        return
    again, into = f"`tympan upload {folder} {to}` goes on with the copy", storage.join(to, folder.name)
    try:
        yield
    except BaseException:
        try:
            _copy(folder, into, console)
        except (OSError, ValueError) as error:
            console.print(f"not copied: {error}; {again}", highlight=False, markup=False, soft_wrap=True)
        raise
    try:
        _copy(folder, into, console)
    except OSError as error:
        raise OSError(f"the run is whole in {folder}, but was not copied: {error}; {again}") from error


def _copy(folder: Path, into: str, console: Console) -> None:
    tell(send(folder, into, without=(ids.FILE,)), console)
    prune(folder, into)


def tell(copy: Sent, console: Console) -> None:
    """Say what was copied, and where to."""
    said = f"copied to {copy.uri}: {copy.sent} files ({copy.size:,} bytes), {copy.there} were there"
    said += f"; left here, since it tells whose the codes are: {', '.join(copy.kept)}" if copy.kept else ""
    console.print(said, highlight=False, markup=False, soft_wrap=True)


def check_free(run: Run) -> None:
    """Refuse a folder that the run asks for and that holds something already, before anything is computed.

    Raises:
        ValueError: it does.
    """
    folder = Path(run.checkpoint.run_dir or "").expanduser()
    there = run.checkpoint.run_dir and (folder.is_symlink() or folder.exists())
    if there and (not folder.is_dir() or any(folder.iterdir())):
        what = "holds a run already" if (folder / "run.yaml").is_file() else "is there already and is not empty"
        raise ValueError(
            f"checkpoint.run_dir: {folder} {what}, and nothing of it is overwritten; "
            "name another folder, or leave run_dir out"
        )


def make(run: Run) -> Path:
    """A new folder that no other run has, also when two start at once; folders above it are made.

    Raises:
        ValueError: the folder that the run asks for holds something already.
    """
    if run.checkpoint.run_dir:
        folder = Path(run.checkpoint.run_dir).expanduser()
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            check_free(run)
        return folder
    parent = Path(run.checkpoint.checkpoint_dir).expanduser()
    same = hashlib.sha256(dump(run).encode()).hexdigest()[:6]
    stem = f"{run.name}-{datetime.now().strftime('%Y%m%d-%H%M%S')}-{same}"
    parent.mkdir(parents=True, exist_ok=True)
    for suffix in chain([""], (f"-{n}" for n in range(2, 1000))):
        try:
            (parent / (stem + suffix)).mkdir()
        except FileExistsError:
            continue
        return parent / (stem + suffix)
    raise ValueError(f"checkpoint.checkpoint_dir: {parent} already holds 999 runs called {stem}")


def notes(run: Run, splits: Sequence[Parts], member: str = "") -> list[str]:
    """What a reader of the figures must know of split, features and data; `member` names one of several trainings."""
    said = []
    kinds = [kind for kind in run.split.kinds(run.data) if kind]
    together = f"no {' and no '.join(kinds)} is in two parts" if kinds else "every recording is by itself"
    if member:
        said.append(f"{member} is one of several trainings, whose joint figures are in the folder above; {together}.")
        if not run.test:
            said.append(f"{_UNHEARD}.")
    elif run.split.folds:
        whole = len({i for parts in splits for i in parts.test})
        said.append(
            f"{run.split.folds} folds over all {whole} recordings, {together}; figures pool the answers to the "
            "recordings that each fold's model never heard. A prior ranks below chance in such a pool: the more "
            "positives are in a fold's training part, the fewer are left to be judged."
        )
    elif run.test:
        said.append(f"The test part is used once, after training; {together}.")
    else:
        said.append(f"{_UNHEARD}; {together}.")
    if run.split.validation == "none":
        said.append("There is no validation part: the last checkpoint is evaluated, and nothing was chosen by it.")
    elif not run.test:
        said.append("The validation part chose the checkpoint, so its figures flatter the model.")
    if told := origin(run):
        said.append(f"{told[0].upper()}{told[1:]}.")
    said += [f"{told.removesuffix('.')}." for told in obtained(run)]
    if run.seeds and not member:
        said.append(f"Figures are means over the seeds {', '.join(map(str, run.seeds))}.")
        if len(run.seeds) > 1 and any(output.target.space in PROBABLE for output in run.outputs.values()):
            said.append("The reference `ensemble` is the mean of these trainings' logits; no artifact holds it.")
    return said


def summarise(
    folder: Path,
    run: Run,
    trained: Sequence[Trained],
    times: dict[str, float],
    notes: list[str],
    alarms: list[str],
    device: str,
    data: dict[str, Any],
    artifact: str = "",
    members: Sequence[str] = (),
) -> None:
    """Write summary.json: what the page and other programs want to know beside the figures.

    Args:
        times: seconds that each stage took.
        alarms: why the figures are not fair.
        device: what computed.
        data: the parts, as `parts.describe` tells of them.
        artifact: what the artifact says of itself.
        members: the folders of a run of several trainings.
    """
    first = trained[0]
    text = {
        "name": run.name,
        "id": folder.name,
        "status": "stopped early" if any(t.stopped_early for t in trained) else "complete",
        "seconds": round(sum(times.values()), 1),
        "times": {stage: round(seconds, 1) for stage, seconds in times.items()},
        "steps": sum(t.steps for t in trained),
        "epoch": round(float(np.mean([t.epoch for t in trained])), 4),
        "parameters": sum(p.numel() for p in first.pipeline.parameters()),
        "device": device,
        "precision": run.hardware.precision,
        "channels_last": run.hardware.channels_last,
        "wait_share": round(float(np.mean([t.wait_share for t in trained])), 4),
        "clips_per_second": round(float(np.mean([t.clips_per_second for t in trained])), 1),
        "versions": versions(),
        "data": data,
        "clinical": run.clinical,
        "group": run.split.kinds(run.data)[0] or "recording",
        "begun_with": first.begun_with,
        "artifact": artifact,
        "members": list(members),
        "notes": notes,
        "alarms": alarms,
    }
    save(folder, text)


def versions() -> dict[str, str]:
    """What computes here, by name."""
    return {"python": platform.python_version(), **{name: version(name) for name in _VERSIONS}}


def ended(folder: Path) -> bool:
    """Whether a run has come to its end: its page, which is written last, is there too."""
    return (folder / "summary.json").is_file() and (folder / "report" / "index.html").is_file()


def summary(folder: Path) -> dict[str, Any]:
    """What summary.json tells.

    Raises:
        FileNotFoundError: there is none.
    """
    if not (folder / "summary.json").is_file():
        raise FileNotFoundError(f"{folder}: holds no run that ended (summary.json)")
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def heard(folder: Path) -> None:
    """Say in summary.json that the test part was heard after all."""
    told = summary(folder)
    save(folder, {**told, "notes": [note.replace(_UNHEARD, _HEARD) for note in told["notes"]]})


def save(folder: Path, told: dict[str, Any]) -> None:
    """Write summary.json."""
    storage.write_text(folder / "summary.json", json.dumps(told, indent=1, ensure_ascii=False) + "\n")
