"""What an agent of a Weights & Biases sweep sets for this process: parameters over the file's."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def overrides(given: Sequence[str]) -> list[str]:
    """The overrides of a command line, as an agent writes them, over what the sweep's server chose.

    Under an agent, which `WANDB_SWEEP_ID` tells, parameters come from `wandb.config`, and short names
    (`learning_rate=0.001`) mean the fields of kac_prediction's. Arguments may begin with two hyphens, as its `${args}`
    do.

    Raises:
        ValueError: a parameter is no field of a run.
        ImportError: there is an agent, but wandb is not installed.
    """
    plain = [argument.removeprefix("--") for argument in given]
    if not under():
        return plain
    import wandb

    from .space import SHORT, place

    session = wandb.init() if wandb.run is None else wandb.run
    chosen = [f"{place(name)}={json.dumps(value)}" for name, value in _flat(dict(session.config))]
    named = [argument.partition("=") for argument in plain]
    return [*chosen, *(f"{SHORT.get(name, name)}{equals}{value}" for name, equals, value in named)]


def _flat(chosen: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested parameters one by one, each of which changes its own field of a section and leaves the others."""
    for name, value in chosen.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def under() -> bool:
    """Whether an agent of a sweep started this process."""
    return bool(os.environ.get("WANDB_SWEEP_ID"))
