"""What of a table is predicted: names, grouped by classifier, codes for unknown, thresholds, and what is derived."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..component import did_you_mean
from .expression import Expression

_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,128}")


@dataclass(frozen=True)
class Labels:
    """Labels as a speech folder is told of them."""

    groups: tuple[tuple[str, ...], ...]
    """The labels that one classifier answers together, for each classifier; empty where no label file says them."""
    derived: Mapping[str, Expression]
    unknown: frozenset[float | str]
    above: Mapping[str, float]
    """The number above which a label is 1, by label."""
    coded: frozenset[str]
    """The columns in which codes mean unknown."""
    file: str | None = None

    @classmethod
    def of(
        cls,
        derived: Mapping[str, str],
        unknown: tuple[float | str, ...],
        above: float | Mapping[str, float] | None,
        file: str | None,
        text: str | None = None,
    ) -> "Labels":
        """From what a configuration says, and the label file's text where it was read.

        Raises:
            ValueError: a name that is none, a formula that is none, a threshold for no label, or an empty file.
        """
        formulas = {_checked(name, "derived"): Expression.read(formula) for name, formula in derived.items()}
        for name, formula in formulas.items():
            if name in formula.columns:
                raise ValueError(f"derived: {name!r} is made of a column of its own name; give it another name")
            if not formula.columns:
                raise ValueError(f"derived: {name!r} names no column; put the columns' names in quotes")
        if above is not None and not isinstance(above, Mapping) and file is None:
            raise ValueError("positive_above: is for the labels of a `label_file`; name that, or give one by label")
        if unknown and file is None and not formulas and not isinstance(above, Mapping):
            raise ValueError("unknown: is for labels; name them in a `label_file`, in `derived` or `positive_above`")
        groups = _groups(file, text) if file is not None and text is not None else ()
        listed = [name for group in groups for name in group]
        groups += tuple((name,) for name in formulas if groups and name not in listed)
        own = above if isinstance(above, Mapping) else {}
        if text is not None and (lost := [name for name in own if name not in listed]):
            raise ValueError(
                f"positive_above: {lost[0]!r} is not in {file}, which lists {', '.join(listed)}"
                f"{did_you_mean(lost[0], listed)}"
            )
        if isinstance(above, int | float):
            own = {name: float(above) for name in listed if name not in formulas}
        columns = {column for formula in formulas.values() for column in formula.columns}
        return cls(groups, formulas, frozenset(unknown), own, frozenset({*listed, *own, *columns}), file)

    def require(self, header: list[str], uri: str) -> None:
        """Refuse a table without a column that a label is, or is made of.

        Raises:
            ValueError: the table, the column, and those that it has.
        """
        named = {name: self.file for group in self.groups for name in group if name not in self.derived}
        named |= {c: f"derived label {name!r}" for name, of in self.derived.items() for c in of.columns}
        named |= {name: "positive_above" for name in self.above if name not in named}
        for name, where in named.items():
            if name not in header:
                says = "lists" if where == self.file else "names"
                raise ValueError(
                    f"{uri} has no column {name!r}, which {where} {says}; correct that, or add the column to those "
                    f"that it has: {', '.join(header)}{did_you_mean(name, header)}"
                )
        for name in self.derived:
            if name in header:
                raise ValueError(f"{uri} has a column {name!r} already, which `derived` would make; rename one of them")

    def read(self, cells: Mapping[str, Any], where: str) -> dict[str, Any]:
        """What is known of a recording, from the cells of its row that are `known`.

        Raises:
            ValueError: a threshold or a formula meets a text; `where` names the row.
        """
        found = dict(cells)
        for name, bound in self.above.items():
            if name in cells:
                found[name] = int(_number(cells[name], name, where) > bound)
        for name, formula in self.derived.items():
            numbers = {c: _number(cells[c], c, where) for c in formula.columns if c in cells}
            value = formula.value(numbers)
            if value is not None:
                found[name] = int(value) if value == int(value) else value
        return found

    def known(self, column: str, cells: list[Any]) -> list[Any]:
        """The cells of a column, None for what means unknown: a word or a number, however the table writes it."""
        if column not in self.coded or not self.unknown:
            return cells
        return [None if cell is None or self._means_unknown(cell) else cell for cell in cells]

    def _means_unknown(self, cell: Any) -> bool:
        if cell in self.unknown or str(cell) in self.unknown:
            return True
        try:  # of a CSV, whose cells are texts
            return float(str(cell).replace(",", ".")) in self.unknown
        except ValueError:
            return False


def _groups(file: str, text: str) -> tuple[tuple[str, ...], ...]:
    """The lines of a label file, and the labels of each, separated by commas."""
    lines = [[name.strip() for name in line.split(",")] for line in text.splitlines()]
    groups = tuple(tuple(_checked(name, file) for name in line if name) for line in lines if any(line))
    if not groups:
        raise ValueError(f"{file} lists no labels; write one column's name on each line")
    names = [name for group in groups for name in group]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{file} lists {twice!r} twice; take one out")
    return groups


def _checked(name: str, where: str) -> str:
    if not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(
            f"{where}: {name[:60]!r} is no name of a label: it may hold no slash, '..' or control character"
        )
    return name


def _number(cell: Any, column: str, where: str) -> float:
    if isinstance(cell, str) or not isinstance(cell, int | float):
        raise ValueError(f"{where}: column {column!r} is {cell!r}, no number; correct it, or add it to `unknown`")
    return float(cell)
