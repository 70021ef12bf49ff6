"""Any table with one row for each recording: a CSV, JSONL or parquet file with a column of paths."""

import posixpath
from typing import Any
from urllib.parse import urlsplit

from ...addresses import without_secrets
from .. import storage, table
from ..recordings import Recording, Recordings

_PARTS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


class Manifest(Recordings):
    """A table whose rows name audio files and what is known of them.

    A path is relative to the table's folder, and may not lead out of it. An absolute path or a URI is taken too where
    the table is a local file, which is the user's own; a table in an object store may only name its own bucket.
    """

    path: str
    """Path or URI of the table: .csv, .tsv, .jsonl or .parquet."""
    path_column: str = "path"
    """The column with each recording's path."""
    columns: list[str] | dict[str, str] | None = None
    """The columns with what is known, or a name for each of them: `{size: diameter_m}`; by default all others."""
    group_column: str | None = None
    """The column whose groups (subject, drum, song) no split may divide; by default every recording is its own."""
    id_column: str | None = None
    """The column with each recording's unique name; by default its path."""
    part_column: str | None = None
    """The column that says train, validation (val) or test; empty where a split is to be drawn."""
    value_units: dict[str, str] = {}
    """The unit of each value by its name, where it has one."""
    people: bool | None = None
    """Whether the recordings are of people, whose ids and voices a report does not show unless `logging.show_ids` says
    so; by default it is so where the group column is called subject, speaker, participant, patient or the like."""

    @property
    def group(self) -> str | None:
        return self.group_column

    @property
    def of_people(self) -> bool:
        return super().of_people if self.people is None else self.people

    @property
    def units(self) -> dict[str, str]:
        return self.value_units

    @property
    def place(self) -> str:
        return self.path

    def recordings(self) -> list[Recording]:
        rows = table.read(self.path)
        special = {self.path_column, self.group_column, self.id_column, self.part_column} - {None}
        columns = self.columns
        if columns is None:
            columns = [name for name in rows[0] if name not in special]
        if not isinstance(columns, dict):
            columns = {name: name for name in columns}
        table.require(rows, [*(str(name) for name in special), *columns.values()], self.path)
        cells = {
            name: table.numbers([row[column] for row in rows], f"column {column!r} of {self.path}")
            for name, column in columns.items()
        }
        return [
            self._recording(row, {name: column[i] for name, column in cells.items() if column[i] is not None})
            for i, row in enumerate(rows)
        ]

    def _recording(self, row: dict[str, Any], values: dict[str, Any]) -> Recording:
        for column in (self.path_column, self.group_column, self.id_column):
            if column and row[column] is None:
                raise ValueError(
                    f"{self.path}: column {column!r} is empty in the row {table.some(list(map(str, row.values())))}; "
                    "fill it in, or delete the row"
                )
        path = str(row[self.path_column])
        groups = {self.group_column: str(row[self.group_column])} if self.group_column else {}
        part = row[self.part_column] if self.part_column else None
        if part is not None and part not in _PARTS:
            raise ValueError(
                f"{self.path}, column {self.part_column!r}: {part!r} is no part of a split; one of: {', '.join(_PARTS)}"
            )
        id = str(row[self.id_column]) if self.id_column else path
        return Recording(self._place(path), id, groups, part and _PARTS[part], values)

    def _place(self, path: str) -> str:
        try:
            without_secrets(path)  # which becomes an id, and part of a run's folder
            if "://" not in path and not path.startswith("/"):
                return storage.join(posixpath.dirname(self.path), path)
            if not storage.is_remote(self.path) or urlsplit(path)[:2] == urlsplit(self.path)[:2]:
                return path
            raise ValueError(
                f"{path!r} is outside of the table's own bucket; save the table as a local file if you trust it"
            )
        except ValueError as error:
            raise ValueError(f"{self.path}, column {self.path_column!r}: {error}") from error
