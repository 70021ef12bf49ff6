"""Typed, frozen choices of a configuration, found by file name."""

import ast
import difflib
import functools
import importlib
import importlib.util
import pkgutil
import sys
import warnings
from abc import ABC
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from .addresses import without_secrets


class AssumptionWarning(UserWarning):
    """Says what was assumed and how to say otherwise."""


def assume(message: str) -> None:
    """Warn, at the caller's caller, of something that had to be assumed."""
    warnings.warn(message, AssumptionWarning, stacklevel=3)


def did_you_mean(word: str, choices: list[str]) -> str:
    """`; did you mean 'wavenet'?`, or nothing where no choice is near."""
    near = difflib.get_close_matches(word, choices, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def called(thing: Any) -> str:
    """`my_file.MyNet`: the name of a function, of a class, or of the class of an object."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"


trusted: ContextVar[frozenset[str] | None] = ContextVar("trusted", default=None)
"""While an artifact that somebody sent is read: the only dotted paths that may be imported; `None` is any."""

_described: ContextVar[frozenset[type]] = ContextVar("_described", default=frozenset())


class Section(BaseModel):
    """A frozen group of fields; an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)
    _no_secrets = field_validator("*", mode="before")(without_secrets)


class Component(Section, ABC):
    """One choice of a configuration, whose fields are its options.

    A *kind* (`Model`, `Loss`, ...) names the packages that hold its choices. Every public module of such a package
    defines one choice, and the module's name is the choice's `type`:

        models/cnn.py   <->   model: {type: cnn, width: 64}

    A choice from elsewhere is named by the dotted path of its module, `type: my_package.my_model`, or of its class,
    `type: my_file.MyModel`.
    """

    packages: ClassVar[tuple[str, ...]]

    @classmethod
    def names(cls) -> list[str]:
        """The built-in choices of this kind; none of them is imported."""
        return list(cls._files())

    @classmethod
    def summaries(cls) -> dict[str, str]:
        """The first line of every built-in choice's file; none of them is imported."""
        text = {name: path.read_text(encoding="utf-8") for name, (_, path) in cls._files().items()}
        return {name: (ast.get_docstring(ast.parse(code)) or "").split("\n")[0] for name, code in text.items()}

    @classmethod
    def words(cls) -> list[str]:
        """Other names of choices, whose fields are written out elsewhere; none by default."""
        return []

    @classmethod
    def written_out(cls, word: str) -> dict[str, Any]:
        """The type and the fields that one of the `words` means."""
        raise KeyError(word)

    @classmethod
    @functools.cache  # to look into folders takes a millisecond
    def _files(cls) -> dict[str, tuple[str, Path]]:
        return {
            found.name: (f"{package}.{found.name}", Path(folder) / f"{found.name}.py")
            for package in cls.packages
            for folder in _folders(package)
            for found in pkgutil.iter_modules([folder])
            if not found.name.startswith("_")
        }

    @classmethod
    def find(cls, name: str) -> type[Self]:
        """The choice called `name`, whose module is imported only now.

        Raises:
            ValueError: no such choice, or its module cannot be imported, or does not hold exactly one.
        """
        kind, files = cls.kind().__name__.lower(), cls._files()
        if "." in name:
            allowed = trusted.get()
            if allowed is not None and name not in allowed:
                raise ValueError(
                    f"{kind} {name!r} is code outside tympan, which an artifact may not name; "
                    f"if you trust who sent it, load it with trust=[{name!r}]"
                )
            if not all(map(str.isidentifier, name.split("."))):
                raise ValueError(f"{kind} {name!r} is no dotted path of a module or a class; write package.module")
            path, _, attribute = name.rpartition(".") if name.rpartition(".")[2][0].isupper() else (name, "", "")
            if "" not in sys.path:  # the working folder, where a file of the user's own may lie; last, to hide nothing
                sys.path.append("")
        elif name in files:
            path, attribute = files[name][0], ""
        elif name in cls.words():
            return cls.find(cls.written_out(name)["type"])
        else:
            known = [*files, *cls.words()]
            raise ValueError(f"unknown {kind} {name!r}; one of: {', '.join(known)}{did_you_mean(name, known)}")
        try:
            module = importlib.import_module(path)
        except ImportError as error:
            where = "; a file of yours may lie beside the configuration, in the working folder, or on PYTHONPATH"
            raise ValueError(f"{kind} {name!r} cannot be imported: {error}{where if '.' in name else ''}") from error
        if attribute:
            choice = getattr(module, attribute, None)
            if not (isinstance(choice, type) and issubclass(choice, cls)):
                raise ValueError(f"{path} has no {kind} {attribute!r}{did_you_mean(attribute, list(vars(module)))}")
            return choice
        choices = cls._choices(module)
        if len(choices) != 1:
            raise ValueError(f"{path} must define exactly one public {kind}, it defines {len(choices)}")
        return choices[0]

    @classmethod
    def _choices(cls, module: ModuleType) -> list[type[Self]]:
        """The choices of this kind that a module defines itself."""
        return [
            c
            for c in vars(module).values()
            if isinstance(c, type) and issubclass(c, cls) and c.__module__ == module.__name__ and c.__name__[0] != "_"
        ]

    @classmethod
    def kind(cls) -> type["Component"]:
        """The class that names the packages: `Model` of `models.cnn.CNN`."""
        return next(c for c in reversed(cls.__mro__) if issubclass(c, Component) and "packages" in vars(c))

    @property
    def type(self) -> str:
        """The name under which a configuration finds this choice."""
        return type(self)._type()

    @classmethod
    def _type(cls) -> str:
        package, _, name = cls.__module__.rpartition(".")
        if package in cls.packages:
            return name
        alone = package and cls.kind()._choices(sys.modules[cls.__module__]) == [cls]
        return cls.__module__ if alone else f"{cls.__module__}.{cls.__qualname__}"

    @model_validator(mode="wrap")
    @classmethod
    def _find_choice(cls, value: Any, handler: Any) -> Any:
        if isinstance(value, str):
            value = {"type": value}
        if not isinstance(value, dict):
            return handler(value)
        if "packages" in vars(cls):
            name = value.get("type")
            if not isinstance(name, str):
                raise PydanticCustomError(
                    "missing_type",
                    "a {kind} needs a `type`; one of: {names}",
                    {"kind": cls.__name__.lower(), "names": ", ".join(cls.names())},
                )
            if name in cls.words():
                value = {**cls.written_out(name), **{k: v for k, v in value.items() if k != "type"}}
                name = value["type"]
            return cls.find(name).model_validate(value)
        return handler({k: v for k, v in value.items() if k != "type"})

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if "packages" not in vars(cls):
            return handler(core_schema)
        if cls in _described.get():  # a choice that holds others of its kind names the schema that is being written
            return handler(core_schema)
        token = _described.set(_described.get() | {cls})
        try:
            choices = cls._choices_schema(handler)
        finally:
            _described.reset(token)
        elsewhere = {
            "type": "object",
            "properties": {"type": {"type": "string", "pattern": r"\."}},
            "required": ["type"],
            "description": "A choice from elsewhere, by the dotted path of its module or class.",
        }
        if words := cls.words():
            told = {"type": "object", "properties": {"type": {"enum": words}}, "required": ["type"]}
            choices.append(
                {**told, "description": "A choice that is written out elsewhere; fields given here count more."}
            )
        bare = {"enum": [*cls.names(), *words]}
        return {"oneOf": [*choices, elsewhere, bare], "description": cls._first_line()}

    @classmethod
    def _choices_schema(cls, handler: GetJsonSchemaHandler) -> list[JsonSchemaValue]:
        choices = []
        for name in cls.names():
            choice = cls.find(name)
            fields = handler.resolve_ref_schema(schema := handler(choice.__pydantic_core_schema__))
            fields["properties"] = {"type": {"const": name}, **fields.get("properties", {})}
            fields["required"] = ["type", *fields.get("required", [])]
            fields["description"] = choice._first_line()
            choices.append(schema)
        return choices

    @classmethod
    def _first_line(cls) -> str:
        return (cls.__doc__ or "").strip().split("\n")[0]

    @model_serializer(mode="wrap")
    def _with_type(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"type": self.type, **handler(self)}


def _folders(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    return list(spec.submodule_search_locations or []) if spec else []
