"""Messages that cannot be read: each is counted and skipped, too many in a row end the leg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.errors import LegClosed

if TYPE_CHECKING:
    from llcphone.call.core import CallCore

MOST_IN_ROW = 10
_PROTOCOL_ERROR = 1002


class BadMessageCount:
    """The count for one leg."""

    def __init__(self, core: CallCore) -> None:
        self._core = core
        self.in_row = 0
        """The reader resets it after each message that it could read."""

    def one_more(self) -> None:
        """Count one; raises ``LegClosed`` when there are too many in a row."""
        self._core.bad_messages += 1
        self.in_row += 1
        if self.in_row >= MOST_IN_ROW:
            raise LegClosed(_PROTOCOL_ERROR, "unreadable messages") from None
