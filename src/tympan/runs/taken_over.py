"""Go on with everything that a checkpoint of another run holds, in a folder of one's own."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data import copies, storage
from . import sealed
from .checkpoint import last_checkpoint


def take_over(source: str, folder: Path, split: Mapping[str, Any]) -> Path:
    """Copy a checkpoint, and the log that led to it, into a run's folder.

    Args:
        source: a checkpoint, or a run on this machine, whose newest whole one is taken: a path or URI.
        split: what split.json of this run holds.

    Returns:
        The copy.

    Raises:
        FileNotFoundError: there is no checkpoint.
        ValueError: it is not whole, or its run was trained on other recordings.
    """
    where, here = f"checkpoint.load_from_checkpoint: {source}", copies.here(source)
    if (here / "checkpoints").is_dir():
        found, _ = last_checkpoint(here / "checkpoints")
        here = found or here
    try:
        sealed.verify(here)
    except (sealed.Unsound, FileNotFoundError) as error:
        raise ValueError(
            f"{where}: is no whole checkpoint to go on from ({error}); name one, or leave weights_only out to "
            "begin with its weights"
        ) from error
    above = next((f for f in copies.above(source) if storage.exists(storage.join(f, "split.json"))), None)
    if above:
        theirs = json.loads(storage.read_text(storage.join(above, "split.json")))
        if any(theirs[part]["ids"] != split[part]["ids"] for part in ("train", "validation", "test")):
            raise ValueError(f"{where}: its run was divided otherwise; go on with the same data, split and seed")
        if storage.exists(log := storage.join(above, "log.jsonl")):
            storage.write_text(folder / "log.jsonl", storage.read_text(log))
    place = folder / "checkpoints" / here.name
    aside = place.with_name(f"{storage.ASIDE}{here.name}")
    shutil.copytree(here, aside)
    aside.rename(place)
    sealed.verify(place)
    return place
