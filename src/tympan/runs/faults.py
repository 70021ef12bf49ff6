"""What goes wrong in training, told in its own words: a recording that a worker cannot read, a full disk."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from transformers import Trainer

from .checkpoint import Keeper


@contextmanager
def told(trainer: Trainer, folder: Path) -> Iterator[None]:
    """While a Trainer trains: a checkpoint that could not be written whole is taken away, and the ones before it stay.

    Args:
        trainer: whose Keeper knows whether a checkpoint is being written.
        folder: where checkpoints are.

    Raises:
        ValueError: an example cannot be used.
        OSError: a checkpoint cannot be written.
    """
    try:
        yield
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        written = folder / f"checkpoint-{trainer.state.global_step}"
        if Keeper.of(trainer).saving and written.is_dir():
            shutil.rmtree(written)
            raise _not_written(written, error) from error
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
    kept = sorted(p.name for p in checkpoint.parent.glob("checkpoint-*"))
    # What torch says where there is no room: `[enforce fail at inline_container.cc:672] unexpected pos`.
    why = "the disk is full" if re.search("No space left|inline_container", str(error)) else error
    return OSError(
        f"{checkpoint} could not be written: {why}; {free:,} bytes are free there. "
        f"{'Kept: ' + ', '.join(kept) if kept else 'No checkpoint was written before'}; make room and train again"
    )
