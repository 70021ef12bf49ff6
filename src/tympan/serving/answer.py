"""Files, folders and URIs -> a table of answers or of embeddings: CSV, JSONL or parquet."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from torch import Tensor

from ..data import audio, storage
from ..frames import Pooling
from ..pipeline import Layer
from ..signals import check_channels
from .artifact import Artifact

_PORTION = 4096  # rows


@dataclass(frozen=True)
class Named:
    """A recording, with what it is called where it is from."""

    id: str
    subject: str
    """The group that it is of; empty where there is none."""
    split: str
    """The part of the split; empty where there is none."""
    waveform: Callable[[], np.ndarray]
    """Reads its sound, `(channels, samples)`."""


def recordings(inputs: Iterable[str]) -> list[str]:
    """The sound files that the inputs name: files and URIs as they are, folders searched through.

    Raises:
        FileNotFoundError: an input does not exist, or a folder holds no sound.
    """
    found: list[str] = []
    for given in inputs:
        if storage.is_folder(given):
            inside = [uri for uri in storage.listing(given) if uri.lower().endswith(audio.SUFFIXES)]
            if not inside:
                raise FileNotFoundError(f"{given}: holds no sound ({', '.join(audio.SUFFIXES)})")
            found += inside
        elif storage.exists(given):
            found.append(given)
        else:
            raise FileNotFoundError(f"{given}: does not exist")
    return found


def predict(
    artifact: Artifact,
    inputs: Iterable[str],
    refused: Callable[[str, str], None] | None = None,
    batch_size: int = 32,
    seen: Callable[[str, np.ndarray, dict[str, Tensor]], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Answer for each recording: a row with its file and every output in its unit, one row a frame where it has a rate.

    Args:
        artifact: the trained pipeline.
        inputs: files, folders or URIs.
        refused: called with the file and the reason where one cannot be read; by default the error is raised.
        batch_size: clips heard at once.
        seen: called with the file, the sound `(channels, samples)`, and what `Artifact.hear` gives of it.
    """
    waiting: list[Named] = []
    sounds: list[np.ndarray] = []

    def waveforms() -> Iterator[np.ndarray]:
        for waveform in _waveforms(_files(artifact, inputs), waiting, refused):
            if seen:  # from where it is heard
                sound = artifact.config.audio.trimmed(waveform)[1]
                sounds.append(sound[:, artifact.config.audio.starts(sound)[0] :])
            yield waveform

    for heard in artifact.hear(waveforms(), batch_size):
        file = waiting.pop(0).id
        if seen:
            seen(file, sounds.pop(0), heard)
        yield from ({"file": file, **row} for row in artifact.columns(heard))


def embed(
    artifact: Artifact,
    inputs: Iterable[str] | Iterable[Named],
    refused: Callable[[str, str], None] | None = None,
    batch_size: int = 32,
    layer: Layer = "pt",
    pooling: Pooling = "mean",
) -> Iterator[dict[str, Any]]:
    """The embedding of every window heard: id, subject, split, layer, start and end in seconds, and the vector.

    Args:
        artifact: the trained pipeline.
        inputs: files, folders or URIs, whose path is their id; or recordings of a source with their names.
        refused: called with the id and the reason where one cannot be heard; by default the error is raised.
        batch_size: clips heard at once.
        layer: pt, ft or st, as `Pipeline.embed` says.
        pooling: likewise.
    """
    waiting: list[Named] = []
    named = (n for one in inputs for n in ([one] if isinstance(one, Named) else _files(artifact, [one])))
    for windows in artifact.embed(_waveforms(named, waiting, refused), batch_size, layer, pooling):
        one = waiting.pop(0)
        for start, end, vector in windows:
            yield {"id": one.id, "subject": one.subject, "split": one.split, "layer": layer, "start": start,
                   "end": end, "vector": vector.numpy()}  # fmt: skip


def _files(artifact: Artifact, inputs: Iterable[str]) -> Iterator[Named]:
    """The sound files that the inputs name, each with its path for an id."""
    listening = artifact.config.audio
    whole = listening.crop != "start" or listening.trim is not None
    length = None if whole else listening.samples / listening.sample_rate
    for uri in recordings(inputs):

        def waveform(uri: str = uri) -> np.ndarray:
            sound = audio.read(uri, listening.sample_rate, listening.channels, 0.0, length, listening.decoder)
            check_channels(len(sound), listening.audio, uri)
            return sound

        yield Named(uri, "", "", waveform)


def _waveforms(
    named: Iterable[Named], waiting: list[Named], refused: Callable[[str, str], None] | None
) -> Iterator[np.ndarray]:
    for one in named:
        try:
            waveform = one.waveform()
        except (OSError, ValueError) as error:
            if refused is None:
                raise
            refused(one.id, str(error))
            continue
        waiting.append(one)
        yield waveform


def write(rows: Iterable[dict[str, Any]], to: str | Path) -> int:
    """Write rows as the suffix says (.csv, .jsonl, .parquet), locally or in a bucket; returns their number.

    Raises:
        ValueError: another suffix.
    """
    suffix = Path(str(to)).suffix.lower()
    if suffix not in (".csv", ".jsonl", ".parquet"):
        raise ValueError(f"{to}: answers are written as .csv, .jsonl or .parquet")
    if suffix == ".parquet":
        return _write_parquet(rows, to)
    table = list(rows)
    storage.write_text(str(to), text(table, suffix))
    return len(table)


def _write_parquet(rows: Iterable[dict[str, Any]], to: str | Path) -> int:
    """Portion by portion, so that no number of rows is too large; the file appears when it is whole."""
    total, writer = 0, None
    given = iter(rows)
    portions = iter(lambda: list(islice(given, _PORTION)), [])
    with storage.open_binary(str(to), "wb") as file:
        for portion in portions:
            table = pa.table({n: _array([_plain(row.get(n)) for row in portion]) for n in _names(portion)})
            if writer is None:
                writer = pq.ParquetWriter(file, table.schema)
            writer.write_table(table.cast(writer.schema))
            total += len(portion)
        if writer is None:
            writer = pq.ParquetWriter(file, pa.schema([]))
        writer.close()
    return total


def text(rows: Sequence[dict[str, Any]], suffix: str) -> str:
    """Rows as CSV, where each number of an array has a column of its own (`vector_0`), or as JSON lines."""
    out = io.StringIO()
    if suffix == ".csv":
        cells = [_cells(row) for row in rows]
        writer = csv.DictWriter(out, _names(cells), lineterminator="\n")
        writer.writeheader()
        writer.writerows(cells)
    else:
        out.writelines(json.dumps({k: _plain(v) for k, v in row.items()}, ensure_ascii=False) + "\n" for row in rows)
    return out.getvalue()


def _names(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with one number in each cell: of an array `vector` they are `vector_0`, `vector_1` and so on."""
    cells: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, np.ndarray):
            cells |= {f"{name}_{i}": number for i, number in enumerate(value.ravel())}
        else:
            cells[name] = value
    return cells


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _array(values: list[Any]) -> pa.Array:
    if values and isinstance(values[0], list):
        return pa.array(values, pa.list_(pa.float32(), len(values[0])))
    return pa.array(values)
