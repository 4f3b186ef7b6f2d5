"""Log lines: a fixed phrase, and fields that are seen by every formatter.

    log = logger("llcphone.call", call=call_id)
    log.warning("tool failed", extra={"tool": name, "errors": kinds})

Under a plain ``logging.basicConfig()`` that is ``WARNING:llcphone.call:tool failed call=ef1e tool=look_up
errors=KeyError``. A formatter that writes fields apart finds them as attributes of the record, with the
phrase alone as ``event``. The text is put together when a handler asks for it.
"""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

EVERY_S = 60.0
"""Shortest time between two lines of one phrase that a stranger, or a fault that comes back, can cause."""
_PLAIN = re.compile(r"[\w.:/+@%,;-]+")


def logger(name: str, **fields: object) -> Log:
    """The logger of this name below ``llcphone``; each of its lines has these fields too."""
    return Log(logging.getLogger(name), fields)


class Line:
    """The message of one log record; its text is the phrase, then each field as ``name=value``."""

    __slots__ = ("fields", "phrase")

    def __init__(self, phrase: str, fields: Mapping[str, object]) -> None:
        self.phrase = phrase
        self.fields = fields

    def __str__(self) -> str:
        return " ".join([self.phrase, *(f"{name}={_text(value)}" for name, value in self.fields.items())])


class Log(logging.LoggerAdapter[logging.Logger]):
    """A logger whose messages are fixed phrases and whose fields travel as ``extra``."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Line, MutableMapping[str, Any]]:
        """Called only for a level that is on."""
        fields = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        kwargs["extra"] = {**fields, "event": msg}
        return Line(msg, fields), kwargs


@attrs.define(eq=False)
class SeldomLog:
    """Says each phrase at once the first time, then at most every ``EVERY_S`` seconds, with a count.

    An operator who set a wrong public URL must see the wrong signatures, but a stranger must not be able to
    fill a disk with them.
    """

    log: Log
    _said_at: dict[str, float] = attrs.field(factory=dict, init=False)
    _unsaid: dict[str, int] = attrs.field(factory=dict, init=False)

    def warning(self, phrase: str, **fields: object) -> None:
        """Log a static phrase; ``fields`` carry no data of a caller and no payload."""
        self._log(logging.WARNING, phrase, fields)

    def error(self, phrase: str, **fields: object) -> None:
        """As ``warning``, for what the operator should look at."""
        self._log(logging.ERROR, phrase, fields)

    def _log(self, level: int, phrase: str, fields: dict[str, object]) -> None:
        count = self._unsaid.pop(phrase, 0) + 1
        now = trio.current_time()
        if now - self._said_at.get(phrase, -EVERY_S) < EVERY_S:
            self._unsaid[phrase] = count
            return
        self._said_at[phrase] = now
        self.log.log(level, phrase, extra={"count": count, **fields})


def _text(value: object) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(map(_text, value))
    text = str(value)
    # quotes, so that no value can look like another field or begin a line of its own
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
