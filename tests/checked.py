"""Every annotation is checked while tests run: beartype checks values, jaxtyping how shapes fit together."""

import inspect
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype

_jaxtyped = jaxtyping.jaxtyped
# Errors as jaxtyping's own are; an int where a float is meant is right (PEP 484).
_beartype = beartype(conf=BeartypeConf(violation_type=TypeError, is_pep484_tower=True))


def install(modules: list[str]) -> None:
    """Check the functions and dataclasses of these modules, when they are imported.

    jaxtyping checks every argument twice and binds each call to its signature, which is a tenth of the time of the
    tests. Only shapes that are computed of arguments (`{n}`) need that; beartype alone checks the rest, with one
    scope for the names of axes where there are any.
    """
    jaxtyping.jaxtyped = _checked  # the name that the hook puts before each function
    jaxtyping.install_import_hook(modules, "beartype.beartype")


def _checked(**_: Any) -> Callable[[Any], Any]:
    return lambda part: _once(part) if inspect.isfunction(part) else _jaxtyped(part, typechecker=_beartype)


def _once(function: Callable[..., Any]) -> Callable[..., Any]:
    written = function.__annotations__
    hints = {name: _resolved(hint, function.__globals__) for name, hint in written.items()}
    axes = repr(list(hints.values()))
    if "{" in axes:
        return _jaxtyped(function, typechecker=_beartype)
    function.__annotations__ = hints
    checked = _beartype(function)
    function.__annotations__ = checked.__annotations__ = written
    if "jaxtyping" not in axes:
        return checked

    @wraps(function)
    def scoped(*args: Any, **named: Any) -> Any:
        with _jaxtyped("context"):
            return checked(*args, **named)

    return scoped


def _resolved(hint: Any, names: dict[str, Any]) -> Any:
    """What a hint in quotes means; anything, where its name is imported for the type checker only, or is Self."""
    try:
        meant = get_type_hints(SimpleNamespace(__annotations__={"": hint}), names, include_extras=True)[""]
    except NameError:
        return Any
    return Any if "typing.Self" in repr(meant) else meant
