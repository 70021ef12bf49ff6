"""Files, folders and URIs -> a table of answers or of embeddings: CSV, JSONL or parquet."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from torch import Tensor

from ..data import audio, storage
from ..signals import check_channels
from .artifact import Artifact

SUFFIXES = (".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".mp4", ".ogg", ".opus", ".wav", ".webm", ".wma")
"""What is taken for sound in a folder; a file that is named itself may be called anything."""


def recordings(inputs: Iterable[str]) -> list[str]:
    """The sound files that the inputs name: files and URIs as they are, folders searched through.

    Raises:
        FileNotFoundError: an input does not exist, or a folder holds no sound.
    """
    found: list[str] = []
    for given in inputs:
        if storage.is_folder(given):
            inside = [uri for uri in storage.listing(given) if uri.lower().endswith(SUFFIXES)]
            if not inside:
                raise FileNotFoundError(f"{given}: holds no sound ({', '.join(SUFFIXES)})")
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
    files: list[str] = []
    sounds: list[np.ndarray] = []

    def waveforms() -> Iterator[np.ndarray]:
        for waveform in _waveforms(artifact, inputs, files, refused):
            if seen:  # from where it is heard
                sounds.append(waveform[:, artifact.config.audio.starts(waveform)[0] :])
            yield waveform

    for heard in artifact.hear(waveforms(), batch_size):
        file = files.pop(0)
        if seen:
            seen(file, sounds.pop(0), heard)
        yield from ({"file": file, **row} for row in artifact.columns(heard))


def embed(
    artifact: Artifact,
    inputs: Iterable[str],
    refused: Callable[[str, str], None] | None = None,
    batch_size: int = 32,
) -> Iterator[dict[str, Any]]:
    """The backbone's embedding of every window heard: file, start and end in seconds, and the vector."""
    files: list[str] = []
    for windows in artifact.embed(_waveforms(artifact, inputs, files, refused), batch_size):
        file = files.pop(0)
        for start, end, vector in windows:
            yield {"file": file, "start": start, "end": end, "embedding": vector.numpy()}


def _waveforms(
    artifact: Artifact, inputs: Iterable[str], files: list[str], refused: Callable[[str, str], None] | None
) -> Iterator[np.ndarray]:
    listening = artifact.config.audio
    length = listening.samples / listening.sample_rate if listening.crop == "start" else None
    for uri in recordings(inputs):
        try:
            waveform = audio.read(uri, listening.sample_rate, listening.channels, 0.0, length)
            check_channels(len(waveform), listening.audio, uri)
        except (OSError, ValueError) as error:
            if refused is None:
                raise
            refused(uri, str(error))
            continue
        files.append(uri)
        yield waveform


def write(rows: Iterable[dict[str, Any]], to: str | Path) -> int:
    """Write rows as the suffix says (.csv, .jsonl, .parquet), locally or in a bucket; returns their number.

    Raises:
        ValueError: another suffix.
    """
    suffix = Path(str(to)).suffix.lower()
    if suffix not in (".csv", ".jsonl", ".parquet"):
        raise ValueError(f"{to}: answers are written as .csv, .jsonl or .parquet")
    table = list(rows)
    if suffix == ".parquet":
        sink = io.BytesIO()
        columns = {name: [_plain(row.get(name)) for row in table] for name in _names(table)}
        arrays = {name: _array(values) for name, values in columns.items()}
        pq.write_table(pa.table(arrays), sink)
        storage.write_bytes(str(to), sink.getvalue())
    else:
        storage.write_text(str(to), text(table, suffix))
    return len(table)


def text(rows: Sequence[dict[str, Any]], suffix: str) -> str:
    """Rows as CSV or as JSON lines."""
    out = io.StringIO()
    if suffix == ".csv":
        writer = csv.DictWriter(out, _names(rows), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        out.writelines(json.dumps({k: _plain(v) for k, v in row.items()}, ensure_ascii=False) + "\n" for row in rows)
    return out.getvalue()


def _names(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _array(values: list[Any]) -> pa.Array:
    if values and isinstance(values[0], list):
        return pa.array(values, pa.list_(pa.float32(), len(values[0])))
    return pa.array(values)
