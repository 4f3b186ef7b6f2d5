"""Values as both databases take them: cleaned, shortened or refused before either database sees them.

SQLite stores what PostgreSQL refuses (NUL, text longer than its column, integers beyond it), and neither
driver takes half a character or an integer beyond 64 bits. So each row passes through ``fitted_row``,
which goes by the columns of the table, and both databases hold the same:

    String(n)   identities: a longer one is cut and ends in a digest, so two of them stay two
    String(n), Text   NUL, lone surrogates and other control characters become U+FFFD
    Integer, Float    out of range, or no number: empty where a column may be empty, else refused

A value that is looked for passes through ``fitted`` as well: so it is found as it was stored.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Boolean, Float, Integer, String

from llcphone.validation.phone_numbers import spellings
from llcphone.validation.text import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Column, ColumnElement, Table

    Fit = Callable[[Any], Any]

_DIGEST = 16
"""Number of hexadecimal digits that distinguish long identities."""
_BITS_64 = 2**63


class ValueRefused(ValueError):
    """No column of this kind can hold the value; the text names the column, never the value."""

    def __init__(self, column: str) -> None:
        super().__init__(f"a value for {column} that cannot be stored")


def as_json(value: object) -> str:
    """JSON of plain data, whatever its texts and numbers."""
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, OverflowError):
        return msgspec.json.encode(_plain(value)).decode()


def fitted(column: Column[Any], value: object) -> Any:
    """The value as this column holds it.

    Raises:
        ValueRefused: it cannot hold it.
    """
    return _fit(column)(value)


def spelt_as(column: Column[Any], number: str) -> ColumnElement[bool]:
    """Rows whose number is this one, in any of its spellings."""
    return column.in_([fitted(column, each) for each in spellings(number)])


def fitted_row(table: Table, values: Mapping[str, object]) -> dict[str, Any]:
    """The same for the columns of a row.

    Raises:
        ValueRefused: one of them cannot be stored.
    """
    fits = _fits(table)
    return {name: fits[name](value) for name, value in values.items()}


@cache
def _fits(table: Table) -> dict[str, Fit]:
    return {column.key: _fit(column) for column in table.c}


@cache
def _fit(column: Column[Any]) -> Fit:
    match column.type:
        case String(length=None):
            return _words
        case String(length=int() as most):
            return partial(_identity, most)
        case Boolean():
            return _truth
        case Integer() | Float():
            return partial(_number, column, *_range(column))
    raise TypeError(f"no rule for the type of {column}")


def _words(value: Any) -> str | None:
    return None if value is None else clean_text(value if isinstance(value, str) else str(value))


def _identity(most: int, value: Any) -> str | None:
    text = _words(value)
    if text is None or len(text) <= most:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{text[: max(0, most - _DIGEST - 1)]}~{digest}"[-most:]


def _truth(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _range(column: Column[Any]) -> tuple[type[int] | type[float], float]:
    if isinstance(column.type, Float):
        return float, math.inf
    return int, (_BITS_64 if column.type.__visit_name__ == "big_integer" else 2**31)


def _number(column: Column[Any], kind: type[int] | type[float], end: float, value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):  # NaN and infinity are no int
        number = math.nan
    if -end < number < end:
        return number
    if column.nullable and not column.foreign_keys:
        return None
    raise ValueRefused(column.name)


def _plain(value: Any) -> Any:
    """The same data with clean texts, and integers that JSON readers cannot hold as text."""
    match value:
        case str():
            return clean_text(value)
        case bool() | None:
            return value
        case int():
            return value if -_BITS_64 <= value < 2 * _BITS_64 else str(value)
        case dict():
            return {_plain(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
    return value
