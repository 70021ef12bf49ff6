"""Go on with a run that was stopped, however it was."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from .. import memory
from ..data import cache, copies
from ..device import device
from . import folder as folders
from . import lock, obtain, ranks
from .again import named_parts
from .configuration import load
from .hardware import spread
from .member import Way
from .mirror import mirrored
from .trainer import along
from .trainings import Result, through


class Ended(ValueError):
    """There is nothing to go on with: the run has ended."""

    status = 0


@cache.asked_once()
def resume(place: str | Path, overrides: Sequence[str] = (), *, console: Console | None = None) -> Result:
    """Go on with a run that was stopped, from its newest sound checkpoint, with its own configuration and split.

    A run of several trainings goes on with that in which it was stopped, and trains what had not begun. One that was
    stopped before its first checkpoint begins anew, in its folder.

    Args:
        place: the run's folder, a path or URI; of one in a bucket a copy goes on, and what is new is sent there.
        overrides: `section.field=value`, of what may change in the middle of a training.

    Raises:
        FileNotFoundError: the folder holds no run.
        Ended: the run has come to its end.
        NoneSound: there are checkpoints, and none is whole.
        Locked: another process is at work in the folder.
        ValueError: the data no longer hold what the split names, or something was changed that may not be.
        Lost: another process of this run has ended.
    """
    console = console or Console(stderr=True)
    return ranks.together(lambda: _resume(place, overrides, console), along)


def _resume(place: str | Path, overrides: Sequence[str], console: Console) -> Result:
    with copies.working(place, whole=True) as folder:
        if not (folder / "run.yaml").is_file():
            raise FileNotFoundError(f"{place}: holds no run to go on with (run.yaml)")
        if folders.ended(folder):
            raise Ended(f"{place}: has ended, and there is nothing to go on with; `tympan evaluate` scores it again")
        with lock.held(folder):
            run = spread(load(folder / "run.yaml", overrides), load(folder / "run.yaml").hardware.num_gpus)
            chosen = device(run.hardware.device, "hardware.device")
            if chosen.type == "cpu":
                memory.keep()
            if (folder / "split.json").is_file():
                splits = [named_parts(folder / "split.json", run.data)]
            else:
                splits = obtain.obtain(run).divide()
            seeds = run.seeds or (run.seed,)
            with folders.sent(run, folder, console), mirrored(run, folder, place) as copying:
                try:
                    return through(run, folder, splits, seeds, Way(chosen, console, run.name, callbacks=copying))
                except (OSError, RuntimeError, ValueError) as error:
                    if error.args and isinstance(said := error.args[0], str):  # of a copy: true of where it is from
                        error.args = (said.replace(str(folder), str(place)), *error.args[1:])
                    raise
