"""Any source -> a folder of wav files, a table of what is known of them, and what made them."""

import hashlib
import io
import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from . import Source, Values, audio, storage

Subtype = Literal["PCM_16", "PCM_24", "PCM_32", "FLOAT"]

DATASET, METADATA = "dataset.yaml", "metadata.parquet"
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
OWN, GROUP = ("id", "file", "duration"), "group_"  # columns of the table that are no values; groups' begin so


def generate(
    source: Source,
    out: str | Path,
    *,
    subtype: Subtype = "PCM_24",
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write every example of a source to a local folder, which the dataset `recorded` reads.

        sample_000123.wav    one for each example, whole
        metadata.parquet     id, file, duration (s), group_<kind>, and a column for each value
        dataset.yaml         the source's configuration, seed, units, rate, version, and sha256 of both

    What was interrupted goes on where it stopped: whole samples are kept. Every file is written aside and renamed.
    The number of workers does not change a byte.

    Args:
        subtype: how a sample is stored; only FLOAT holds magnitudes above 1.
        workers: processes; a script that asks for several needs `if __name__ == "__main__":`.
        progress: is told how many examples are done, and of how many.

    Raises:
        ValueError: the folder holds something else, which stays as it is; or an example is unusable.
    """
    folder = local(out, workers)
    made_by = about(source, subtype)
    claim(folder, made_by)
    rows = []
    for row in spread(partial(_sample, source, folder, subtype), range(len(source)), workers):
        rows.append(row)
        if progress:
            progress(len(rows), len(source))
    table = _table(rows)
    storage.write_bytes(folder / METADATA, table)
    _save(folder, {**made_by, "metadata_sha256": hashlib.sha256(table).hexdigest()})
    return folder


def read_about(root: str) -> dict[str, Any]:
    """What dataset.yaml of a folder says.

    Raises:
        ValueError: it is not one that `generate` wrote.
    """
    try:
        about = YAML(typ="safe", pure=True).load(storage.read_text(storage.join(root, DATASET)))
    except YAMLError as error:
        raise ValueError(
            f"{storage.join(root, DATASET)} is no valid YAML: {error}; generate the folder again"
        ) from error
    if not isinstance(about, dict) or "configuration_sha256" not in about:
        raise ValueError(f"{storage.join(root, DATASET)} was not written by `tympan generate`; name such a folder")
    return about


def local(out: str | Path, workers: int) -> Path:
    """The folder to fill.

    Raises:
        ValueError: it is not on this machine, or nobody is to fill it.
    """
    if storage.is_remote(out):
        raise ValueError(f"{out} is not a local folder; write to one, then copy it")
    if workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers}")
    return storage.local_path(out)


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


def claim(folder: Path, made_by: dict[str, Any]) -> None:
    """Refuse a folder with other samples in it; else say in it, before the first sample, whose they are."""
    if not (folder / DATASET).exists():
        if (folder / METADATA).exists() or next(folder.glob("*.wav"), None):
            raise ValueError(f"{folder} holds samples but no {DATASET}; choose an empty folder, nothing was changed")
        _save(folder, made_by)
        return
    there = read_about(str(folder))
    old, new = ({**a, **a["source"]} for a in (there, made_by))
    names = [k for k in sorted(old.keys() | new.keys()) if k not in ("source", "metadata_sha256")]
    differ = [f"{k}: {old.get(k)} there, {new.get(k)} now" for k in names if old.get(k) != new.get(k)]
    if differ:
        raise ValueError(
            f"{folder} holds samples of another configuration ({'; '.join(differ)}); choose another folder, "
            "nothing was changed"
        )


def _save(folder: Path, about: dict[str, Any]) -> None:
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(about, text)
    storage.write_text(folder / DATASET, text.getvalue())


def spread(one: Callable[[_Item], _Result], items: Sequence[_Item], workers: int) -> Iterator[_Result]:
    """The results for all items, in order, by so many processes."""
    if workers == 1:
        yield from map(one, items)
        return
    # Spawned, since a forked process may inherit a lock that some thread holds.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(one, items, chunksize=max(min(len(items) // (8 * workers), 64), 1))


def _sample(source: Source, folder: Path, subtype: Subtype, index: int) -> dict[str, Any]:
    """Write example `index` unless it is there, and return its row."""
    file = folder / f"sample_{index:06d}.wav"
    samples = _samples(file)
    if samples:
        description = source.describe(index)
        if description.duration is None or samples == round(description.duration * source.sample_rate):
            groups, values = description.groups, source.values(index)
            return _row(description.id, file, samples / source.sample_rate, groups, values)
    example = source[index]
    audio.write(file, example.waveform, source.sample_rate, subtype)
    return _row(example.id, file, example.waveform.shape[1] / source.sample_rate, example.groups, example.values)


def _samples(file: Path) -> int:
    """Length of a sample that is there and whole, else 0."""
    try:
        return audio.info(file).samples
    except (FileNotFoundError, ValueError):
        return 0


def _row(id: str, file: Path, duration: float, groups: dict[str, str], values: Values) -> dict[str, Any]:
    taken = [name for name in values if name in OWN or name.startswith(GROUP)]
    if taken:
        raise ValueError(f"example {id}: a value may not be called {taken[0]!r}, as a column of {METADATA} is")
    cells = {name: np.asarray(value).tolist() for name, value in values.items()}
    kinds = {f"{GROUP}{kind}": group for kind, group in groups.items()}
    return {"id": id, "file": file.name, "duration": duration, **kinds, **cells}


def _table(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow  # takes half a second, which listing commands need not wait for
    from pyarrow import parquet

    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    written = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), written)
    return written.getvalue()
