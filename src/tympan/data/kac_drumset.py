"""A folder that kac_drumset wrote: its metadata.json of gigabytes -> settings, labels and drums, in little memory."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from ..component import assume
from . import cache, storage
from .dataset_folder import read_about
from .recordings import Recording
from .table import some

METADATA = "metadata.json"
BLOCK = 1 << 22
"""Bytes that are held of the file at once."""
LARGEST = 1 << 26
"""Bytes of settings and labels; a file with more is none of kac_drumset's."""

_UNITS = {"drum_size": "m", "aspect_ratio": "1", "f_0": "Hz"}
_INPUT = re.compile(rb'"x"\s*:\s*\[')
_SETTINGS = ("sampler", "sampler_settings", "representation_settings")
_STRIKES = 5  # of a drum


def find(root: str) -> str | None:
    """The folder that holds metadata.json: the root itself, or `data` in it, as in the published archives."""
    for folder in (root, storage.join(root, "data")):
        if storage.exists(storage.join(folder, METADATA)):
            return folder
    return None


def about(folder: str) -> dict[str, Any]:
    """What dataset.yaml would say of it: what made it, units, and the representation of its sound.

    The representation is theirs, unless `tympan transform` wrote another one into a dataset.yaml beside theirs.

    Raises:
        ValueError: metadata.json is cut off, or is not laid out as theirs is.
    """
    told = _read(folder)
    settings = told.get("sampler_settings") or {}
    try:
        features = read_about(folder)["features"]
    except FileNotFoundError:
        features = _features(told.get("representation_settings") or {})
    names = {name for entry in told["data"] for name in _values(entry["y"])}
    return {
        "source": {"kac_drumset": told.get("sampler"), **settings},
        "examples": len(told["data"]),
        "sample_rate": settings.get("sample_rate"),
        "group": "drum" if any(_of_strike(name) for name in names) else None,
        "units": {name: unit for name, unit in _UNITS.items() if name in names},
        "features": features,
    }


def recordings(folder: str) -> list[Recording]:
    """The samples, with their labels by name; several numbers of one label are `name_0`, `name_1`.

    No entry says which drum it is of, so neighbours whose labels of the drum are equal are taken as strikes of one.

    Raises:
        ValueError: metadata.json is not whole or disagrees with itself, a label is unknown, or a sample is missing.
    """
    uri = storage.join(folder, METADATA)
    told = _read(folder)
    entries, size = told["data"], told.get("dataset_size")
    if size != len(entries):
        raise ValueError(
            f"{uri} says that it is of {size} samples and has {len(entries)}; copy or unpack the folder again"
        )
    files = [f"sample_{i:05d}.wav" for i in range(len(entries))]
    if not folder.startswith("https://"):  # which cannot be listed
        there = {name.rpartition("/")[2] for name in storage.listing(folder)}
        missing = [file for file in files if file not in there]
        if missing:
            raise ValueError(
                f"{len(missing)} of the {len(files)} samples that {uri} names are missing: {some(missing)}; copy or "
                "unpack the folder again"
            )
    values = [_values(entry["y"]) for entry in entries]
    for file, own in zip(files, values, strict=True):
        for name, value in own.items():
            if not isinstance(value, str) and not np.isfinite(np.asarray(value, np.float64)).all():
                raise ValueError(f"{uri}, entry of {file}: label {name} is {value}; make that sample again")
    length = (told.get("sampler_settings") or {}).get("duration")
    duration = float(length) if isinstance(length, int | float) and math.isfinite(length) else None
    groups: Sequence[Mapping[str, str]] = [{} for _ in files]
    if any(_of_strike(name) for own in values for name in own):
        groups = [{"drum": str(number)} for number in _drums(uri, [entry["y"] for entry in entries])]
    return [
        Recording(storage.join(folder, file), file.removesuffix(".wav"), group, None, own, duration)
        for file, group, own in zip(files, groups, values, strict=True)
    ]


def _drums(uri: str, labels: Sequence[Mapping[str, Any]]) -> list[int]:
    """The number of the drum of each entry."""
    of_drum = [{name: value for name, value in own.items() if not _of_strike(name)} for own in labels]
    if not any(of_drum):
        assume(
            f"{uri} says nothing of the drums, only of strikes; {_STRIKES} samples at a time were taken as one drum's, "
            "as kac_drumset makes them. Write a table (data: manifest) with a column of drums to be sure"
        )
        return [i // _STRIKES for i in range(len(labels))]
    runs = [len(list(run)) for _, run in groupby(of_drum)]
    lengths = runs[:-1] or runs
    each = " to ".join(str(length) for length in sorted({min(lengths), max(lengths)})) + " each"
    assume(
        f"{uri} does not say which drum a sample is of; neighbours with the same {', '.join(of_drum[0])} were taken as "
        f"strikes of one: {len(runs)} drums, {each}. Write a table (data: manifest) with a column of drums to be sure"
    )
    return [number for number, length in enumerate(runs) for _ in range(length)]


def _of_strike(name: str) -> bool:
    """Whether a label is of a strike: where it is, or where it is heard."""
    return "_location" in name


def _values(labels: Mapping[str, Any]) -> dict[str, Any]:
    """A label is a list: one number is a value of that name, several are numbered, and points stay an array."""
    found: dict[str, Any] = {}
    for name, label in labels.items():
        if not isinstance(label, list):
            own = {name: label}
        elif any(isinstance(item, list) for item in label):
            own = {name: np.asarray(label, np.float64)}
        elif len(label) == 1:
            own = {name: label[0]}
        else:
            own = {f"{name}_{i}": item for i, item in enumerate(label)}
        if own.keys() & found.keys():
            raise ValueError("two labels have one name")
        _ = [float(np.sum(value)) for value in own.values() if not isinstance(value, str)]  # or it is no number
        found |= own
    return found


def _features(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same representation as ours; none where it is unknown."""
    kind = settings.get("output_type", settings.get("representation_type", "end2end"))
    normalize = "min_max" if settings.get("normalise_input", True) else "none"
    if kind == "end2end":
        return {"type": "waveform", "normalize": normalize, "standardize": "none"}
    framed = {
        "window": f"{settings.get('window_length', 512)} samples",
        "hop": f"{settings.get('hop_length', 256)} samples",
        "n_fft": settings.get("n_bins", 512),
        "power": 2,
        "scale": "linear",
        "normalize": normalize,
        "standardize": "none",
    }
    if kind == "fft":
        return {"type": "spectrogram", **framed}
    if kind == "mel":
        own = {"n_mels": settings.get("n_mels", 32), "f_min": settings.get("f_min", 22.05), "empty_filters": "keep"}
        return {"type": "mel", **own, **framed}
    return None


def _read(folder: str) -> dict[str, Any]:
    """All of metadata.json but the inputs, which are the sound once more; read once, and kept in the cache."""
    uri = storage.join(folder, METADATA)
    told = _parsed(cache.made(uri, "kac_drumset", partial(_reduced, uri)), uri)
    data = told.get("data") if isinstance(told, dict) else None
    if not isinstance(data, list) or not data or not all(isinstance(e, dict) and "x" in e for e in data):
        raise ValueError(f'{uri} is not laid out as kac_drumset\'s: it has no "data" of entries with "x" and "y"')
    if odd := [name for name in _SETTINGS if not isinstance(told.get(name) or {}, dict)]:
        raise ValueError(f"{uri} is not laid out as kac_drumset's: {odd[0]} is not settings by name")
    for number, entry in enumerate(data):
        try:
            _values(entry.get("y"))
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f'{uri}, entry {number}: "y" is not labels by name; make that sample again') from error
    return told


def _reduced(uri: str) -> bytes:
    """The text of a metadata.json with null for every input; refused where it is cut off, or is no JSON."""
    with storage.open_binary(uri) as file:
        text = b"".join(_without_inputs(iter(lambda: file.read(BLOCK), b""), uri))  # type: ignore[attr-defined]
    _parsed(text, uri)  # before it is kept
    return text


def _without_inputs(blocks: Iterable[bytes], uri: str) -> Iterator[bytes]:
    """The pieces between the inputs: `x` is an array of numbers, or of such arrays, whose end is its last bracket."""
    block, depth, entries, kept = b"", 0, 0, 0
    for more in blocks:
        block, at = block + more, 0
        while True:
            if depth:
                depth, at = _skipped(block, at, depth)
                if depth:
                    break
            found = _INPUT.search(block, at)
            if not found:
                break
            piece = block[at : found.start()] + b'"x": null'
            depth, at, entries, kept = 1, found.end(), entries + 1, kept + len(piece)
            yield piece
        # The beginning of an `"x": [` may be at the end.
        last = len(block) if depth else max(len(block) - 64, at)
        if not depth:
            kept += last - at
            yield block[at:last]
        block = block[last:]
        if kept > LARGEST:
            raise ValueError(f"{uri} has more than {LARGEST >> 20} MiB besides sound; it is none of kac_drumset's")
    if depth:
        raise _cut(uri, entries)
    yield block


def _skipped(block: bytes, at: int, depth: int) -> tuple[int, int]:
    """How deep within brackets the block ends, or 0 and what is behind the last bracket."""
    while depth:
        close = block.find(b"]", at)
        if close < 0:
            return depth + block.count(b"[", at), len(block)
        depth += block.count(b"[", at, close) - 1
        at = close + 1
    return 0, at


def _parsed(text: bytes, uri: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if not {"}", "]"} & set(error.doc[error.pos :]):  # nothing is closed any more
            raise _cut(uri, text.count(b'"x": null')) from error
        near = error.doc[error.pos : error.pos + 40]
        raise ValueError(f"{uri} is no valid JSON: {error.msg} near {near!r}") from error
    except RecursionError as error:
        raise ValueError(f"{uri} is none of kac_drumset's: it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{uri} is not UTF-8 text: it was damaged; copy or unpack it again") from error


def _cut(uri: str, entries: int) -> ValueError:
    return ValueError(f"{uri} is cut off after {entries} entries; copy or unpack it again")
