"""Training that goes on past recordings which cannot be used, or which end the process that reads them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from transformers import TrainerCallback

from ..data import storage
from ..data.bad_samples import FILE, SAID, BadSamples
from . import trainer
from .checkpoint import last_checkpoint, step_of
from .ids import codes
from .prepare import Prepared


def fit(
    prepared: Prepared,
    folder: Path,
    console: Console,
    title: str,
    configuration: dict[str, Any],
    checkpoint: Path | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> trainer.Trained:
    """Train as `trainer.fit` does. Where a recording ends the process that reads it, and may be skipped, training goes
    on from the last checkpoint, as a resumed run would, with other clips in its place.

    Raises:
        ValueError: a recording cannot be used, or too many cannot.
    """
    while True:
        try:
            watched = [_Warns(prepared.bad), *callbacks]
            return trainer.fit(prepared, folder, console, title, configuration, checkpoint, watched)
        except (OSError, RuntimeError, TypeError, ValueError) as error:
            # torch raises it wherever this process is when another ends, and what is called there may put it otherwise.
            prepared.bad.answer(error)
        checkpoint, _ = last_checkpoint(folder / "checkpoints")
        step = step_of(checkpoint) if checkpoint else 0
        cut(folder, step)
        said = f"{title}: a recording ended the process that read it; goes on without it from step {step}"
        console.print(said, highlight=False, markup=False, soft_wrap=True)


def cut(folder: Path, step: int) -> None:
    """Take from log.jsonl what comes after a step."""
    log = folder / "log.jsonl"
    lines = log.read_text(encoding="utf-8").split("\n")[:-1] if log.is_file() else []  # the last may be torn
    storage.write_text(log, "".join(f"{line}\n" for line in lines if json.loads(line)["step"] <= step))


def told(prepared: Prepared, folder: Path) -> list[str]:
    """What a reader must know of recordings that could not be used, in words; nothing where all could. It is warned of
    as well, if it was not yet."""
    prepared.bad.look()
    prepared.bad.warn()
    code = codes(folder, prepared.run)
    named = [code.get(id, id) for id in prepared.bad.known]
    if not named:
        return []
    more = f" and {len(named) - SAID} more" if len(named) > SAID else ""
    what = "1 recording" if len(named) == 1 else f"{len(named)} recordings"
    return [
        f"{what} of training and validation could not be used: others were heard in training instead, and the figures "
        f"are without them ({FILE} in the run's folder says why): {', '.join(named[:SAID])}{more}."
    ]


class _Warns(TrainerCallback):
    """Says once that recordings cannot be used."""

    def __init__(self, bad: BadSamples) -> None:
        self.bad = bad

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Look at the list."""
        self.bad.warn()

    on_evaluate = on_step_end
