"""Tables of what is known: CSV, JSONL or parquet -> one dictionary a row; None where a cell is empty."""

import csv
import io
import json
import math
import re
from collections.abc import Iterable
from typing import Any

from ..component import assume, did_you_mean
from . import cache

Rows = list[dict[str, Any]]

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
"""How the names of tables end, in small letters."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CODE = re.compile(r"[+-]?0\d")  # 007 is a name, not a number
_NOTHING = {"na", "n/a", "nan", "null", "none"}


def read(uri: str) -> Rows:
    """The rows of a table at a path or URI, by its suffix: `.csv`, `.tsv`, `.jsonl` or `.parquet`.

    The cells of a CSV stay text (`numbers` converts a column). A byte order mark is dropped; a separator other than
    the suffix promises is found, and warned of.

    Raises:
        ValueError: the file, the line and what is wrong with it.
        OSError: the file cannot be read.
    """
    suffix = uri.rsplit(".", 1)[-1].lower()
    if suffix in ("csv", "tsv"):
        rows = _separated(uri, "\t" if suffix == "tsv" else ",")
    elif suffix == "jsonl":
        rows = _json_lines(uri)
    elif suffix == "parquet":
        rows = _parquet(uri)
    else:
        raise ValueError(f"{uri} is no table that can be read: its name must end in .csv, .tsv, .jsonl or .parquet")
    if not rows:
        raise ValueError(f"{uri} holds no rows; add one for each recording")
    return rows


def require(rows: Rows, columns: Iterable[str], uri: str) -> None:
    """Refuse a table in which a column is missing.

    Raises:
        ValueError: the file, the column, and the columns that exist.
    """
    there = list(rows[0])
    for column in columns:
        if column not in there:
            raise ValueError(
                f"{uri} has no column {column!r}; add it, or name one of those that it has: {', '.join(there)}"
                f"{did_you_mean(column, there)}"
            )


def numbers(cells: list[Any], what: str) -> list[Any]:
    """The cells of one column, as numbers where every text in it reads as one; else as they are.

    Whole numbers are integers, so that a class `3` stays `3`. Words like `NA` among numbers are unknown, and commas
    are decimal ones where that alone makes numbers of the column; both are warned of.

    Args:
        what: the column's name and file, for messages.

    Raises:
        ValueError: a number is beyond what a float holds.
    """
    told = [c for c in cells if c is not None]
    if not told or not all(isinstance(c, str) for c in told):
        return cells
    known = set(told)
    words = {c for c in known if c.lower() in _NOTHING}
    texts = known - words
    decimal = {c for c in texts if "," in c}
    points = [c.replace(",", ".") for c in texts]
    if not texts or not all(_NUMBER.fullmatch(p) and not _CODE.match(p) for p in points):
        return cells
    if decimal:
        assume(f"{what}: the comma in {min(decimal)!r} was taken as a decimal one; write a point to be sure")
    if words:
        assume(
            f"{what}: {', '.join(sorted(words))} among numbers was taken as unknown; leave the cell empty to be sure"
        )
    vast = [c for c, p in zip(texts, points, strict=True) if not math.isfinite(float(p))]
    if vast:
        raise ValueError(f"{what}: {min(vast)[:40]} is too large for a number; correct it")
    kind = int if all(re.fullmatch(r"[+-]?\d+", p) for p in points) else float
    return [None if c is None or c in words else kind(c.replace(",", ".")) for c in cells]


def some(names: list[str], most: int = 10) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _separated(uri: str, usual: str) -> Rows:
    text = cache.read_text(uri)
    header: list[str] = []
    rows: Rows = []
    try:
        separator = _separator(text, usual)
        if separator != usual:
            assume(f"{uri} was read with {separator!r} between its columns, not {usual!r}; save it so to be sure")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        for cells in reader:
            if not cells:
                continue
            if not header:
                header = _header([c.strip() for c in cells], uri)
                continue
            if len(cells) != len(header):
                raise ValueError(
                    f"{uri}, line {reader.line_num}: {len(cells)} cells where the header has {len(header)} columns; "
                    f"complete the row, or put quotes around a cell with {separator!r} in it"
                )
            rows.append({name: c.strip() or None for name, c in zip(header, cells, strict=True) if name})
    except csv.Error as error:
        raise ValueError(f"{uri} is no valid CSV ({error}); look for a quote that is never closed") from error
    if not header:
        raise ValueError(f"{uri} is empty; its first line must name the columns")
    return rows


def _separator(text: str, usual: str) -> str:
    def columns(separator: str) -> int:
        return len(
            next((cells for cells in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if cells), [])
        )

    return max((usual, ",", ";", "\t", "|"), key=columns)


def _header(names: list[str], uri: str) -> list[str]:
    if names.count("") == 1 and len(names) > 1:
        assume(f"{uri}: column {names.index('') + 1} has no name and was left out; name it to keep it")
    elif "" in names:
        raise ValueError(f"{uri}: {names.count('')} columns have no name; name them in the first line")
    _refuse_twice(names, uri)
    return names


def _refuse_twice(names: list[str], uri: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{uri}: more than one column is called {', '.join(map(repr, twice))}; rename all but one")


def _json_lines(uri: str) -> Rows:
    found: Rows = []
    objects: list[list[str]] = []

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        objects.append([name for name, _ in pairs])
        return dict(pairs)

    # JSON holds no bare line break, but its texts may hold U+2028, at which splitlines would break.
    for number, line in enumerate(cache.read_text(uri).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=object_of)
        except (ValueError, RecursionError) as error:  # ValueError of a number of thousands of digits
            raise ValueError(f"{uri}, line {number} is no valid JSON: {error}") from error
        while objects:
            _refuse_twice(objects.pop(), f"{uri}, line {number}")
        if not isinstance(row, dict):
            raise ValueError(f'{uri}, line {number} must be an object like {{"path": ...}}, not {line.strip()[:40]}')
        found.append(row)
    names = dict.fromkeys(name for row in found for name in row)
    return [{name: None if row.get(name) == "" else row.get(name) for name in names} for row in found]


def of_parquet(data: bytes, uri: str) -> Rows:
    """The rows that the bytes of a parquet file, called `uri` in messages, hold.

    Raises:
        ValueError: they are none.
    """
    from pyarrow import ArrowException, parquet  # half a second, which a CSV need not wait for

    try:
        table = parquet.ParquetFile(io.BytesIO(data)).read()
        rows = table.to_pylist()
    except (ArrowException, OSError, ValueError) as error:  # OSError of bytes in memory: they are damaged
        raise ValueError(f"{uri} is no valid parquet file: {error}") from error
    _refuse_twice(table.column_names, uri)
    return rows


def _parquet(uri: str) -> Rows:
    rows = of_parquet(cache.read_bytes(uri), uri)
    return [{name: None if cell == "" else cell for name, cell in row.items()} for row in rows]
