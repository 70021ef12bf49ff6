"""How targets read names and values: numbers, text, arrays of frames, and what is unknown."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped


def unique(names: Iterable[str], what: str) -> None:
    """Refuse names under which two answers could not be told apart.

    Raises:
        ValueError: a name is empty, given twice, or `overall`, under which the mean over outputs is reported.
    """
    for name, times in Counter(list(names)).items():
        if not name.strip():
            raise ValueError(f"a {what} has an empty name; give it one")
        if times > 1:
            raise ValueError(f"{what} {name!r} is given {times} times; leave one")
        if name == "overall":
            raise ValueError(f"no {what} may be called 'overall', the name of the mean over outputs; rename it")


def with_units(value: Any) -> Any:
    """Quantities and their units; a list of names has none.

    Raises:
        ValueError: as `unique`, for a list.
    """
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        unique(value, "quantity")
        return dict.fromkeys(value, "")
    return value


def unknown(value: Any) -> bool:
    """Whether a single value is None, NaN or an empty text."""
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    return value is None or (isinstance(value, str) and not value.strip())


def entries(what: str, value: Any, rate: float | None) -> Shaped[np.ndarray, "frames"]:
    """A value as one entry per frame; what is unknown altogether is one frame of `None`.

    Raises:
        ValueError: one value where there is a rate, or several where there is none.
    """
    if unknown(value):
        return np.array([None])
    array = np.array(value, object) if isinstance(value, list | tuple) else np.asarray(value)
    if array.ndim > 1:
        raise ValueError(f"{what} is an array of shape {array.shape}; give one value for each frame")
    if rate is None and array.size != 1:
        raise ValueError(f"{what} has {array.size} frames, and no `rate` says how many belong to a second")
    if rate is not None and array.ndim == 0:
        raise ValueError(f"{what} is the one value {value!r}, and `rate` asks for {rate:g} values per second")
    return array.reshape(-1)


def numbers(what: str, value: Any, rate: float | None) -> Float[np.ndarray, "frames"]:
    """The numbers of each frame, NaN where unknown.

    Raises:
        ValueError: what is not a finite number, or not as many as `entries` allows.
    """
    array = entries(what, value, rate)
    if array.dtype.kind in "OUS":
        array = np.array([None if unknown(x) else x for x in array.tolist()], object)
    try:
        x = array.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{what} is {value!r}, which is no number; leave it empty where it is unknown") from None
    if np.isinf(x).any():
        raise ValueError(f"{what} is infinite; give finite numbers, and NaN where it is unknown")
    return x


def together(rows: Mapping[str, Float[np.ndarray, "_"]]) -> Float[np.ndarray, "channels frames"]:
    """Rows of the same frames as one array; a row that is unknown altogether is as long as the others.

    Raises:
        ValueError: rows of different lengths.
    """
    lengths = {name: len(row) for name, row in rows.items() if len(row) != 1 or not np.isnan(row[0])}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"one recording has different numbers of frames: {lengths}; give as many of each")
    frames = next(iter(lengths.values()), 1)
    return np.stack([row if name in lengths else np.full(frames, np.nan) for name, row in rows.items()])


def times(decoded: Mapping[str, Float[np.ndarray, "values frames"]], rate: float | None) -> dict[str, list[float]]:
    """The column of times, where there is a rate: frame i is at second i / rate."""
    frames = next(iter(decoded.values())).shape[1]
    return {} if rate is None else {"time (s)": (np.arange(frames) / rate).tolist()}
