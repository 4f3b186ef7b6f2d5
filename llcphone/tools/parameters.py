"""A function's parameters, in the notation of msgspec, whichever library's notation it uses.

A tool may be any async function, a method, a ``functools.partial``, an object with an async ``__call__`` or
a ``functools.wraps`` wrapper. ``Annotated[str, "words"]`` and pydantic's ``Field(description=, ge=, ...)``
become ``msgspec.Meta``; a constraint that cannot is refused, because one dropped in silence is a check
that never happens.
"""

from __future__ import annotations

import functools
import inspect
import operator
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import msgspec

from llcphone.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONSTRAINTS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length")
_CHECKERS = ("pydantic", "annotated_types")
"""Packages whose metadata promises a check."""


def name_of(function: Any) -> str:
    """What a tool made of it is called, unless it is given a name."""
    name = getattr(function, "__name__", None)
    if name is None:
        inner = _without_partial(function)
        name = getattr(inner, "__name__", type(inner).__name__)
    return str(name)


def is_async(function: Any) -> bool:
    """Whether calling it gives something to await; a wrapper is what it wraps."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(source_of(function))


def source_of(function: Any) -> Any:
    """The function whose annotations count: what a partial, an object or a wrapper calls in the end."""
    inner = _without_partial(function)
    is_function = inspect.isroutine(inner) or isinstance(inner, type) or hasattr(inner, "__wrapped__")
    called = inner if is_function else getattr(type(inner), "__call__", inner)  # noqa: B004  (never called here)
    return inspect.unwrap(called) if callable(called) else called


def _without_partial(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def words_of(function: Any) -> str:
    """Its docstring; that of an object with ``__call__`` is its class's, if the method has none."""
    inner = _without_partial(function)
    whole = inner if inspect.isroutine(inner) else type(inner)
    return inspect.cleandoc(source_of(function).__doc__ or whole.__doc__ or "")


def parameters_of(function: Any, key: str) -> list[inspect.Parameter]:
    """Its parameters, annotations resolved; those that a partial has given by name are gone.

    Raises:
        ConfigError: it has none that can be read, or an annotation that cannot.
    """
    bound: set[str] = set()
    inner = function
    while isinstance(inner, functools.partial):
        bound |= inner.keywords.keys()
        inner = inner.func
    try:
        hints = typing.get_type_hints(source_of(function), include_extras=True)
        parameters = inspect.signature(function).parameters.values()
    except NameError as exc:
        why = f"the type {exc.name!r} of a parameter cannot be found"
        raise ConfigError(key, why, "define or import it at the module's top") from None
    except Exception as exc:  # annotations are evaluated: they may raise anything
        raise ConfigError(key, f"a type hint cannot be read: {exc}", "correct the type hint") from None
    empty = inspect.Parameter.empty
    return [
        each.replace(annotation=hints.get(each.name, empty)) for each in parameters if each.name not in bound
    ]


def with_default(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter with pydantic's ``= Field(3, ge=1)``, or one in its annotation, taken apart."""
    info = parameter.default
    if not _is_field_info(info):
        found = [each for each in getattr(parameter.annotation, "__metadata__", ()) if _is_field_info(each)]
        if not found or parameter.default is not parameter.empty or found[-1].is_required():
            return parameter
        return parameter.replace(default=found[-1].get_default(call_default_factory=True))
    default = parameter.empty if info.is_required() else info.get_default(call_default_factory=True)
    return parameter.replace(annotation=Annotated[parameter.annotation, info], default=default)


def in_our_notation(hint: Any) -> Any:
    """The hint with every foreign annotation as ``msgspec.Meta``.

    Raises:
        TypeError: it promises a check that would never run.
    """
    parts = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin is Annotated:
        metas = [meta for each in hint.__metadata__ for meta in _metas(each)]
        return _annotated(in_our_notation(hint.__origin__), metas)
    if not parts or origin is Literal:
        return hint
    ours = tuple(in_our_notation(part) for part in parts)
    if ours == parts:
        return hint
    if origin in (Union, types.UnionType):
        return functools.reduce(operator.or_, ours)
    return hint.copy_with(ours) if hasattr(hint, "copy_with") else types.GenericAlias(origin, ours)


def _annotated(hint: Any, metas: Iterable[msgspec.Meta]) -> Any:
    """The hint with all of it; limits of an optional value are those of the value."""
    parts = typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else ()
    for meta in metas:
        if type(None) in parts and len(parts) == 2 and _limits(meta):
            value = parts[0] if parts[1] is type(None) else parts[1]
            hint = _annotated(value, [meta]) | None
        else:
            hint = Annotated[hint, meta]
    return hint


def field_words(cls: type) -> dict[str, str]:
    """What a class's annotations say of its fields: their descriptions.

    Raises:
        TypeError: one promises a check in another notation than msgspec's, which cannot be put into a class.
    """
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception:  # msgspec could read it, so it is one that only msgspec resolves
        return {}
    found: dict[str, str] = {}
    for name, hint in hints.items():
        for each in getattr(hint, "__metadata__", ()):
            for meta in () if isinstance(each, msgspec.Meta) else _metas(each):
                if _limits(meta):
                    raise TypeError(f"{cls.__name__}.{name}: write its limits as msgspec.Meta(...)")
                found[name] = meta.description or ""
    return found


def _metas(told: Any) -> list[msgspec.Meta]:
    """One piece of metadata, in msgspec's form."""
    if isinstance(told, msgspec.Meta):
        return [told]
    words = told if isinstance(told, str) else getattr(told, "documentation", None)
    limits = _limits(told)
    if _is_field_info(told):
        words = told.description
        inner = [meta for each in told.metadata for meta in _metas(each)]
        return inner + ([msgspec.Meta(description=words)] if words else [])
    if isinstance(words, str):
        return [msgspec.Meta(description=words)]
    if type(told).__module__.partition(".")[0] not in _CHECKERS:
        return []  # of another library, which typing says to ignore
    if not limits:
        raise TypeError(f"{type(told).__name__} in its annotation would not be checked: use msgspec.Meta")
    return [msgspec.Meta(**limits)]


def _limits(told: Any) -> dict[str, Any]:
    return {name: found for name in _CONSTRAINTS if (found := getattr(told, name, None)) is not None}


def _is_field_info(value: Any) -> bool:
    """pydantic's ``Field(...)``, without importing pydantic."""
    kind = type(value)
    return kind.__name__ == "FieldInfo" and kind.__module__.partition(".")[0] == "pydantic"
