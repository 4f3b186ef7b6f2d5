"""Reads somebody else's JSON into a shape when it does not fit as it stands: what is odd costs only itself.

Servers and gateways write null, a number, an empty list or a text where the specification has something
else. A field that its shape can do without then counts as absent, and an odd element of a list as not
there; only a field without a default, missing or of another type, makes the whole unreadable. What can be
meant by the odd value is kept: 12.0 is 12, and a number where a word belongs is that word.
"""

from __future__ import annotations

from contextlib import suppress
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec

Shape = TypeVar("Shape", bound=msgspec.Struct)

# A float beyond the range of floats becomes inf instead of losing the event.
_any = msgspec.json.Decoder(float_hook=float).decode


def read(shape: type[Shape], text: bytes) -> Shape:
    """What the shape can take of this JSON.

    Raises:
        msgspec.DecodeError: it is no JSON, or lacks what the shape must have.
    """
    return take(shape, _any(text))


def take(shape: type[Shape], value: Any) -> Shape:
    """What the shape can take of this value, read from JSON.

    Raises:
        msgspec.ValidationError: it lacks what the shape must have.
    """
    if not isinstance(value, dict):
        raise msgspec.ValidationError("no object")
    fields = {}
    for field in msgspec.structs.fields(shape):
        try:
            fields[field.name] = _as(field.type, value[field.encode_name])
        except (KeyError, msgspec.ValidationError):
            if field.required:
                raise msgspec.ValidationError("lacks what it must have") from None
    return shape(**fields)


def _as(kind: Any, value: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        return _as_one_of(get_args(kind), value)
    if get_origin(kind) is list:
        return _as_list(get_args(kind)[0], value)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return take(kind, value)
    return msgspec.convert(value, kind)


def _as_one_of(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None and NoneType in kinds:
        return None
    for kind in kinds:
        if kind in (NoneType, msgspec.UnsetType):
            continue
        with suppress(msgspec.ValidationError):
            return _as(kind, value)
    if int in kinds and isinstance(value, float) and value.is_integer():
        return int(value)
    if str in kinds and type(value) in (int, float):
        return str(value)
    raise msgspec.ValidationError("none of these")


def _as_list(kind: Any, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise msgspec.ValidationError("no list")
    kept = []
    for each in value:
        with suppress(msgspec.ValidationError):
            kept.append(_as(kind, each))
    return kept
