"""Columns of numbers over time, out of the tables that recorders write."""

import csv
import io
import math
import re
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from .component import assume

_WORDS = {"na", "n/a", "null", "none"}
_DECIMAL = re.compile(r"\s*[+-]?\d+(,\d+)?([eE][+-]?\d+)?\s*")


def read(text: str | bytes, where: str, *, header: bool | None = None) -> dict[str, Float[np.ndarray, " frames"]]:
    """The columns of a table of numbers by name, or by place, `"0"`, `"1"`, where it has no header.

    Commas, semicolons and tabs separate columns; a byte order mark and line ends of any kind are taken. An empty cell
    is unknown (NaN), and so is an empty line between those of a single column. Decimal commas, words like `NA`, and the
    two lines with which a raw export of an Empatica E4 begins (its start, its rate) are warned of.

    Args:
        text: the file's content.
        where: the file's name, for messages.
        header: whether its first line names the columns; None is to see for itself, by whether that is all numbers.

    Raises:
        ValueError: the file, the line, what is wrong and what is expected.
    """
    text = _text(text, where)
    plain = _plain(text, header)
    if plain is not None:
        return plain
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{where} is empty; a table of numbers is expected, one line for each frame")
    separator = next((s for s in ";\t," if s in lines[0]), ",")
    decimal = separator != "," and "," in "".join(lines[1:] or lines)
    if separator == "," and _is_decimal(lines):
        separator, decimal = ";", True
    if decimal:
        assume(f"{where}: commas were taken as decimal ones; write points to be sure")
    rows = _rows(text, separator, where)
    begins = all(_number(cell, decimal) is not None for cell in rows[0][1])
    if header is not None and header == begins:
        found = "numbers where names of columns are" if begins else f"{rows[0][1][0]!r} where numbers are"
        fix = "add a line with names" if begins else "delete the line"
        raise ValueError(f"{where}, line {rows[0][0]} has {found} expected; {fix}, or name a file as it should be")
    names = [str(i) for i in range(len(rows[0][1]))] if begins else _names(rows.pop(0)[1], where)
    if not rows:
        raise ValueError(f"{where} has a header and no numbers; add a line for each frame")
    table = _numbers(rows, names, decimal, where)
    if begins and len(table) > 2 and (table[0] > 1e9).all() and ((table[1] > 0) & (table[1] <= 1000)).all():
        assume(
            f"{where}: lines 1 and 2 were taken as the start and the rate ({table[1, 0]:g} Hz) of an Empatica E4 and "
            "left out; delete them to be sure"
        )
        table = table[2:]
    return {name: table[:, i] for i, name in enumerate(names) if name}


def check_time(times: Float[np.ndarray, " frames"], rate: float, where: str) -> tuple[str, ...]:
    """What is wrong with a column of times (s), against a rate (Hz) that is claimed for it.

    Times that are missing, there twice or not in order; a start other than at 0; another rate; a frame more than half
    of one away from its place.
    """
    if np.isnan(times).any():
        return (f"{where}: {int(np.isnan(times).sum())} of {len(times)} times are missing; write each",)
    problems, steps = [], np.diff(times)
    for bad, what in ((steps == 0, "is there twice"), (steps < 0, "is earlier than the one before")):
        if bad.any():
            others = f", as are {bad.sum() - 1} more" if bad.sum() > 1 else ""
            problems.append(f"{where}: the time {times[1:][bad][0]:g} s {what}{others}; sort them, each once")
    if len(times) and abs(times[0]) > max(1 / rate, 0.1):
        problems.append(f"{where}: times begin at {times[0]:g} s, not at 0; cut the signal as the sound is cut")
    since = times - times[:1]
    off = np.abs(since - np.arange(len(times)) / rate) * rate > 0.5
    if off.any() and (steps > 0).all():
        actual = (len(times) - 1) / since[-1]
        even = (np.abs(since - np.arange(len(times)) / actual) * actual <= 0.5).all()
        if even and steps.max() < 1.5 * np.median(steps):
            hint = " (are they milliseconds?)" if abs(actual * 1000 / rate - 1) < 0.01 else ""
            problems.append(f"{where}: times tell of {actual:.6g} Hz{hint}, not of {rate:g} Hz; correct one of the two")
        else:
            problems.append(
                f"{where}: times are not uniform: {steps.min():.3g} to {steps.max():.3g} s apart, and more than half a "
                f"frame away from {rate:g} Hz at {times[off][0]:g} s; resample, or leave cells empty where frames miss"
            )
    return tuple(problems)


def _text(text: str | bytes, where: str) -> str:
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{where} is not UTF-8 text (byte {error.start + 1}); save it again as UTF-8") from error
    return text.removeprefix("\ufeff")


def _plain(text: str, header: bool | None) -> dict[str, Float[np.ndarray, " frames"]] | None:
    """The columns of a table without any peculiarity, read ten times as fast; None where there may be one."""
    text = text.replace("\r\n", "\n").strip("\n")
    names = [cell.strip() for cell in text.partition("\n")[0].split(",")]
    numbers = all(_number(name, False) is not None for name in names)
    if header == numbers or any(mark in text for mark in (";", "\t", '"', "\r", "\n\n")):
        return None
    if (numbers and len(names) > 1) or not all(names) or len(set(names)) < len(names):
        return None
    try:
        rows = io.StringIO(text if numbers else text.partition("\n")[2])
        table = np.loadtxt(rows, delimiter=",", comments=None, ndmin=2) if text.count("\n") else np.empty((0, 0))
    except ValueError:
        return None
    if table.shape[1] != len(names) or np.isinf(table).any() or (numbers and table[0, 0] > 1e9):
        return None
    return {str(i) if numbers else name: column for i, (name, column) in enumerate(zip(names, table.T, strict=True))}


def _is_decimal(lines: list[str]) -> bool:
    """Whether commas are decimal ones, in lines of one number each, and not between an index and whole numbers."""
    data = lines[1:] if len(lines) > 1 and not _DECIMAL.fullmatch(lines[0]) else lines
    if not all(_DECIMAL.fullmatch(line) for line in data) or not any("," in line for line in data):
        return False
    if len(data) < len(lines):
        return "," not in lines[0]
    whole = [float(line.split(",")[0]) for line in data]
    return len(whole) > 1 and not all(a < b for a, b in pairwise(whole))


def _rows(text: str, separator: str, where: str) -> list[tuple[int, list[str]]]:
    """The cells of every line, with its number; an empty line between others is one empty cell, if so are all."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in cells] or [""]) for cells in reader]
    except csv.Error as error:
        raise ValueError(f"{where}, line {reader.line_num} is no valid CSV: {error}") from error
    if not any(any(cells) for _, cells in rows):
        raise ValueError(f"{where} has only empty cells; fill it in, or take it away")
    single = all(len(cells) == 1 for _, cells in rows)
    first = next(i for i, (_, cells) in enumerate(rows) if any(cells))
    last = max(i for i, (_, cells) in enumerate(rows) if any(cells))
    return [row for row in rows[first : last + 1] if single or row[1] != [""]]


def _names(names: list[str], where: str) -> list[str]:
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise ValueError(f"{where}: more than one column is called {', '.join(map(repr, twice))}; rename all but one")
    if "" in names:
        assume(f"{where}: column {names.index('') + 1} has no name and was left out; name it to keep it")
    return names


def _numbers(
    rows: list[tuple[int, list[str]]], names: list[str], decimal: bool, where: str
) -> Float[np.ndarray, "frames columns"]:
    table = np.empty((len(rows), len(names)))
    for i, (line, cells) in enumerate(rows):
        if len(cells) != len(names):
            raise ValueError(
                f"{where}, line {line}: {len(cells)} cells where {len(names)} are expected; complete it, and if commas "
                "are decimal ones, put semicolons between the columns"
            )
        values = [_number(cell, decimal) for cell in cells]
        if None in values:
            cell = cells[values.index(None)]
            raise ValueError(f"{where}, line {line}: {cell[:40]!r} is no number; correct it, or leave the cell empty")
        table[i] = values
    if any(cell.lower() in _WORDS for _, cells in rows for cell in cells):
        assume(f"{where}: words like NA among numbers were taken as unknown; leave the cells empty to be sure")
    return table


def _number(cell: str, decimal: bool) -> float | None:
    if not cell or cell.lower() in _WORDS:
        return math.nan
    try:
        value = float(cell.replace(",", ".") if decimal else cell)
    except ValueError:
        return None
    return None if math.isinf(value) or "_" in cell else value
