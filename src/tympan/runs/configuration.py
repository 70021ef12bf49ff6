"""A YAML or JSON file -> a Run, with every mistake told at once by file, line, column and field."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, SerializeAsAny, ValidationError

from ..component import Component, Section, did_you_mean, trusted
from ..data import Source, copies, official, storage, yaml_file
from ..features import Feature

if TYPE_CHECKING:
    from .run import Run

_Model = TypeVar("_Model", bound=BaseModel)

_ELSEWHERE = {
    "upload": "write checkpoint.upload; of a run that exists: tympan upload RUN URI",
    "output": "write checkpoint.checkpoint_dir, the folder of all runs, or checkpoint.run_dir, that of this one",
    "dataset": "write name, which names the run, or data, where examples come from; other data: evaluate --dataset",
}
"""What is meant by names that are no fields of a run."""

_LARGEST = 1 << 18  # bytes; a configuration is written by hand


class ConfigurationError(ValueError):
    """All that is wrong with a configuration, one line each."""


class _Data(BaseModel):
    """The part of a configuration that `generate` reads."""

    data: SerializeAsAny[Source]


class _Features(Section):
    """The part of a configuration that `transform` is told."""

    features: SerializeAsAny[Feature]


def load(path: str | Path, overrides: Sequence[str] = ()) -> "Run":
    """Read and validate a run's configuration.

    Args:
        path: a YAML 1.2 or JSON file, a path or URI, or the name of an official dataset where there is no such file.
        overrides: `section.field=value`, the value in YAML, in the order given.

    Raises:
        ConfigurationError: the file cannot be read, or something in it is refused.
    """
    from .run import Run  # and torch with it, which a source can do without

    return read(Run, path, overrides)


def load_source(path: str | Path, overrides: Sequence[str] = ()) -> Source:
    """Read the `data` of a configuration alone; the rest of it may be missing.

    Raises:
        ConfigurationError: the file cannot be read, or something in `data` is refused.
    """
    return read(_Data, path, overrides).data


def load_features(overrides: Sequence[str]) -> Feature:
    """The features that are told by `features.type=mel`, `features.n_mels=64` alone; what is not told has its default.

    Raises:
        ConfigurationError: nothing is told, or something of it is refused.
    """
    plain: dict[str, Any] = {}
    places: dict[tuple[str | int, ...], str] = {}
    for override in overrides:
        _override(plain, override, places)
    return valid(_Features, plain, "features", places).features


def read(model: type[_Model], path: str | Path, overrides: Sequence[str]) -> _Model:
    away = copies.foreign(path)
    if not away:
        path = Path(path) if Path(path).exists() else official.files().get(str(path), Path(path))  # one word
    plain, places = _parsed(_text(path), str(path))
    if not isinstance(plain, dict):
        raise ConfigurationError(f"{path}: a configuration is a mapping of fields, not {type(plain).__name__}")
    for override in overrides:
        _override(plain, override, places)
    if away:
        token = trusted.set(frozenset())  # no code is taken on the word of a file that lies elsewhere
        try:
            return valid(model, plain, str(path), places)
        finally:
            trusted.reset(token)
    beside = str(Path(path).resolve().parent)
    if beside not in sys.path:  # where a component of the user's own may lie; last, so that it hides nothing
        sys.path.append(beside)
    return valid(model, plain, str(path), places)


def valid(model: type[_Model], plain: Any, where: str, places: Mapping[tuple[str | int, ...], str]) -> _Model:
    """Plain values -> what they say.

    Args:
        model: what they are of.
        plain: as they were written.
        where: they come from, as errors say it.
        places: where each was written, by the keys that lead to it.

    Raises:
        ConfigurationError: something is refused.
    """
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_explain(model, error, plain, where, places))) from error


def _text(path: str | Path) -> str:
    try:
        size = storage.size(path) if storage.elsewhere(path) else Path(path).stat().st_size
        raw = storage.read_bytes(path) if size <= _LARGEST else b""
    except OSError as error:
        near = did_you_mean(str(path), list(official.files()))
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}{near}") from error
    if size > _LARGEST:
        raise ConfigurationError(f"{path}: {size} bytes are too many for a configuration (at most {_LARGEST})")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].split(b"\n")
        where = f"{path}:{len(before)}:{len(before[-1]) + 1}"
        raise ConfigurationError(f"{where}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _parsed(text: str, where: str) -> tuple[Any, dict[tuple[str | int, ...], str]]:
    try:
        return yaml_file.read(text, where)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def _override(data: dict[str, Any], override: str, places: dict[tuple[str | int, ...], str]) -> None:
    field, equals, text = override.partition("=")
    keys = field.strip().split(".")
    if not equals or not all(keys):
        raise ConfigurationError(f"override {override!r}: write section.field=value")
    value, _ = _parsed(text, f"override {override!r}")
    at: Any = data
    for i, key in enumerate(keys[:-1]):
        if isinstance(at, dict) and isinstance(at.get(key), str):
            at[key] = {"type": at[key]}  # `model: lstm` may be given fields
        if isinstance(at, dict) and at.get(key) is None:
            at[key] = {}
        at = _step(at, key, override, keys[:i])
    last = keys[-1]
    if isinstance(at, dict):
        at[last] = value
    elif isinstance(at, list) and last.isdigit() and int(last) < len(at):
        at[int(last)] = value
    else:
        raise ConfigurationError(f"override {override!r}: {'.'.join(keys[:-1])} has no {last!r}")
    loc = tuple(int(k) if k.isdigit() else k for k in keys)
    for known in [known for known in places if known[: len(loc)] == loc]:
        del places[known]  # what the file says there no longer counts
    places[loc] = f"override {override!r}"


def _step(at: Any, key: str, override: str, before: list[str]) -> Any:
    if isinstance(at, dict):
        return at[key]
    if isinstance(at, list) and key.isdigit() and int(key) < len(at):
        return at[int(key)]
    raise ConfigurationError(f"override {override!r}: {'.'.join(before)} has no {key!r}")


def _explain(
    model: type[BaseModel],
    error: ValidationError,
    data: Any,
    where: str,
    places: Mapping[tuple[str | int, ...], str],
) -> Iterable[str]:
    lines: list[tuple[tuple[int, int], str]] = []
    for problem in error.errors():
        loc = problem["loc"]
        place = next((places[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in places), f"{where}:1:1")
        allowed = _fields_at(model, data, loc[:-1])
        if problem["type"] == "extra_forbidden":
            fields = [f for f in allowed if f != "type"]
            why = f"unknown field; one of: {', '.join(fields)}{did_you_mean(str(loc[-1]), fields)}"
            if len(loc) == 1 and loc[0] in _ELSEWHERE and "checkpoint" in fields:
                why = f"unknown field; {_ELSEWHERE[loc[0]]}"
        elif problem["type"] == "missing":
            why = "is missing; it has no default"
        else:
            why = problem["msg"].removeprefix("Value error, ")
        written = problem["input"]
        if problem["type"] not in ("extra_forbidden", "missing", "conflict", "value_error", "missing_type"):
            why += f" (it says {repr(written)[:80]})"
        numbers = place.rsplit(":", 2)[1:]
        order = (int(numbers[0]), int(numbers[1])) if all(n.isdigit() for n in numbers) and numbers else (1 << 30, 0)
        lines.append((order, f"{place}: {'.'.join(str(part) for part in loc)}: {why}"))
    return [line for _, line in sorted(lines)]


def _fields_at(model: type[BaseModel], data: Any, loc: Sequence[str | int]) -> list[str]:
    """The fields of the section at `loc`, following the types that the data choose."""
    for part in loc:
        if isinstance(data, dict):
            data = data.get(str(part))
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        field = model.model_fields.get(str(part))
        found = list(_models(field.annotation)) if field else [model]  # an entry of a list or a dictionary
        if not found:
            return []
        model = found[0]
        if issubclass(model, Component):
            name = data.get("type") if isinstance(data, dict) else data
            try:
                model = model.find(name) if isinstance(name, str) else model
            except ValueError:
                return []
    return list(model.model_fields)


def _models(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
