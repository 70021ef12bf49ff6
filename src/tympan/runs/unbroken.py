"""Training that goes on past recordings which cannot be used, or which end the process that reads them."""

import json
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from torch.utils.data._utils import signal_handling
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
            with _missed_when_wanted():
                return trainer.fit(prepared, folder, console, title, configuration, checkpoint, watched)
        except (OSError, RuntimeError, ValueError) as error:  # what calls the readers may put it otherwise
            prepared.bad.answer(error)
        checkpoint, _ = last_checkpoint(folder / "checkpoints")
        step = step_of(checkpoint) if checkpoint else 0
        cut(folder, step)
        said = f"{title}: a recording ended the process that read it; goes on without it from step {step}"
        console.print(said, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _missed_when_wanted() -> Iterator[None]:
    """A reader that ended is missed where its batch is wanted, within 5 s. torch's handler of SIGCHLD would raise at
    once, wherever the main thread just is: amid logging that left its lock taken, and other threads waited for ever."""
    if not hasattr(signal, "SIGCHLD") or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal_handling._set_SIGCHLD_handler()  # once in a process, so that no loader does it later
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL if before is None else before)


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
