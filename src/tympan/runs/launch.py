"""Starts the processes of a run, each of which is the same command."""

import logging
import os
import signal
import sys
import uuid
from collections.abc import Sequence

from . import ranks
from .hardware import Hardware


def wanted(hardware: Hardware) -> bool:
    """Whether this process is to start those of the run, rather than to be one."""
    return hardware.distributed and hardware.num_gpus > 1 and ranks.processes() == 1


def launch(command: Sequence[str], processes: int) -> int:
    """Run `python -m tympan COMMAND` in several processes on this machine; the status that the command ends with.

    They end together: a process that fails, or is ended, takes the others with it, and says why.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # what failed is said below
    os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // processes, 1)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.2,
        signals_to_handle="SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1",
    )
    try:
        elastic_launch(config, sys.executable)("-m", "tympan", *command)
    except ChildFailedError as error:
        rank, failed = error.get_first_failure()
        if failed.exitcode < 0:
            name = signal.Signals(-failed.exitcode).name
            sys.stderr.write(f"error: process {rank} of {processes} was ended by {name}; `tympan resume` goes on\n")
        return failed.exitcode if failed.exitcode > 0 else 128 - failed.exitcode
    except SignalException as stopped:
        return 130 if stopped.sigval == signal.SIGINT else 143
    return 0
