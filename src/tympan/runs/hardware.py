"""The section of a run's configuration on what computes: the device, how exactly, and in how many processes."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ..component import Section, assume
from ..device import Name
from . import ranks

if TYPE_CHECKING:
    from .run import Run


class Hardware(Section):
    """What computes, and how exactly."""

    device: Name = "auto"
    """`auto` takes cuda, then mps, then cpu, and says so."""
    precision: Literal["fp32", "bf16", "fp16", "auto"] | None = None
    """Arithmetic of the backbone in training; features and losses are always float32. By default fp16 on cuda and fp32
    elsewhere. `auto` tries three steps of fp32 and of bf16, with and without channels_last, and takes the fastest; so
    figures may differ from machine to machine. run.yaml holds what was taken."""
    channels_last: bool = False
    """Keep the weights of image networks with channels last in memory, which is faster on most hardware."""
    distributed: bool = False
    """Train in `num_gpus` processes, each with batches of its own of `training.batch_size` clips, which take every step
    together. `tympan train` starts them; under torchrun it is true in any case."""
    num_gpus: int = Field(default=1, ge=1)
    """Processes, one for each GPU, or on the processor as many as are asked for; run.yaml holds how many there were."""
    fsdp: bool = False
    """Fully sharded data parallel: each process holds its part of the weights, gradients and moments, and they are put
    together when a batch needs them. For networks too large for one device; slower than without."""


def counted(run: "Run") -> "Run":
    """The run with as many processes as there are.

    Raises:
        ValueError: it asks for another number of them.
    """
    hardware, there = run.hardware, ranks.processes()
    if hardware.num_gpus not in (1, there):
        found = f"torchrun has started {there}" if there > 1 else "there is one"
        raise ValueError(
            f"hardware.num_gpus: {hardware.num_gpus} processes are asked for, and {found}; `tympan train` starts them, "
            f"or `torchrun --nproc-per-node {hardware.num_gpus}` with a program of yours"
        )
    own = {"num_gpus": there, "distributed": there > 1, "fsdp": hardware.fsdp and there > 1}
    hardware = hardware.model_copy(update=own)
    return run.model_copy(update={"hardware": hardware})


def spread(run: "Run", before: int) -> "Run":
    """A run that was begun by `before` processes, on as many as there are, with as many clips in each optimizer step.

    Where it can be, batches stay as they are, and more or fewer are accumulated; else their size changes.

    Raises:
        ValueError: it asks for another number of processes, or so many cannot share the clips of a step.
    """
    run, now, training = counted(run), ranks.processes(), run.training
    if before == now:
        return run
    batches = training.accumulate_grad_batches * before
    clips = training.batch_size * batches
    if batches % now == 0:
        own = {"accumulate_grad_batches": batches // now}
    elif clips % now == 0 and not run.data.corpora:
        own = {"accumulate_grad_batches": 1, "batch_size": clips // now}
    else:
        raise ValueError(
            f"hardware.num_gpus: {now} processes cannot share the {clips} clips of a step, which came in {batches} "
            f"batches; take {before}"
        )
    told = ", ".join(f"training.{name}: {value}" for name, value in own.items())
    assume(f"goes on with {now} process(es) in place of {before}, {clips} clips a step as ever ({told})")
    return run.model_copy(update={"training": training.model_copy(update=own)})
