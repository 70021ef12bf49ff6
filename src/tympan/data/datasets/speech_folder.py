"""Utterances in one folder each, with tables of labels: `recordings/<uid>/waveform.wav`, `train.csv`, `test.csv`."""

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from ...component import assume, did_you_mean
from .. import cache, storage, table
from ..audio import Info
from ..recordings import Recording, Recordings

_PARTS = {"train": "train.csv", "validation": "val.csv", "test": "test.csv"}


class SpeechFolder(Recordings):
    """One folder for each utterance, on disk or in a bucket, and a CSV of labels for each part of the split.

        root/recordings/<uid>/waveform.<ext>    <ext> is the `encoding` of metadata.json in small letters
        root/recordings/<uid>/metadata.json     {"encoding": "WAV", "sample_rate_hz": 16000, ...}
        root/train.csv, root/test.csv           one row for each uid; val.csv where validation is not to be drawn

    An empty cell is unknown. What a uid's folder holds is only looked at when its sound is wanted.
    """

    root: str
    """Path or URI of the folder."""
    folder: str = "recordings"
    """The folder below the root that holds one folder for each uid; empty where they are directly below the root."""
    splits: str | None = None
    """Path or URI of the folder with train.csv, test.csv and val.csv, by default the root; or of one table, whose
    recordings are then in no part yet."""
    id_column: str = "uid"
    """The column that names an utterance's folder."""
    group_column: str = "subject"
    """The column that says who speaks; nobody may be in two parts of a split."""
    label_file: str | None = None
    """A text that lists the columns to predict, one a line: a URI, or a path, relative to the root. By default all
    columns but id and group are known."""

    @property
    def group(self) -> str | None:
        return self.group_column

    @property
    def place(self) -> str:
        return self.root

    def recordings(self) -> list[Recording]:
        tables = {uri: (part, table.read(uri)) for part, uri in self._tables()}
        labels = self._labels()
        for uri, (_, rows) in tables.items():
            table.require(rows, [self.id_column, self.group_column], uri)
            for label in labels or ():
                if label not in rows[0]:
                    raise ValueError(
                        f"{uri} has no column {label!r}, which {self.label_file} lists; correct the list, or add the "
                        f"column to those that it has: {', '.join(rows[0])}{did_you_mean(label, list(rows[0]))}"
                    )
        if labels is None:
            columns = dict.fromkeys(name for _, rows in tables.values() for name in rows[0])
            labels = [name for name in columns if name not in (self.id_column, self.group_column)]
        flat = [(part, uri, row) for uri, (part, rows) in tables.items() for row in rows]
        cells = {n: table.numbers([row.get(n) for *_, row in flat], f"column {n!r} of {self.root}") for n in labels}
        found = [
            self._recording(part, uri, row, {n: cells[n][i] for n in labels if cells[n][i] is not None})
            for i, (part, uri, row) in enumerate(flat)
        ]
        self._check_folder(found[0].id)
        return found

    def locate(self, recording: Recording) -> str:
        encoding = self._metadata(recording).get("encoding")
        if not isinstance(encoding, str) or not re.fullmatch(r"[A-Za-z0-9]{1,8}", encoding):
            raise ValueError(
                f'{recording.uri}/metadata.json: `encoding` must name the type of waveform.<type>, like "WAV" or '
                f'"FLAC", not {encoding!r}'
            )
        return storage.join(recording.uri, f"waveform.{encoding.lower()}")

    def missing(self, recording: Recording) -> str:
        there = storage.listing(recording.uri) if storage.is_folder(recording.uri) else []
        names = table.some([uri.rpartition("/")[2] for uri in there])
        return (
            f"{self.locate(recording)} does not exist, though {recording.uri}/metadata.json names its encoding; "
            f"correct `encoding`, or the file's name. The folder holds: {names}"
        )

    def info(self, recording: Recording, uri: str) -> Info:
        info = super().info(recording, uri)
        said = self._metadata(recording).get("sample_rate_hz")
        pair = str(said), info.sample_rate
        if said != info.sample_rate and pair not in self.warned:
            self.warned.add(pair)
            assume(
                f"{recording.uri}/metadata.json says sample_rate_hz: {said}, but {uri} has {info.sample_rate} Hz, "
                "which was believed; others that disagree alike are not named"
            )
        return info

    @cached_property
    def opened(self) -> dict[str, dict[str, Any]]:
        """The metadata of each id that was looked at, so that it is read once in a process."""
        return {}

    @cached_property
    def warned(self) -> set[tuple[str, int]]:
        """Sample rates (said, true) in Hz that were warned of."""
        return set()

    def _tables(self) -> list[tuple[str | None, str]]:
        splits = self.splits or self.root
        if splits.endswith((".csv", ".tsv", ".jsonl", ".parquet")):
            return [(None, splits)]
        every: list[tuple[str | None, str]] = [(part, storage.join(splits, name)) for part, name in _PARTS.items()]
        tables = [(part, uri) for part, uri in every if storage.exists(uri)]
        if not tables:
            raise ValueError(
                f"{splits} holds none of {', '.join(_PARTS.values())}; name another folder, or one table, in `splits`"
            )
        return tables

    def _labels(self) -> list[str] | None:
        if self.label_file is None:
            return None
        # A line may hold several, separated by commas: lists written for timm-based speech classifiers do.
        elsewhere = storage.is_remote(self.label_file) or Path(self.label_file).expanduser().is_absolute()
        text = storage.read_text(self.label_file if elsewhere else storage.join(self.root, self.label_file))
        labels = [label.strip() for label in re.split(r"[,\r\n]+", text) if label.strip()]
        if not labels:
            raise ValueError(f"{self.label_file} lists no labels; write one column's name on each line")
        return list(dict.fromkeys(labels))

    def _recording(self, part: str | None, uri: str, row: dict[str, Any], values: dict[str, Any]) -> Recording:
        uid, group = row[self.id_column], row[self.group_column]
        if uid is None or group is None:
            empty = self.id_column if uid is None else self.group_column
            raise ValueError(
                f"{uri}: column {empty!r} is empty in the row {table.some([str(c) for c in row.values()])}; "
                "fill it in, or delete the row"
            )
        try:
            storage.check_id(str(uid))
        except ValueError as error:
            raise ValueError(f"{uri}, column {self.id_column!r}: {error}") from error
        return Recording(
            storage.join(self.root, self.folder, str(uid)), str(uid), {self.group_column: str(group)}, part, values
        )

    def _check_folder(self, uid: str) -> None:
        """One look, so that a misplaced folder is told apart from a missing recording."""
        place = storage.join(self.root, self.folder)
        if not self.folder or storage.is_folder(place):
            return
        if storage.is_folder(storage.join(self.root, uid)):
            raise ValueError(f"there is no folder {place}; {uid} is directly below {self.root}: write `folder: ''`")
        if storage.is_folder(self.root):  # an https server tells of no folders
            raise ValueError(f"there is no folder {place}; `root` and `folder` name where the uids' folders are")

    def _metadata(self, recording: Recording) -> dict[str, Any]:
        if recording.id not in self.opened:
            uri = storage.join(recording.uri, "metadata.json")
            try:
                metadata = json.loads(cache.read_text(uri))
            except FileNotFoundError as error:
                raise ValueError(
                    f"{uri} does not exist, though {recording.id!r} is in a table; "
                    + ("add it" if storage.is_folder(recording.uri) else f"there is no folder {recording.uri}")
                ) from error
            except (json.JSONDecodeError, RecursionError) as error:
                raise ValueError(
                    f"{uri} cannot be read as JSON ({error}); correct it there, or write it anew"
                ) from error
            if not isinstance(metadata, dict):
                raise ValueError(
                    f'{uri} holds no JSON object; it must be one like {{"encoding": "WAV", "sample_rate_hz": 16000}}'
                )
            self.opened[recording.id] = metadata
        return self.opened[recording.id]
