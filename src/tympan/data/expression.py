"""Small expressions over the columns of a table, which make a label of several: read and evaluated here, never run."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Known = float | None
"""A number, 1 for true and 0 for false, or `None` for unknown."""
_Value = Callable[[Mapping[str, Any]], Any]

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*|\.\d+)|(\"[^\"]*\"|'[^']*')|([A-Za-z_]\w*)|(<=|>=|==|!=|[-+*/()\[\],<>]))")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
_COMPUTE: dict[str, Callable[[float, float], float | None]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else None,
}
_DEEPEST = 20


def _either(values: list[Known]) -> Known:
    """Kleene's or: true where one is, false where all are, else unknown."""
    return 1.0 if any(v for v in values if v is not None) else None if None in values else 0.0


def _all(values: list[Known]) -> Known:
    return 0.0 if any(v == 0 for v in values) else None if None in values else 1.0


def _above(values: list[Known], bound: Known) -> list[Known]:
    return [None if v is None or bound is None else float(v > bound) for v in values]


def _of_all(combine: Callable[[list[float]], float]) -> Callable[[list[Known]], Known]:
    return lambda values: None if None in values or not values else combine([v for v in values if v is not None])


_COUNTED: dict[str, Callable[[list[Known], Known], Known]] = {
    "any_above": lambda values, bound: _either(_above(values, bound)),
    "all_above": lambda values, bound: _all(_above(values, bound)),
    "count_above": lambda values, bound: _of_all(sum)(_above(values, bound)),
}
_COMBINED: dict[str, Callable[[list[Known]], Known]] = {
    "max": _of_all(max),
    "min": _of_all(min),
    "mean": _of_all(lambda values: sum(values) / len(values)),
    "sum": _of_all(sum),
    "known": lambda values: float(None not in values),
}
FUNCTIONS = (*_COUNTED, *_COMBINED)


@dataclass(frozen=True)
class Expression:
    """A formula over columns, such as `any_above(["distorted Cs", "distorted V"], 0)` or `"rating" > 1 and not "ill"`.

    Columns are in quotes. There are numbers, `+ - * /`, comparisons, `and`, `or`, `not`, brackets, and the functions
    `any_above`, `all_above` and `count_above` of a list and a bound, `max`, `min`, `mean`, `sum` and `known` of a list.
    What depends on an unknown cell is unknown, but `or`, `and`, `any_above` and `all_above` are known where the others
    decide (Kleene's logic).
    """

    text: str
    columns: tuple[str, ...]
    value: _Value
    """The cells of a row by column -> a number, or `None` where it is unknown."""

    @classmethod
    def read(cls, text: str) -> "Expression":
        """Read a formula.

        Raises:
            ValueError: it is none, with the place and what was expected.
        """
        reader = _Reader(text)
        value = reader.disjunction()
        if reader.kind != "end":
            raise reader.wrong("the end, or and, or, a comparison or an operation")
        return cls(text, tuple(dict.fromkeys(reader.columns)), value)


class _Reader:
    """A formula, token by token; one method for each rank of operations."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.columns: list[str] = []
        self.kind = self.token = ""
        self.next()

    def wrong(self, wanted: str) -> ValueError:
        found = "its end" if self.kind == "end" else repr(self.token)
        return ValueError(f"the formula {self.text!r} has {found} where {wanted} should be (character {self.at})")

    def next(self) -> str:
        """Step to the next token; the one that is left behind."""
        token = self.token
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            self.kind, self.token = ("end", "") if not self.text[self.at :].strip() else ("?", self.text[self.at :])
            return token
        self.at = match.end()
        self.kind = ("number", "column", "word", "sign")[(match.lastindex or 1) - 1]
        self.token = match[match.lastindex or 1]
        return token

    def take(self, *tokens: str) -> str:
        """The token, where it is one of these; else nothing."""
        return self.next() if self.kind in ("word", "sign") and self.token in tokens else ""

    def need(self, token: str) -> None:
        if not self.take(token):
            raise self.wrong(repr(token))

    def disjunction(self) -> _Value:
        return self._several("or", self._conjunction, _either)

    def _conjunction(self) -> _Value:
        return self._several("and", self._negation, _all)

    def _several(self, word: str, part: Callable[[], _Value], combine: Callable[[list[Known]], Known]) -> _Value:
        parts = [part()]
        while self.take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else lambda row: combine([p(row) for p in parts])

    def _negation(self) -> _Value:
        if self.take("not"):
            inner = self._deeper(self._negation)
            return lambda row: None if (v := inner(row)) is None else float(not v)
        left = self._sum()
        sign = self.take(*_COMPARE)
        return _both(left, self._sum(), _COMPARE[sign]) if sign else left

    def _sum(self) -> _Value:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._factor))

    def _chain(self, signs: tuple[str, ...], part: Callable[[], _Value]) -> _Value:
        value = part()
        while sign := self.take(*signs):
            value = _both(value, part(), _COMPUTE[sign])
        return value

    def _factor(self) -> _Value:
        if self.take("-"):
            inner = self._deeper(self._factor)
            return lambda row: None if (v := inner(row)) is None else -v
        if self.take("("):
            inner = self._deeper(self.disjunction)
            self.need(")")
            return inner
        if self.kind == "number":
            number = float(self.next())
            return lambda row: number
        if self.kind == "column":
            column = self.next()[1:-1]
            self.columns.append(column)
            return lambda row: None if (cell := row.get(column)) is None else float(cell)
        if self.kind == "word" and self.token in FUNCTIONS:
            return self._function(self.next())
        raise self.wrong(f"a number, a column in quotes, a bracket or one of {', '.join(FUNCTIONS)}")

    def _function(self, name: str) -> _Value:
        self.need("(")
        self.need("[")
        values = [self._deeper(self._sum)]
        while self.take(","):
            values.append(self._deeper(self._sum))
        self.need("]")
        if name in _COUNTED:
            self.need(",")
            bound = self._sum()
            self.need(")")
            return lambda row: _COUNTED[name]([v(row) for v in values], bound(row))
        self.need(")")
        return lambda row: _COMBINED[name]([v(row) for v in values])

    def _deeper(self, part: Callable[[], _Value]) -> _Value:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ValueError(f"the formula {self.text[:60]!r}… is more than {_DEEPEST} brackets deep")
        value = part()
        self.depth -= 1
        return value


def _both(left: _Value, right: _Value, combine: Callable[[float, float], Any]) -> _Value:
    def value(row: Mapping[str, Any]) -> Known:
        a, b = left(row), right(row)
        if a is None or b is None:
            return None
        answer = combine(a, b)
        return None if answer is None else float(answer)

    return value
