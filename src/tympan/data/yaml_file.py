"""YAML or JSON -> plain values and the place of each; what would run code, fill memory or take long is refused.

ruamel.yaml reads the events; values are made of them here, since its own constructors run tags, take minutes for merge
keys, and know no bounds.
"""

import copy
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.nodes import ScalarNode

MOST_VALUES = 10_000
"""Values and keys that a file may hold, those that aliases repeat included."""
DEEPEST = 100
"""Lists and mappings within each other."""
LARGEST_NUMBER = 1 << 64

Place = tuple[str | int, ...]
"""Where a value is: the keys and indices that lead to it."""


def read(text: str, name: str) -> tuple[Any, dict[Place, str]]:
    """Mappings, lists, texts, numbers, truths and None; and where each was written, as `name:line:column`.

    Raises:
        ValueError: one line that begins with the place: it is no YAML 1.2, has tags, too many values, or too deep ones.
    """
    reader = _Reader(text, name)
    try:
        value = reader.document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context).split("\n")[0]
        raise ValueError(f"{reader.at(mark)}: is not valid YAML: {problem}") from error
    except YAMLError as error:  # a character that no text has
        before = text[: getattr(error, "position", 0)].split("\n")
        where = f"{name}:{len(before)}:{len(before[-1]) + 1}"
        raise ValueError(f"{where}: is not valid YAML: {str(error).splitlines()[0]}") from error
    return value, reader.places


class _Reader:
    def __init__(self, text: str, name: str) -> None:
        yaml = YAML(typ="safe", pure=True)
        yaml.version = (1, 2)
        self.name, self.resolver, self.constructor = name, yaml.resolver, yaml.constructor
        self.events: Iterator[Any] = yaml.parse(text)
        self.places: dict[Place, str] = {}
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.values = 0

    def at(self, mark: Any) -> str:
        return f"{self.name}:{mark.line + 1}:{mark.column + 1}" if mark else self.name

    def refused(self, event: Any, why: str) -> ValueError:
        return ValueError(f"{self.at(event.start_mark)}: {why}")

    def document(self) -> Any:
        next(self.events)  # the stream begins
        event = next(self.events)
        if isinstance(event, StreamEndEvent):
            return None
        value = self.value(next(self.events), ())
        next(self.events)  # the document ends
        event = next(self.events)
        if not isinstance(event, StreamEndEvent):
            raise self.refused(event, "another document begins; write one")
        return value

    def value(self, event: Any, loc: Place) -> Any:
        before = self.values
        self.values += 1
        if isinstance(event, AliasEvent):
            if event.anchor not in self.anchors:
                raise self.refused(event, f"*{event.anchor} has no anchor before it")
            self.values += self.anchors[event.anchor][1]
        if self.values > MOST_VALUES:
            raise self.refused(event, f"more than {MOST_VALUES} values; are there aliases of aliases?")
        if len(loc) > DEEPEST:
            raise self.refused(event, f"more than {DEEPEST} lists and mappings within each other")
        if isinstance(event, AliasEvent):
            return copy.deepcopy(self.anchors[event.anchor][0])
        if event.tag is not None:
            raise self.refused(event, "tags (!) are not read; write plain values")
        if isinstance(event, ScalarEvent):
            value = self.scalar(event)
        elif isinstance(event, SequenceStartEvent):
            value = self.sequence(loc)
        else:
            value = self.mapping(loc)
        if event.anchor is not None:
            self.anchors[event.anchor] = value, self.values - before
        return value

    def sequence(self, loc: Place) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            here = (*loc, len(values))
            self.places[here] = self.at(event.start_mark)
            values.append(self.value(event, here))
        return values

    def mapping(self, loc: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        while not isinstance(event := next(self.events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise self.refused(event, "a key is one word; put it in quotes if it is meant")
            if event.tag is not None:
                raise self.refused(event, "tags (!) are not read; write plain values")
            self.values += 1
            key, here = event.value, (*loc, event.value)
            if key == "<<" and event.implicit[0]:
                more = self.value(next(self.events), here)
                merged += more if isinstance(more, list) else [more]
                if not all(isinstance(each, dict) for each in merged):
                    raise self.refused(event, "<< takes a mapping, or a list of them")
                continue
            if key in values:
                raise self.refused(event, f'duplicate key "{key[:80]}"')
            self.places[here] = self.at(event.start_mark)
            values[key] = self.value(next(self.events), here)
        for each in merged:
            values = {**each, **values}
        return values

    def scalar(self, event: ScalarEvent) -> Any:
        tag = self.resolver.resolve(ScalarNode, event.value, event.implicit)
        kind = str(tag).rpartition(":")[2]
        try:
            # Of JSON's \u escapes, two may be the halves of one character.
            text = event.value.encode("utf-16", "surrogatepass").decode("utf-16")
            if kind not in ("null", "bool", "int", "float"):
                return text
            value = self.constructor.construct_object(ScalarNode(tag, event.value))
        except ValueError as error:
            raise self.refused(event, f"{event.value[:40]!r} is neither a text nor a number; correct it") from error
        if kind == "int" and abs(value) > LARGEST_NUMBER:
            raise self.refused(event, f"{event.value[:40]} is too large for a number; correct it")
        return value
