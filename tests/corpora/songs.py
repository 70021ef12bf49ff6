"""Songs whose loudness changes, and what a listener's skin makes of it a little later."""

import warnings
from typing import Any

import numpy as np

from tympan.component import AssumptionWarning
from tympan.data.datasets import Dataset


def loudness(seconds: float, rate: float, seed: int) -> np.ndarray:
    """A song's loudness over time, between 0 and 1, `(frames,)`: the same song at any rate."""
    levels = np.random.default_rng(seed).uniform(0.1, 1, 64)
    return np.interp(np.arange(round(seconds * rate)) / rate, np.arange(64), levels)


def song(seconds: float, rate: int, seed: int) -> np.ndarray:
    """A tone of that loudness, `(samples,)`."""
    t = np.arange(round(seconds * rate)) / rate
    return (0.5 * loudness(seconds, rate, seed) * np.sin(2 * np.pi * (200 + 20 * seed) * t)).astype(np.float32)


def conductance(seconds: float, rate: float, seed: int, listener: int) -> np.ndarray:
    """Skin conductance (µS) that follows the song's loudness two seconds later, with a little of the listener's own."""
    own = np.random.default_rng((seed, listener)).normal(0, 0.01, round(seconds * rate))
    heard = loudness(seconds, rate, seed)
    late = np.concatenate([np.full(round(2 * rate), heard[0]), heard])[: len(heard)]
    return 2 + listener + late + own


def listed(kind: type[Dataset], config: dict[str, Any], **fields: Any) -> tuple[Dataset, list[str]]:
    """A source, its recordings listed, and what it told."""
    source = kind.model_validate({**config, **fields})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        len(source)
    assert all(each.category is AssumptionWarning for each in said)
    return source, [str(each.message) for each in said]


def ids(source: Dataset) -> list[str]:
    """The ids of its recordings, in order."""
    return [source.describe(i).id for i in range(len(source))]
