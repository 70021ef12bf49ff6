"""Utterances in one folder each, with tables of labels: `recordings/<uid>/waveform.wav`, `train.csv`, `test.csv`."""

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import field_validator, model_validator

from ...component import assume
from .. import cache, once, storage, table
from ..audio import Info
from ..labels import Labels
from ..recordings import Recording, Recordings

_PARTS = {"train.csv": "train", "val.csv": "validation", "validation.csv": "validation", "test.csv": "test"}


class SpeechFolder(Recordings):
    """One folder for each utterance, on disk or in a bucket, and a CSV of labels for each part of the split.

        root/recordings/<uid>/waveform.<ext>    <ext> is the `encoding` of metadata.json in small letters
        root/recordings/<uid>/metadata.json     {"encoding": "WAV", "sample_rate_hz": 16000, ...}
        root/train.csv, root/test.csv           one row for each uid; val.csv or validation.csv, if it is not drawn

    An empty cell is unknown. What a uid's folder holds is only looked at when its sound is wanted.
    """

    root: str
    """Path or URI of the folder."""
    study: str | None = None
    """The folder below the root that is meant, where the root holds several such folders."""
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
    """A text that lists the columns to predict, one a line: a URI, or a path, relative to the root. Several on one
    line, with commas between them, are answered by one classifier. All other columns are known, and not predicted."""
    derived: dict[str, str] = {}
    """Labels that are made of columns, by name: `any_above(["distorted Cs", "distorted V"], 0)`. They see ratings as
    they are in the table, but for unknown codes."""
    unknown: tuple[float | str, ...] = ()
    """Cells of labels, and of the columns that labels are made of, that mean that nothing is known: `[-1, 6]`."""
    positive_above: float | dict[str, float] | None = None
    """The labels of the label file become 1 where they are above this number and 0 where they are not; or each label
    by its own number. Derived labels are not changed."""

    @field_validator("study")
    @classmethod
    def _one_folder(cls, study: str | None) -> str | None:
        return study if study is None else storage.check_id(study)

    @model_validator(mode="after")
    def _labels_are_told(self) -> "SpeechFolder":
        Labels.of(self.derived, self.unknown, self.positive_above, self.label_file)
        return self

    @property
    def group(self) -> str | None:
        return self.group_column

    @property
    def of_people(self) -> bool:
        return True

    @property
    def place(self) -> str:
        """The folder itself, which is the study's."""
        return storage.join(self.root, self.study) if self.study else self.root

    @property
    def distinct(self) -> bool:
        return True

    @property
    def label_groups(self) -> tuple[tuple[str, ...], ...]:
        return self.labels.groups

    @cached_property
    def labels(self) -> Labels:
        """What is predicted, and how it is read."""
        text = None if self.label_file is None else cache.read_text(self._beside(self.label_file))
        return Labels.of(self.derived, self.unknown, self.positive_above, self.label_file, text)

    def recordings(self) -> list[Recording]:
        tables = {uri: (part, table.read(uri)) for part, uri in self._tables()}
        for uri, (_, rows) in tables.items():
            table.require(rows, [self.id_column, self.group_column], uri)
        own = {
            uri: [n for n in rows[0] if n not in (self.id_column, self.group_column)]
            for uri, (_, rows) in tables.items()
        }
        for uri, header in own.items():
            self.labels.require(header, uri)
        names = list(dict.fromkeys(name for header in own.values() for name in header))
        flat = [(part, uri, row) for uri, (part, rows) in tables.items() for row in rows]
        cells = {n: table.numbers([row.get(n) for *_, row in flat], f"column {n!r} of {self.place}") for n in names}
        found = []
        for i, (part, uri, row) in enumerate(flat):
            told = {n: own[i] for n, own in cells.items() if own[i] is not None}
            found.append(self._recording(part, uri, row, self.labels.read(told, f"{uri}, {row[self.id_column]}")))
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
        splits = self.splits or self.place
        if splits.lower().endswith((".csv", ".tsv", ".jsonl", ".parquet")):
            return [(None, splits)]
        there = {name: uri for name in _PARTS if once.exists(uri := storage.join(splits, name))}
        if not there:
            raise ValueError(
                f"{splits} holds none of {', '.join(_PARTS)}; name another folder, or one table, in `splits`"
            )
        if {"val.csv", "validation.csv"} <= there.keys():
            raise ValueError(
                f"{splits} holds val.csv and validation.csv, which are one part; delete one, or merge them"
            )
        return [(_PARTS[name], uri) for name, uri in there.items()]

    def _beside(self, path: str) -> str:
        """A URI or an absolute path as it is; else below the folder."""
        elsewhere = storage.is_remote(path) or Path(path).expanduser().is_absolute()
        return path if elsewhere else storage.join(self.place, path)

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
            storage.join(self.place, self.folder, str(uid)), str(uid), {self.group_column: str(group)}, part, values
        )

    def _check_folder(self, uid: str) -> None:
        """One look, so that a misplaced folder is told apart from a missing recording."""
        place = storage.join(self.place, self.folder)
        if not self.folder or storage.is_remote(place) or storage.is_folder(place):
            return  # a bucket is not listed for it: what is not there is told where its sound is wanted
        if storage.is_folder(storage.join(self.place, uid)):
            raise ValueError(f"there is no folder {place}; {uid} is directly below {self.place}: write `folder: ''`")
        if storage.is_folder(self.place):  # an https server tells of no folders
            raise ValueError(f"there is no folder {place}; `root` and `folder` name where the uids' folders are")

    def _metadata(self, recording: Recording) -> dict[str, Any]:
        if recording.id not in self.opened:
            uri = storage.join(recording.uri, "metadata.json")
            try:
                text = cache.read_text(uri)
            except FileNotFoundError as error:
                raise ValueError(
                    f"{uri} does not exist, though {recording.id!r} is in a table; "
                    + ("add it" if storage.is_folder(recording.uri) else f"there is no folder {recording.uri}")
                ) from error
            try:
                metadata = json.loads(text)
            except (ValueError, RecursionError) as error:  # ValueError of a number of thousands of digits
                raise ValueError(
                    f"{uri} cannot be read as JSON ({error}); correct it there, or write it anew"
                ) from error
            if not isinstance(metadata, dict):
                raise ValueError(
                    f'{uri} holds no JSON object; it must be one like {{"encoding": "WAV", "sample_rate_hz": 16000}}'
                )
            self.opened[recording.id] = metadata
        return self.opened[recording.id]
