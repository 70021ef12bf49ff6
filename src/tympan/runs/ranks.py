"""Several processes that train one model together: the first of them does all of a run, the others train with it.

All that is not training (data, what is learned from them, evaluation, report, every file) is the work of process 0, as
if it were alone. Whenever it trains, it hands the others what it trains, and they take every step with it.
"""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

T = TypeVar("T")

_PATIENCE = timedelta(days=7)
"""How long the others wait for process 0, which may make data or evaluate between two trainings."""

_linked = False


class Lost(RuntimeError):
    """Another process of the run has ended."""

    status = 1


def processes() -> int:
    """How many processes torchrun, or `tympan` itself, has started for this run."""
    return int(os.environ["WORLD_SIZE"]) if {"RANK", "LOCAL_RANK", "WORLD_SIZE"} <= os.environ.keys() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return int(os.environ["RANK"]) if processes() > 1 else 0


def together(lead: Callable[[], T], follow: Callable[[dict[str, Any]], Any]) -> T:
    """Do a run: in process 0 by `lead`, in the others by `follow`, once for each training that is handed out.

    Returns in all of them what `lead` returns; a process whose run failed in process 0 ends.

    Raises:
        Lost: another process has ended.
    """
    if processes() == 1:
        return lead()
    _join()
    if rank():
        return _follow(follow)
    done: Any = None
    try:
        done = lead()
    finally:
        if not _linked:  # else the others wait in the middle of a step, and whoever started them ends them
            _share({"done": done})
    return done


def hand_out(**job: Any) -> None:
    """Hand the others what is to be trained; in process 0 of several, and elsewhere nothing."""
    if processes() > 1 and rank() == 0:
        _share({"train": job})


class linked:
    """While it lasts, processes wait for each other; an error of one is the end of all."""

    def __enter__(self) -> None:
        global _linked
        _linked = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        global _linked
        _linked = error is not None and not of_all(error)
        if processes() > 1 and isinstance(error, RuntimeError) and _of_another(error):
            raise Lost(
                f"process {rank()} of {processes()}: another process of this run has ended, for the reason that it "
                "gave; `tympan resume` goes on from the last checkpoint"
            ) from error


def of_all(error: BaseException) -> bool:
    """Whether an error comes to all processes at the same step, by a mark of its class."""
    return getattr(error, "of_all", False)


def gather(own: Tensor) -> Tensor:
    """A tensor of every process, one after the other along a new first axis; all of one shape."""
    if processes() == 1:
        return own[None]
    every = [torch.empty_like(own) for _ in range(processes())]
    distributed.all_gather(every, own.contiguous())
    return torch.stack(every)


def wait() -> None:
    """Wait for all processes to come here."""
    if processes() > 1:
        distributed.barrier()


def _join() -> None:
    here = int(os.environ["LOCAL_RANK"])
    if torch.cuda.is_available() and here < torch.cuda.device_count():
        torch.cuda.set_device(here)
    if not distributed.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(backend, timeout=_PATIENCE)


def _follow(follow: Callable[[dict[str, Any]], Any]) -> Any:
    while True:
        told = _share(None)
        if "train" not in told:
            break
        try:
            follow(told["train"])
        except (RuntimeError, ValueError) as error:
            if not of_all(error):
                raise  # process 0 says the others
    if told["done"] is None:
        sys.exit(0)  # process 0 says why
    return told["done"]


def _share(told: dict[str, Any] | None) -> dict[str, Any]:
    """What process 0 tells all."""
    box = [told]
    with linked():
        distributed.broadcast_object_list(box, 0, device=torch.device("cpu"))
    assert box[0] is not None, "told by process 0"
    return box[0]


def _of_another(error: RuntimeError) -> bool:
    """Whether an error is that of a connection to a process that has ended."""
    return isinstance(error, distributed.DistError) or "gloo" in str(error) or "NCCL" in str(error)
