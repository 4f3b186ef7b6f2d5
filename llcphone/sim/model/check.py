"""A small language for "what the Realtime API accepts here", and its refusals word for word.

A check is a function ``(value, where)`` that returns nothing or raises ``Refused`` with the vendor's code,
text and ``param`` path. Checks are combined like sentences:
``record(type=..., eagerness=word("low", "high"))``. A record refuses keys it does not name, because the
vendor does: one stray key loses a whole ``session.update``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any, str], None]


class Refused(Exception):
    """The simulated server answers with an ``error`` event instead of doing what was asked."""

    def __init__(
        self, code: str | None, message: str, param: str | None = None, kind: str = "invalid_request_error"
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.param = param
        self.kind = kind

    def as_error(self, event_id: str | None) -> dict[str, Any]:
        """The ``error`` event; ``event_id`` is the refused client event's, null when it had none."""
        body = {"type": self.kind, "code": self.code, "message": self.message, "param": self.param}
        return {"type": "error", "error": body | {"event_id": event_id}}


def unsupported(value: object, allowed: tuple[str, ...], where: str) -> Refused:
    """``Invalid value: 'x'. Supported values are: …``."""
    quoted = [f"'{word}'" for word in allowed]
    if len(quoted) == 1:
        listing = f"Value must be {quoted[0]}."
    elif len(quoted) == 2:
        listing = f"Supported values are: {quoted[0]} and {quoted[1]}."
    else:
        listing = f"Supported values are: {', '.join(quoted[:-1])}, and {quoted[-1]}."
    return Refused("invalid_value", f"Invalid value: '{value}'. {listing}", where)


def missing(where: str) -> Refused:
    """``Missing required parameter: '…'.``"""
    return Refused("missing_required_parameter", f"Missing required parameter: '{where}'.", where)


def _wrong_type(value: object, expected: str, where: str) -> Refused:
    match value:
        case None:
            got = "null"
        case bool():
            got = "a boolean"
        case int():
            got = "an integer"
        case float():
            got = "a decimal"
        case str():
            got = "a string"
        case list():
            got = "an array"
        case _:
            got = "an object"
    text = f"Invalid type for '{where}': expected {expected}, but got {got} instead."
    return Refused("invalid_type", text, where)


def anything(value: object, where: str) -> None:
    """Whatever it is, the server takes it."""


def text(value: object, where: str) -> None:
    if not isinstance(value, str):
        raise _wrong_type(value, "a string", where)


def flag(value: object, where: str) -> None:
    if not isinstance(value, bool):
        raise _wrong_type(value, "a boolean", where)


def short(limit: int) -> Check:
    """A string of at most ``limit`` characters (item ids: 32)."""

    def check(value: object, where: str) -> None:
        text(value, where)
        if len(str(value)) > limit:
            complaint = (
                f"Invalid '{where}': string too long. Expected a string with maximum length {limit}, "
                f"but got a string with length {len(str(value))} instead."
            )
            raise Refused("string_above_max_length", complaint, where)

    return check


def matching(pattern: str, limit: int) -> Check:
    """A string of at most ``limit`` characters that matches from end to end."""

    def check(value: object, where: str) -> None:
        short(limit)(value, where)
        if re.fullmatch(pattern.strip("^$"), str(value)) is None:
            complaint = (
                f"Invalid '{where}': string does not match pattern. "
                f"Expected a string that matches the pattern '{pattern}'."
            )
            raise Refused("invalid_value", complaint, where)

    return check


def word(*allowed: str) -> Check:
    """One of the given strings."""

    def check(value: object, where: str) -> None:
        text(value, where)
        if value not in allowed:
            raise unsupported(value, allowed, where)

    return check


def integer(low: int, high: int | None = None) -> Check:
    return _ranged(int, "an integer", "integer", low, high)


def number(low: float, high: float) -> Check:
    return _ranged((int, float), "a decimal", "decimal", low, high)


def _ranged(
    types: type | tuple[type, ...], expected: str, kind: str, low: float, high: float | None
) -> Check:
    def check(value: Any, where: str) -> None:
        given: Any = value
        if isinstance(value, bool) or not isinstance(value, types):
            raise _wrong_type(value, expected, where)
        if given < low:
            code, rule = f"{kind}_below_min_value", f"below minimum value. Expected a value >= {low}"
        elif high is not None and given > high:
            code, rule = f"{kind}_above_max_value", f"above maximum value. Expected a value <= {high}"
        else:
            return
        raise Refused(code, f"Invalid '{where}': {kind} {rule}, but got {value} instead.", where)

    return check


def maybe(check: Check) -> Check:
    """null, or what ``check`` takes."""
    return lambda value, where: None if value is None else check(value, where)


def every(check: Check) -> Check:
    """A list whose every member passes."""

    def check_all(value: object, where: str) -> None:
        if not isinstance(value, list):
            raise _wrong_type(value, "an array", where)
        for index, member in enumerate(value):
            check(member, f"{where}[{index}]")

    return check_all


def either(a_string: Check, otherwise: Check) -> Check:
    """Strings go to the first check, all else to the second."""
    return lambda value, where: (a_string if isinstance(value, str) else otherwise)(value, where)


def record(*required: str, **fields: Check) -> Check:
    """An object with exactly these fields; those named in ``required`` must be there."""

    def check(value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise _wrong_type(value, "an object", where)
        prefix = f"{where}." if where else ""
        for key in required:
            if key not in value:
                raise missing(prefix + key)
        for key in value:
            if key not in fields:
                raise Refused("unknown_parameter", f"Unknown parameter: '{prefix}{key}'.", prefix + key)
        for key, member in value.items():
            fields[key](member, prefix + key)

    return check


def loose(**fields: Check) -> Check:
    """An object in which what is not known is ignored."""
    known = record(**fields)

    def check(value: object, where: str) -> None:
        if isinstance(value, dict):
            value = {key: each for key, each in value.items() if key in fields}
        known(value, where)

    return check


def tagged(kinds: Mapping[str, Check], key: str = "type") -> Check:
    """An object whose ``type`` says which check it must pass; a bare string is refused as a value."""

    def check(value: object, where: str) -> None:
        if isinstance(value, str):
            raise unsupported(value, tuple(kinds), where)
        if not isinstance(value, dict):
            raise _wrong_type(value, "an object", where)
        if key not in value:
            raise missing(f"{where}.{key}")
        word(*kinds)(value[key], f"{where}.{key}")
        kinds[value[key]](value, where)

    return check
