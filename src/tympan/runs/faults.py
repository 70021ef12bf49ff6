"""What goes wrong in training, told in its own words: a recording that a worker cannot read, a full disk."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from .checkpoint import checkpoints
from .surviving import SurvivingTrainer


@contextmanager
def told(trainer: SurvivingTrainer, folder: Path) -> Iterator[None]:
    """While a Trainer trains: of a checkpoint that could not be written nothing is left, and the ones before it stay.

    Args:
        folder: where checkpoints are.

    Raises:
        ValueError: an example cannot be used.
        OSError: a checkpoint cannot be written.
    """
    try:
        yield
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        if trainer.saving:
            raise _not_written(trainer.saving, error) from error
        said = in_worker(error)
        if said is None:
            raise
        raise ValueError(f"{said} (`tympan check` names every recording that cannot be used)") from error


def in_worker(error: BaseException) -> str | None:
    """The message of an error that torch passes on from a worker together with its trace; nothing for another."""
    text = str(error)
    if not re.match(r"Caught \w+ in DataLoader worker process", text):
        return None
    # Behind the last place in the code: `ValueError: the message`.
    last = re.search(r"\n[\w.]+: (.*)", text.rpartition('\n  File "')[2], re.DOTALL)
    return last[1].strip() if last else None


def _not_written(checkpoint: Path, error: BaseException) -> OSError:
    free = shutil.disk_usage(checkpoint.parent).free
    kept = [path.name for path in checkpoints(checkpoint.parent)]
    # What torch says where there is no room: `[enforce fail at inline_container.cc:672] unexpected pos`.
    why = "the disk is full" if re.search("No space left|inline_container", str(error)) else error
    return OSError(
        f"{checkpoint} could not be written: {why}; {free:,} bytes are free there. "
        f"{'Kept: ' + ', '.join(kept) if kept else 'No checkpoint was written before'}; make room and "
        f"{'`tympan resume` goes on' if kept else 'train again'}"
    )
