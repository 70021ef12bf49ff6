"""Every annotation is checked while tests run: beartype checks values, jaxtyping how shapes fit together."""

import inspect
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype

CALLS = 20
"""How many of a function's calls are checked in each test, where shapes are."""

_jaxtyped = jaxtyping.jaxtyped
_test = 0
# Errors as jaxtyping's own are; an int where a float is meant is right (PEP 484).
_beartype = beartype(conf=BeartypeConf(violation_type=TypeError, is_pep484_tower=True))


def begin() -> None:
    """Begin another test, in which calls are counted anew."""
    global _test
    _test += 1


def install(modules: list[str]) -> None:
    """Check the functions and dataclasses of these modules, when they are imported.

    jaxtyping checks every argument twice and binds each call to its signature, which is a tenth of the time of the
    tests. Only shapes that are computed of arguments (`{n}`) need that; beartype alone checks the rest, with one
    scope for the names of axes where there are any. Shapes are checked of the first calls of a function in each test:
    of all of them, that would be a quarter of the time.
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
        return _first(function, _jaxtyped(function, typechecker=_beartype))
    function.__annotations__ = hints
    checked = _beartype(function)
    function.__annotations__ = checked.__annotations__ = written
    if "jaxtyping" not in axes:
        return checked

    def scoped(*args: Any, **named: Any) -> Any:
        with _jaxtyped("context"):
            return checked(*args, **named)

    return _first(function, scoped)


def _first(function: Callable[..., Any], checked: Callable[..., Any]) -> Callable[..., Any]:
    """The function, of which the first calls in each test are checked."""
    test = calls = 0

    @wraps(function)
    def counted(*args: Any, **named: Any) -> Any:
        nonlocal test, calls
        if test != _test:
            test, calls = _test, 0
        calls += 1
        return (function if calls > CALLS else checked)(*args, **named)

    return counted


def _resolved(hint: Any, names: dict[str, Any]) -> Any:
    """What a hint in quotes means; anything, where its name is imported for the type checker only, or is Self."""
    try:
        meant = get_type_hints(SimpleNamespace(__annotations__={"": hint}), names, include_extras=True)[""]
    except NameError:
        return Any
    return Any if "typing.Self" in repr(meant) else meant
