"""Arguments of public functions: one of a wrong type is refused where it is given, with one line."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Kinds = type | tuple[type, ...]


def need(value: object, kinds: Kinds, name: str, fix: str) -> None:
    """Refuse a value of another type.

    Args:
        value: what was given.
        kinds: what it may be.
        name: the function and its argument, as ``open_phone: config``.
        fix: what to give instead.

    Raises:
        TypeError: it is of another type. The text has the type, never the value.
    """
    if not isinstance(value, kinds):
        raise _wrong(value, name, fix)


def need_methods(value: object, methods: Sequence[str], name: str, fix: str) -> None:
    """Refuse an object that lacks one of these methods, or a class in place of an object; as ``need``."""
    if inspect.isclass(value) or not all(callable(getattr(value, each, None)) for each in methods):
        raise _wrong(value, name, fix)


def need_function(value: object, name: str, fix: str, *, waits: bool = False) -> None:
    """Refuse what is no function; also an async function where it would never be awaited, or the reverse.

    Args:
        value: what was given.
        name: as ``need`` has it.
        fix: likewise.
        waits: whether it must be an async function; else it must not be one.
    """
    if not callable(value) or inspect.isclass(value):
        raise _wrong(value, name, fix)
    if inspect.isfunction(inspect.unwrap(value)) and inspect.iscoroutinefunction(value) is not waits:
        raise TypeError(f"{name}: must {'' if waits else 'not '}be an async function. Fix: give it {fix}")


def kind(kinds: Kinds, fix: str) -> Callable[[Any, Any, object], None]:
    """``need`` as a validator of attrs fields."""

    def check(instance: Any, field: Any, value: object) -> None:
        need(value, kinds, f"{type(instance).__name__}: {field.name}", fix)

    return check


def _wrong(value: object, name: str, fix: str) -> TypeError:
    given = f"the class {value.__name__}" if inspect.isclass(value) else f"of type {type(value).__name__}"
    return TypeError(f"{name}: must not be {given}. Fix: give it {fix}")
