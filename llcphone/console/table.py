"""The table of live calls: one row each, read again when something may have changed in it.

Hundreds of rows read at once would hold the event loop for milliseconds, in which no frame of any call moves.
So each look reads only rows of which something is known:

- a note of the call came since the last look. Notes that change nothing but figures (what was spent, how
  long the caller waited) wait for the second kind of look;
- such a note came about two seconds ago. Figures follow notes: a turn's wait is known when its first word
  was heard;
- the row was not read for eight seconds. An alarm that is a minute old makes no note.

A few rows are read at a time. Most notes say that the floor has moved, and to whom; no row is read for
them, unless it wants attention, which may end with the floor.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from llcphone.console.rows import Row, row_of
from llcphone.engine.notes import AgentSaid, AgentSpeaks, CallerSaid, FloorMoved, ResponseDone, Tokens
from llcphone.runtime.containment import contained

if TYPE_CHECKING:
    from llcphone.call.call import Call
    from llcphone.config.console import ConsoleConfig
    from llcphone.engine.note import Note
    from llcphone.phone.phone import Phone

LATER = 4
"""Looks after a note in which the figures that follow it are read."""
EVERY = 16
"""Looks after which a row is read in any case."""
SLICE = 20
"""Rows that are read before other tasks get their turn: two tenths of a millisecond."""
GAPS = 100
"""Turns of which the heard latency is shown as a distribution."""

_FIGURES = frozenset({AgentSaid, AgentSpeaks, CallerSaid, ResponseDone, Tokens})
"""Notes that change no more of a row than figures."""


class Table:
    """The rows of one phone's live calls."""

    def __init__(self, phone: Phone, config: ConsoleConfig) -> None:
        self._phone, self._config = phone, config
        self.rows: dict[str, Row] = {}
        self._looks = 0
        self._soon: set[str] = set()
        """Calls whose rows the next look reads because of a note."""
        self._floors: dict[str, str] = {}
        """By the call: the floor, where it has moved since the last look."""
        self._later: dict[str, int] = {}
        """By the call: the look that reads the figures which follow a note; the first one first."""
        self._read_in: dict[str, int] = {}
        """By the call: the look that has read its row last; the first one first."""
        self._turns: dict[str, int] = {}
        """How many turns of each call are in ``_gaps``."""
        self._gaps: deque[int] = deque(maxlen=GAPS)
        self._reading = trio.Lock()

    def noted(self, call_id: str, note: Note) -> None:
        """Something has happened in a call. Synchronous, and next to nothing."""
        if isinstance(note, FloorMoved):
            self._floors[call_id] = note.floor
            return
        if type(note) not in _FIGURES:
            self._soon.add(call_id)
        if call_id not in self._later:
            self._later[call_id] = self._looks + LATER

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
            live, wanted = self._phone.calls_by_id, self._take_due()
            changed = self._move_floors(wanted)
            if whole or not live.keys() <= self.rows.keys():  # calls keep their order in the table
                due = [call for call_id, call in live.items() if whole or call_id not in self.rows]
                wanted = set() if whole else wanted
            else:
                due = []
            due += [live[call_id] for call_id in wanted & self.rows.keys() & live.keys()]
            unreadable: set[str] = set()
            for at in range(0, len(due), SLICE):
                now_ms = round(trio.current_time() * 1000)
                for call in due[at : at + SLICE]:
                    row = self._read(call, now_ms)
                    if row is None:
                        unreadable.add(call.call_id)
                    elif self.rows.get(row.id) != row:
                        self.rows[row.id] = row
                        changed.append(row)
                await trio.lowlevel.checkpoint()
            gone = (self.rows.keys() - live.keys()) | (self.rows.keys() & unreadable)
            for call_id in gone:
                del self.rows[call_id]
                self._turns.pop(call_id, None)
                self._read_in.pop(call_id, None)
            return [row for row in changed if row.id not in gone], [*gone]

    def _move_floors(self, wanted: set[str]) -> list[Row]:
        """The rows whose floor has moved; those that must be read for that are added to ``wanted``."""
        moved, self._floors = self._floors, {}
        changed: list[Row] = []
        for call_id, floor in moved.items():
            row = self.rows.get(call_id)
            if row is None or call_id in wanted:
                continue
            if row.attention:
                wanted.add(call_id)
            elif (now := row.moved(floor)) != row:
                self.rows[call_id] = now
                changed.append(now)
        return changed

    def _take_due(self) -> set[str]:
        """The calls whose rows this look reads, beside those of new calls."""
        due, self._soon = self._soon, set()
        while self._later and self._later[first := next(iter(self._later))] <= self._looks:
            del self._later[first]
            due.add(first)
        for call_id, look in self._read_in.items():
            if look > self._looks - EVERY:
                break
            due.add(call_id)
        return due

    def _read(self, call: Call, now_ms: int) -> Row | None:
        """None: the call cannot be read, for its engine has broken."""
        with contained():
            row = row_of(call, self._config, now_ms, before=self.rows.get(call.call_id))
            self._read_in.pop(row.id, None)
            self._read_in[row.id] = self._looks
            if row.gap_ms is not None and self._turns.get(row.id) != row.turns:
                self._gaps.append(row.gap_ms)
            self._turns[row.id] = row.turns
            return row
        return None
