"""A folder of samples: what made them, a row for each, what is known before all are there, and one writer at a time."""

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from . import Source, storage, yaml_file

DATASET, METADATA = "dataset.yaml", "metadata.parquet"
UNFINISHED = "unfinished.jsonl"
"""A row for each sample that is written, while not all of them are in the table."""
OWN, GROUP = ("id", "file", "duration", "sha256"), "group_"  # columns that are no values; groups' begin so
_LATER = ("metadata_sha256", "features")
"""What dataset.yaml says besides what made the samples."""

Row = dict[str, Any]


def read_about(root: str) -> dict[str, Any]:
    """What dataset.yaml of a folder says.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not one that `generate` wrote.
    """
    name = storage.join(root, DATASET)
    text = storage.read_text(name)
    try:
        about, _ = yaml_file.read(text, name)
    except ValueError as error:
        raise ValueError(f"{name} is no valid YAML: {error}; generate the folder again") from error
    if not isinstance(about, dict) or not {"configuration_sha256", "features"} & about.keys():
        raise ValueError(f"{name} was not written by `tympan generate`; name such a folder")
    return about


def write_about(root: str | Path, about: dict[str, Any]) -> None:
    """Write dataset.yaml, whole or not at all."""
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(about, text)
    storage.write_text(storage.join(root, DATASET), text.getvalue())


def about(source: Source, subtype: str) -> dict[str, Any]:
    """What dataset.yaml says of a source."""
    configuration = source.model_dump(mode="json")
    canonical = json.dumps(configuration, sort_keys=True).encode()
    return {
        "tympan": version("tympan"),
        "source": configuration,
        "seed": configuration.get("seed"),
        "examples": len(source),
        "sample_rate": source.sample_rate,
        "subtype": subtype,
        "group": source.group,
        "units": dict(source.units),
        "rates": dict(source.rates),
        "clusters": list(source.clusters),
        "configuration_sha256": hashlib.sha256(canonical).hexdigest(),
    }


def claim(folder: Path, made_by: dict[str, Any]) -> dict[str, Any]:
    """Refuse a folder with other samples in it; else say in it, before the first sample, whose they are.

    Returns: what dataset.yaml says now.
    """
    if not (folder / DATASET).exists():
        if (folder / METADATA).exists() or next(folder.glob("*.wav"), None):
            raise ValueError(f"{folder} holds samples but no {DATASET}; choose an empty folder, nothing was changed")
        write_about(folder, made_by)
        return made_by
    there = read_about(str(folder))
    old, new = ({**a, **a.get("source", {})} for a in (there, made_by))
    compared = sorted((old.keys() | new.keys()) - {"source", "configuration_sha256", *_LATER})  # the fields say more
    differ = [f"{k}: {old.get(k)} there, {new.get(k)} now" for k in compared if old.get(k) != new.get(k)]
    if differ:
        raise ValueError(
            f"{folder} holds samples of another configuration ({'; '.join(differ)}); choose another folder, "
            "nothing was changed"
        )
    return there


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While it lasts, no other process writes into the folder; a process that dies, however it does, lets go of it.

    Raises:
        ValueError: another one does.
    """
    import fcntl  # which a system where folders are only read need not have

    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ValueError(f"{folder} is being written by another tympan; wait until that has ended") from error
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Delete what writers that died have left half-written; for who is alone in the folder."""
    for left in folder.glob(f"{storage.ASIDE}*"):
        if not left.is_dir():  # an archive that was being unpacked beside
            left.unlink(missing_ok=True)


def known(folder: Path) -> dict[str, Row]:
    """The row of every sample that is in the table or was noted since, by its file.

    Rows alone: whether a sample is as its row says, its sha256 tells.
    """
    import pyarrow
    from pyarrow import parquet  # half a second, which listing commands need not wait for

    rows: list[Row] = []
    with suppress(OSError, pyarrow.ArrowException):  # a table that is none, or no table, is made again
        rows += parquet.read_table(io.BytesIO((folder / METADATA).read_bytes())).to_pylist()
    if (folder / UNFINISHED).exists():
        for line in (folder / UNFINISHED).read_bytes().splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:  # cut off where a process died: the sample is made again
                continue
    return {row["file"]: row for row in rows if isinstance(row, dict) and row.keys() >= set(OWN)}


def note(folder: Path, row: Row) -> None:
    """Add the row of a sample that was just written. Several processes may: a system appends one piece at a time."""
    line = f"{json.dumps(row, ensure_ascii=False)}\n".encode()
    # Made by who claims the folder: a process that outlives that one makes none.
    handle = os.open(folder / UNFINISHED, os.O_WRONLY | os.O_APPEND)
    try:
        written = os.write(handle, line)
    except OSError as error:
        if error.errno not in storage.FULL:
            raise
        raise storage.no_room(f"{folder / UNFINISHED} could not be written", error, len(line), folder) from error
    finally:
        os.close(handle)
    if written < len(line):
        raise storage.no_room(f"{folder / UNFINISHED}", OSError("it was cut off"), len(line) - written, folder)


def finish(folder: Path, rows: Sequence[Row], about: dict[str, Any]) -> None:
    """Write the table, then its hash, and forget what was noted; what is written already is left as it is."""
    import pyarrow
    from pyarrow import parquet

    names = dict.fromkeys(name for row in rows for name in row)
    written = io.BytesIO()
    parquet.write_table(pyarrow.table({name: [row.get(name) for row in rows] for name in names}), written)
    table = written.getvalue()
    complete = {**about, "metadata_sha256": hashlib.sha256(table).hexdigest()}
    if not (folder / METADATA).exists() or (folder / METADATA).read_bytes() != table:
        storage.write_bytes(folder / METADATA, table)
    if read_about(str(folder)) != complete:
        write_about(folder, complete)
    (folder / UNFINISHED).unlink(missing_ok=True)
    sweep(folder)
