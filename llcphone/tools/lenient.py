"""A model's JSON, read as it is meant where a strict reader would refuse it.

Models follow a schema by intention more than by the letter: they write ``null`` for "not given" and
``10:00`` for a time. Both have one sensible meaning, so neither costs the caller another round: ``null``
for a parameter with a default (and no null in its type) is the default, and a day or time in any usual ISO
8601 form is written out as msgspec asks for it. Everything else stays as it is and is checked as ever.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOMENT = re.compile(
    r"(?:(?P<day>\d{4}-\d\d-\d\d)(?:[Tt ]|$))?"
    r"(?:[Tt]?(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d(?:\.\d+)?))?"
    r" ?(?P<zone>[Zz]|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_ITEMS = (
    inspect.ListType,
    inspect.SetType,
    inspect.FrozenSetType,
    inspect.VarTupleType,
    inspect.CollectionType,
)
_CLASSES = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType, inspect.NamedTupleType)

_parse = msgspec.json.Decoder(float_hook=Decimal).decode
_write = msgspec.json.Encoder(decimal_format="number").encode  # so that no digit of a number is lost


def as_meant(text: str, struct: type[msgspec.Struct]) -> bytes | None:
    """The JSON that was meant by ``text``, which ``struct`` refuses; None: it means what it says."""
    try:
        told = _parse(text)
        meant = _meant(told, inspect.type_info(struct))
        return None if meant == told else _write(meant)
    except (ValueError, TypeError, RecursionError):
        return None


def classes_in(kind: inspect.Type, seen: dict[type, None] | None = None) -> dict[type, None]:
    """The classes with fields that a type is made of."""
    seen = {} if seen is None else seen
    if isinstance(kind, _CLASSES):
        if kind.cls in seen:
            return seen
        seen[kind.cls] = None
    for part in _parts(kind):
        classes_in(part, seen)
    return seen


def _parts(kind: inspect.Type) -> Iterable[inspect.Type]:
    match kind:
        case inspect.Metadata(type=inner):
            return (inner,)
        case inspect.UnionType(types=types):
            return types
        case inspect.TupleType(item_types=types):
            return types
        case inspect.DictType(key_type=key, value_type=value):
            return (key, value)
        case _ if isinstance(kind, _ITEMS):
            return (kind.item_type,)
        case _ if isinstance(kind, _CLASSES):
            return [field.type for field in kind.fields]
        case _:
            return ()


def _meant(value: Any, kind: inspect.Type) -> Any:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        return _of_union(value, kind.types)
    match value:
        case str():
            return _moment(value, kind)
        case list() if isinstance(kind, _ITEMS):
            return [_meant(each, kind.item_type) for each in value]
        case list() if isinstance(kind, inspect.TupleType):
            rest = value[len(kind.item_types) :]
            return [*map(_meant, value, kind.item_types), *rest]
        case list() if isinstance(kind, _CLASSES):
            return [*map(_in_order, value, kind.fields), *value[len(kind.fields) :]]
        case dict() if isinstance(kind, inspect.DictType):
            return {name: _meant(each, kind.value_type) for name, each in value.items()}
        case dict() if isinstance(kind, _CLASSES):
            return _by_name(value, kind.fields)
        case _:
            return value


def _of_union(value: Any, kinds: Sequence[inspect.Type]) -> Any:
    """Of a union's members msgspec lets at most one be an object without a tag, and one an array."""
    for kind in kinds:
        if isinstance(kind, inspect.StructType) and kind.tag_field and isinstance(value, dict):
            if value.get(kind.tag_field) != kind.tag:
                continue
            return _meant(value, kind)
        if (meant := _meant(value, kind)) != value:
            return meant
    return value


def _by_name(value: dict[str, Any], fields: Iterable[inspect.Field]) -> dict[str, Any]:
    known = {field.encode_name: field for field in fields}
    return {
        name: _meant(each, known[name].type) if name in known else each
        for name, each in value.items()
        if not (each is None and name in known and _stands_for_default(known[name]))
    }


def _in_order(value: Any, field: inspect.Field) -> Any:
    """One place of an array with named places; it cannot be left out, so its default is put there."""
    if value is not None or not _stands_for_default(field):
        return _meant(value, field.type)
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _stands_for_default(field: inspect.Field) -> bool:
    """Whether ``null`` can only mean that the field is not given."""
    return not field.required and not _takes_null(field.type)


def _takes_null(kind: inspect.Type) -> bool:
    match kind:
        case inspect.Metadata(type=inner):
            return _takes_null(inner)
        case inspect.UnionType(types=types):
            return any(map(_takes_null, types))
        case inspect.LiteralType(values=values):
            return None in values
        case _:
            return isinstance(kind, (inspect.NoneType, inspect.AnyType, inspect.RawType))


def _moment(text: str, kind: inspect.Type) -> str:
    """A day or time written out; any other text, and one that is neither, as it is."""
    wants_day = isinstance(kind, (inspect.DateType, inspect.DateTimeType))
    wants_clock = isinstance(kind, (inspect.TimeType, inspect.DateTimeType))
    said = _MOMENT.fullmatch(text.strip()) if wants_day or wants_clock else None
    if said is None or (wants_day and not said["day"]) or (not wants_day and not said["hour"]):
        return text
    zone = (said["zone"] or "").upper()
    clock = f"{said['hour'] or '00':0>2}:{said['minute'] or '00'}:{said['second'] or '00'}{zone}"
    return "T".join([said["day"]] * wants_day + [clock] * wants_clock)
