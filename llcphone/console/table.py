"""The table of live calls: one row each, read again when something may have changed in it.

Hundreds of rows read at once would hold the event loop for milliseconds, in which no frame of any call moves.
So a row is read after each note of its call, and once more, for figures follow a note: a turn's wait is
known when its first word was heard. What changes without a note (an alarm that is a minute
old) is seen when the row's turn comes, every sixteenth look. A few rows are read at a time.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from llcphone.console.rows import Row, row_of
from llcphone.runtime.containment import contained

if TYPE_CHECKING:
    from llcphone.call.call import Call
    from llcphone.config.console import ConsoleConfig
    from llcphone.phone.phone import Phone

LOOKS = 2
"""Looks after a note in which its call's row is read."""
EVERY = 16
"""Looks, after which every row was read."""
SLICE = 10
"""Rows that are read before other tasks get their turn: a tenth of a millisecond."""
GAPS = 100
"""Turns of which the heard latency is shown as a distribution."""


class Table:
    """The rows of one phone's live calls."""

    def __init__(self, phone: Phone, config: ConsoleConfig) -> None:
        self._phone, self._config = phone, config
        self.rows: dict[str, Row] = {}
        self._looks = 0
        self._noted: dict[str, int] = {}
        """By the call: the last look in which its row is read because of a note."""
        self._turns: dict[str, int] = {}
        """How many turns of each call are in ``_gaps``."""
        self._gaps: deque[int] = deque(maxlen=GAPS)
        self._reading = trio.Lock()

    def noted(self, call_id: str) -> None:
        """Something has happened in a call. Synchronous, and next to nothing."""
        self._noted[call_id] = self._looks + LOOKS

    def sent(self) -> list[Row]:
        """All rows, as they are sent now."""
        now_s = trio.current_time()
        return [row.sent(now_s) for row in self.rows.values()]

    @property
    def gaps(self) -> list[int]:
        """The heard latencies of the last turns, the shortest first."""
        return sorted(self._gaps)

    async def look(self, *, whole: bool = False) -> tuple[list[Row], list[str]]:
        """Read rows, a few at a time; which have changed, and which calls are gone.

        Args:
            whole: all of them: nobody has told of notes since the last look.
        """
        async with self._reading:
            self._looks += 1
            self._noted = {call_id: last for call_id, last in self._noted.items() if last >= self._looks}
            calls = {call.call_id: call for call in self._phone.calls()}
            due = [call for call_id, call in calls.items() if whole or self._is_due(call_id)]
            changed: list[Row] = []
            for at in range(0, len(due), SLICE):
                now_ms = round(trio.current_time() * 1000)
                for call in due[at : at + SLICE]:
                    row = self._read(call, now_ms)
                    if row is None:
                        del calls[call.call_id]
                    elif self.rows.get(row.id) != row:
                        self.rows[row.id] = row
                        changed.append(row)
                await trio.lowlevel.checkpoint()
            gone = [call_id for call_id in self.rows if call_id not in calls]
            for call_id in gone:
                del self.rows[call_id]
                self._turns.pop(call_id, None)
            return changed, gone

    def _is_due(self, call_id: str) -> bool:
        is_new = call_id not in self.rows
        return is_new or call_id in self._noted or (hash(call_id) + self._looks) % EVERY == 0

    def _read(self, call: Call, now_ms: int) -> Row | None:
        """None: the call cannot be read, for its engine has broken."""
        with contained():
            row = row_of(call, self._config, now_ms)
            if row.gap_ms is not None and self._turns.get(row.id) != row.turns:
                self._gaps.append(row.gap_ms)
            self._turns[row.id] = row.turns
            return row
        return None
