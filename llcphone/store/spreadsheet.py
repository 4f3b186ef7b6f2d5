"""Calls as a table that spreadsheets read."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import attrs

from llcphone.store.models import CallSummary

if TYPE_CHECKING:
    from collections.abc import Iterable


def as_csv(found: Iterable[CallSummary], *, head: bool = True) -> str:
    """A row for each call; ``head``: the names of the columns before them."""
    text = io.StringIO()
    writer = csv.writer(text)
    if head:
        writer.writerow(field.name for field in attrs.fields(CallSummary))
    for each in found:
        writer.writerow(_cell(value) for value in attrs.astuple(each))
    return text.getvalue()


def _cell(value: object) -> object:
    """Callers' words must not become a formula when a spreadsheet opens the table; +<digits> is a number."""
    if isinstance(value, str) and value[:1] in tuple("=-@+\t\r") and not value[1:].isdigit():
        return "'" + value
    return value
