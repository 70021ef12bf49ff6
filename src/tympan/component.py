"""Typed, frozen choices of a configuration, found by file name."""

import ast
import difflib
import importlib
import importlib.util
import pkgutil
import warnings
from abc import ABC
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError


class AssumptionWarning(UserWarning):
    """Says what was assumed and how to say otherwise."""


def assume(message: str) -> None:
    """Warn, at the caller's caller, of something that had to be assumed."""
    warnings.warn(message, AssumptionWarning, stacklevel=3)


def did_you_mean(word: str, choices: list[str]) -> str:
    """`; did you mean 'wavenet'?`, or nothing where no choice is near."""
    near = difflib.get_close_matches(word, choices, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


only_built_in: ContextVar[bool] = ContextVar("only_built_in", default=False)
"""True while an artifact that somebody sent is read: a dotted path is refused, nothing of it is imported."""


class Section(BaseModel):
    """A frozen group of fields; an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Component(Section, ABC):
    """One choice of a configuration, whose fields are its options.

    A *kind* (`Model`, `Loss`, ...) names the package that holds its choices. Every public module of that package
    defines one choice, and the module's name is the choice's `type`:

        models/cnn.py   <->   model: {type: cnn, width: 64}

    A choice of another package is named by the dotted path of its module: `type: my_package.my_model`.
    """

    package: ClassVar[str]

    @classmethod
    def names(cls) -> list[str]:
        """The built-in choices of this kind; none of them is imported."""
        return [m.name for m in pkgutil.iter_modules(_folder(cls.package)) if not m.name.startswith("_")]

    @classmethod
    def summaries(cls) -> dict[str, str]:
        """The first line of every built-in choice's file; none of them is imported."""
        (folder,) = _folder(cls.package)
        text = {name: (Path(folder) / f"{name}.py").read_text(encoding="utf-8") for name in cls.names()}
        return {name: (ast.get_docstring(ast.parse(code)) or "").split("\n")[0] for name, code in text.items()}

    @classmethod
    def find(cls, name: str) -> type[Self]:
        """The choice called `name`, whose module is imported only now.

        Raises:
            ValueError: no such choice, or its module cannot be imported, or does not hold exactly one.
        """
        kind = cls.kind().__name__.lower()
        if "." in name:
            if only_built_in.get():
                raise ValueError(
                    f"{kind} {name!r} is code outside tympan, which an artifact may not name; "
                    f"if you trust who sent it, load it with trust={name!r}"
                )
            path = name
        elif name in cls.names():
            path = f"{cls.package}.{name}"
        else:
            choices = cls.names()
            raise ValueError(f"unknown {kind} {name!r}; one of: {', '.join(choices)}{did_you_mean(name, choices)}")
        try:
            module = importlib.import_module(path)
        except ImportError as error:
            raise ValueError(f"{kind} {name!r} cannot be imported: {error}") from error
        choices = [
            c
            for c in vars(module).values()
            if isinstance(c, type) and issubclass(c, cls) and c.__module__ == module.__name__ and c.__name__[0] != "_"
        ]
        if len(choices) != 1:
            raise ValueError(f"{module.__name__} must define exactly one public {kind}, it defines {len(choices)}")
        return choices[0]

    @classmethod
    def kind(cls) -> type["Component"]:
        """The class that names the package: `Model` of `models.cnn.CNN`."""
        return next(c for c in reversed(cls.__mro__) if issubclass(c, Component) and "package" in vars(c))

    @property
    def type(self) -> str:
        """The name under which a configuration finds this choice."""
        return type(self).__module__.removeprefix(f"{self.package}.")

    @model_validator(mode="wrap")
    @classmethod
    def _find_choice(cls, value: Any, handler: Any) -> Any:
        if isinstance(value, str):
            value = {"type": value}
        if not isinstance(value, dict):
            return handler(value)
        if "package" in vars(cls):
            name = value.get("type")
            if not isinstance(name, str):
                raise PydanticCustomError(
                    "missing_type",
                    "a {kind} needs a `type`; one of: {names}",
                    {"kind": cls.__name__.lower(), "names": ", ".join(cls.names())},
                )
            return cls.find(name).model_validate(value)
        return handler({k: v for k, v in value.items() if k != "type"})

    @model_serializer(mode="wrap")
    def _with_type(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"type": self.type, **handler(self)}


def _folder(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    return cast(list[str], list(spec.submodule_search_locations or [])) if spec else []
