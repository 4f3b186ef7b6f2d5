"""Log lines that a stranger, or a fault that comes back, could otherwise fill a disk with."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from llcphone.runtime.log_lines import Log

EVERY_S = 60.0


@attrs.define(eq=False)
class SeldomLog:
    """Says each phrase at once the first time, then at most every ``EVERY_S`` seconds, with a count.

    A wrong signature must be seen by whoever set the public URL wrong, and must not let anybody
    fill a disk.
    """

    log: Log
    _said_at: dict[str, float] = attrs.field(factory=dict, init=False)
    _unsaid: dict[str, int] = attrs.field(factory=dict, init=False)

    def warning(self, phrase: str, **fields: object) -> None:
        """Log a static phrase; ``fields`` carry no data of a caller and no payload."""
        self._log(logging.WARNING, phrase, fields)

    def error(self, phrase: str, **fields: object) -> None:
        """As ``warning``, of what somebody should look at."""
        self._log(logging.ERROR, phrase, fields)

    def _log(self, level: int, phrase: str, fields: dict[str, object]) -> None:
        count = self._unsaid.pop(phrase, 0) + 1
        now = trio.current_time()
        if now - self._said_at.get(phrase, -EVERY_S) < EVERY_S:
            self._unsaid[phrase] = count
            return
        self._said_at[phrase] = now
        self.log.log(level, phrase, extra={"count": count, **fields})
