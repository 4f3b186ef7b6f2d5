"""A tool's result as the text that a model reads: plain JSON, bounded, and never a riddle.

A tool may return anything: rows, models, generators, its own classes, megabytes, and what cannot be shown at
all. Whatever it is, the tool has done its work by then, so nothing here fails: what cannot be shown is named
as done but not showable, and a result is cut where it becomes longer than a model needs. Values are walked
one by one, because the JSON writer knows neither names of rows nor cycles, and stops at no length.

What cannot be shown is named by its type only: a ``repr`` has a memory address, or more.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import inspect
import math
import numbers
import re
import uuid
from collections.abc import Iterable, Mapping, Sized
from typing import Any

import attrs
import msgspec

from llcphone.engine.words import Sign, sign_of
from llcphone.runtime.containment import contained
from llcphone.validation.text import clean_text

LONGEST = 20_000
"""Characters of one result, about 5,000 tokens: each further response pays for them again, the smallest
context has 32,000, and an item that the vendor refuses as too long leaves its tool call unanswered."""

_NOTES = 500
"""Of these, what is kept for the words that say how much was left out."""
_DEEPEST = 64
_WRITTEN_AS_TEXT = (
    datetime.date,  # also a datetime
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
)
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{4,}")


@attrs.frozen
class Shown:
    """A result as the model reads it."""

    text: str
    trouble: str = ""
    """Why it could not be shown; holds no value, so it may be logged."""
    lost: bool = False
    """The tool's work was never awaited, so there is no result."""


def shown(result: Any) -> Shown:
    """What the model reads of a result: text as it is, all else as JSON."""
    if type(result) is str:
        return Shown(clean_text(shortened(result, LONGEST)))
    plain = _Plain(LONGEST - _NOTES)
    text = ""
    with contained() as failure:  # properties, iterators and methods of the user's own classes
        value = plain.of(result)
        text = value if isinstance(result, str) else msgspec.json.encode(value).decode()
    if plain.not_awaited:
        what = f"the tool's code misses an await before {plain.not_awaited[0]}(), so there is no result"
        return Shown(error_json(what), what, lost=True)
    if failure.error is not None:
        ours = isinstance(failure.error, _Endless)
        return _cannot_be_shown(str(failure.error) if ours else failure.kinds[0])
    if plain.hidden and isinstance(value, str):  # the result itself, and not a part of it
        return _cannot_be_shown(plain.hidden[0])
    hidden = ", ".join(dict.fromkeys(plain.hidden))
    return Shown(shortened(text, LONGEST), hidden and f"in part: {hidden}")


def shortened(text: str, most: int) -> str:
    """The text, or as much of it as makes ``most`` characters together with how many are left out.

    It is cut between two text elements: no accent, half flag or half family is left over.
    """
    if len(text) <= most:
        return text
    end = max(0, most - len(_left_out(len(text))))
    while end and _is_one(text[end - 1], text[end]):
        end -= 1
    return text[:end] + _left_out(len(text) - end)


def _left_out(count: int) -> str:
    return f"…(cut, {count} characters left out)"


def _is_one(before: str, after: str) -> bool:
    """Whether two neighbours may belong to one text element."""
    if sign_of(before) is Sign.JOINS or sign_of(after) in (Sign.EXTENDS, Sign.JOINS):
        return True
    return _is_half_flag(before) and _is_half_flag(after)


def _is_half_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def error_json(text: str) -> str:
    """What the model reads when a tool did not do its work."""
    return shown({"error": text}).text


def _cannot_be_shown(why: str) -> Shown:
    return Shown(shown({"status": f"done, but its result cannot be shown ({why})"}).text, why)


class _Endless(Exception):
    """It holds itself, or is too deep."""


class _Plain:
    """Values as plain ones, until there is no room left."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.hidden: list[str] = []
        """Types of what could not be shown."""
        self.not_awaited: list[str] = []
        """Names of coroutines that somebody forgot to await."""
        self._inside: list[int] = []

    def of(self, value: Any) -> Any:
        """What JSON can say of it."""
        if (kind := type(value)) is str:  # what most results are made of comes first: calls wait meanwhile
            return self._text(value)
        if kind is int:
            return self._took(value, 1 + value.bit_length() // 3)
        if kind is dict or kind is list:
            return self._whole(value)
        match value:
            case None | bool():
                return self._took(value, 5)
            case enum.Enum():
                return self.of(value.value)
            case numbers.Integral():
                return self._took(int(value), 1 + int(value).bit_length() // 3)
            case numbers.Real():
                number = float(value)
                return self._took(number if math.isfinite(number) else None, len(repr(number)))
            case str():
                return self._text(str.__str__(value))
            case bytes() | bytearray() | memoryview():
                return self._text(_words_of(bytes(value)))
            case _ if isinstance(value, _WRITTEN_AS_TEXT):
                return self._text(msgspec.to_builtins(value))
            case _ if inspect.iscoroutine(value):
                value.close()  # or Python warns of it in the log of some other call
                self.not_awaited.append(value.__name__)
                return None
            case _ if inspect.isawaitable(value):
                self.not_awaited.append(type(value).__name__)
                return None
            case _:
                return self._whole(value)

    def _took(self, value: Any, length: int) -> Any:
        self.room -= length + 1
        return value

    def _text(self, text: str) -> str:
        fitting = clean_text(shortened(text, max(0, self.room)))
        self.room -= len(fitting) + 3
        return fitting

    def _whole(self, value: Any) -> Any:
        """What is made of other values."""
        if id(value) in self._inside:
            raise _Endless(f"{type(value).__name__} refers back to itself")
        if len(self._inside) >= _DEEPEST:
            raise _Endless(f"{type(value).__name__} is nested too deeply")
        self._inside.append(id(value))
        try:
            if type(value) is list:
                return self._items(value)
            if (entries := _entries_of(value)) is not None:
                return self._entries(entries)
            for method in ("model_dump", "_asdict"):  # pydantic; named tuples and SQLAlchemy's rows
                if callable(getattr(type(value), method, None)):
                    return self.of(getattr(value, method)())
            if hasattr(type(value), "__iter__"):
                return self._items(value)
            return self._other(value)
        finally:
            self._inside.pop()

    def _entries(self, entries: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.room -= 3
        for at, (name, value) in enumerate(entries):
            if self.room <= 0:
                found["…"] = _more(entries, at)
                break
            key = self._name(name)  # before its value, which may take all the room
            found[key] = self.of(value)
        return found

    def _name(self, name: Any) -> str:
        if type(name) is str:
            return self._text(name)
        if isinstance(name, tuple):
            return self._text(str(name))
        plain = self.of(name)
        return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()

    def _items(self, items: Iterable[Any]) -> list[Any]:
        found: list[Any] = []
        self.room -= 3
        for at, value in enumerate(items):
            if self.room <= 0:
                found.append(_more(items, at))
                break
            found.append(self.of(value))
        return found

    def _other(self, value: Any) -> str:
        """What has only words of its own, if it has any."""
        kind = type(value)
        if any(vars(each).keys() & {"__str__", "__repr__"} for each in kind.__mro__[:-1]):
            text = str(value)
            if not _ADDRESS.search(text):
                return self._text(text)
        self.hidden.append(kind.__name__)
        return self._text(f"({kind.__name__}: cannot be shown)")


def _entries_of(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Names and values of what has such; fields that begin with an underscore are left out."""
    kind = type(value)
    if isinstance(value, (dict, Mapping)):
        return value.items()
    if isinstance(value, msgspec.Struct):
        return list(zip(value.__struct_encode_fields__, msgspec.structs.astuple(value), strict=True))
    if attrs.has(kind):
        return _attributes(value, (field.name for field in attrs.fields(kind)))
    if dataclasses.is_dataclass(value):
        return _attributes(value, (field.name for field in dataclasses.fields(value)))
    if hasattr(kind, "keys") and hasattr(kind, "__getitem__"):  # sqlite3's rows
        return [(name, value[name]) for name in value.keys()]  # noqa: SIM118  (it is no mapping)
    return None


def _attributes(value: Any, names: Iterable[str]) -> list[tuple[str, Any]]:
    return [(name, getattr(value, name)) for name in names if not name.startswith("_")]


def _words_of(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"({len(data)} bytes that are no text)"


def _more(whole: Iterable[Any], told: int) -> str:
    left = f"{len(whole) - told}" if isinstance(whole, Sized) else "more"
    return f"…(cut, {left} left out)"
