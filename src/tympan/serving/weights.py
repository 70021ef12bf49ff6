"""model.safetensors and what config.json says -> a pipeline, no larger than the weights that came with it."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from ..pipeline import Pipeline

USUAL = 1 << 16
"""Whole numbers up to this one are allowed in the description of any artifact, and as many values more than its file
has, which a module may drop while it is built."""


def filled(described: BaseModel, build: Callable[[], Pipeline], config: Path, weights: Path) -> Pipeline:
    """The pipeline with its weights.

    Args:
        described: what of config.json is for features, model and outputs.
        build: makes the pipeline of it.
        config: where it was read, for messages.
        weights: the file of weights.

    Raises:
        FileNotFoundError: there are no weights.
        ValueError: they are damaged or do not fit, or the description asks for more than they hold.
    """
    try:
        with safe_open(weights, "pt") as file:
            values = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
        _check_numbers(described.model_dump(include={"features", "model", "outputs"}), max(values, USUAL))
        with _at_most(2 * values + USUAL):
            pipeline = build()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{weights}: is missing; copy the whole folder") from error
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{weights}: does not fit config.json: {error}") from error
    except (ValueError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise ValueError(f"{config}: no pipeline can be built of it: {error}") from error
    try:
        pipeline.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{weights}: does not fit config.json: {error}") from error
    return pipeline


def _check_numbers(value: Any, most: int) -> None:
    if isinstance(value, int) and abs(value) > most:
        raise ValueError(f"{str(value)[:40]} is larger than anything of a model of this size; it was changed")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        _check_numbers(each, most)


@contextmanager
def _at_most(values: int) -> Iterator[None]:
    """While it lasts, modules are made with so many values in their parameters; memory is not touched before."""
    left = values

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal left
        left -= parameter.numel() if parameter is not None else 0
        if left < 0:
            raise ValueError("it does not fit model.safetensors, which holds fewer weights than it describes")

    handle = nn.modules.module.register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
