"""Live calls at a WebSocket: one row for each call, and all that happens in those that are watched.

    down  hello rows note turn heard health    each with ``event``; see docs/12-console.md
    up    {"event": "watch", "call": id, "words": bool}    {"event": "unwatch", "call": id}

One task serves all viewers, and does nothing while there is none. It looks at the calls twice a second
(`table`) and sends the rows that have changed, encoded once for all. Watched calls are looked at four times a
second. Rows and notes carry ``seq``, a number that only grows: a page that has fetched the snapshot of
``/api/state`` ignores what is not newer. A viewer that is too slow is lost by its leg, and connects again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs
import msgspec
import trio

from llcphone.console.health import health_of
from llcphone.console.table import Table
from llcphone.console.watch import Watch
from llcphone.runtime.containment import contained
from llcphone.runtime.host import PROCESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llcphone.call.call import Call
    from llcphone.config.console import ConsoleConfig
    from llcphone.console.access import Session
    from llcphone.console.rows import Row
    from llcphone.engine.note import Note
    from llcphone.phone.phone import Phone
    from llcphone.wire.leg import Leg

BEAT_S = 0.25
ROWS_EVERY, HEALTH_EVERY = 2, 8
"""Beats."""
MOST_WATCHED = 4
"""Calls that one viewer watches."""


class Asked(msgspec.Struct):
    """A message of a page."""

    event: Literal["watch", "unwatch"]
    call: str
    words: bool = False


@attrs.define(eq=False)
class Viewer:
    """A page that is open."""

    leg: Leg
    session: Session
    watches: dict[str, Watch] = attrs.field(factory=dict)
    """By the call."""


class Live:
    """The live calls of one phone, for all pages."""

    def __init__(self, phone: Phone, config: ConsoleConfig) -> None:
        self.phone = phone
        self._table = Table(phone, config)
        self._viewers: list[Viewer] = []
        self._wanted = trio.Event()
        self._seq = 0
        self._notes: list[dict[str, Any]] = []
        """Of watched calls, still to be sent."""
        self._noted_calls: set[str] = set()
        """Watched calls in which something has happened since they were looked at."""
        self._health: dict[str, Any] = {}
        self._listening = False
        self._watched: frozenset[str] = frozenset()
        """The calls that some viewer watches."""

    # -- for requests -----------------------------------------------------------------------

    async def snapshot(self) -> tuple[int, list[Row]]:
        """All rows, and the number of the last event that is in them."""
        if not self._viewers:
            await self._look_at_rows(whole=True)
        return self._seq, self._table.sent()

    def health(self) -> dict[str, Any]:
        """How well the phone is, and how long its callers have waited of late."""
        gaps = self._table.gaps
        return {
            **health_of(self.phone),
            "gap_p50_ms": gaps[len(gaps) // 2] if gaps else None,
            "gap_p95_ms": gaps[len(gaps) * 95 // 100] if gaps else None,
        }

    # -- viewers ----------------------------------------------------------------------------

    async def serve(self, leg: Leg, session: Session) -> None:
        """Serve one page until it leaves."""
        viewer = Viewer(leg, session)
        if not self._viewers:
            await self._look_at_rows(whole=True)
        self._send(leg, "hello", seq=self._seq, process=PROCESS)
        self._send(leg, "rows", seq=self._seq, whole=True, set=self._table.sent(), gone=[])
        self._send(leg, "health", health=self.health())
        self._viewers.append(viewer)
        self._listen()
        self._wanted.set()
        try:
            while True:
                for message in await leg.receive():
                    self._obey(viewer, message)
        finally:
            self._viewers.remove(viewer)
            viewer.watches.clear()
            self._count_watched()
            self._listen()

    def _obey(self, viewer: Viewer, message: bytes) -> None:
        try:
            asked = msgspec.json.decode(message, type=Asked)
        except (ValueError, RecursionError):  # msgspec's DecodeError is a ValueError
            return  # of a page that knows more
        viewer.watches.pop(asked.call, None)
        call = self.phone.calls_by_id.get(asked.call) if asked.event == "watch" else None
        if call is not None:
            while len(viewer.watches) >= MOST_WATCHED:
                del viewer.watches[next(iter(viewer.watches))]
            viewer.watches[asked.call] = Watch(call, words=asked.words)
        self._count_watched()

    def _count_watched(self) -> None:
        self._watched = frozenset(call_id for viewer in self._viewers for call_id in viewer.watches)

    def _listen(self) -> None:
        """Hear of what happens in calls while somebody looks, and only then."""
        wanted = bool(self._viewers)
        if wanted and not self._listening:
            self.phone.observers.append(self._noted)
            self.phone.on_end.append(self._ended)
        elif self._listening and not wanted:
            self.phone.observers.remove(self._noted)
            self.phone.on_end.remove(self._ended)
        self._listening = wanted

    # -- the task ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Look at the calls while somebody does."""
        while True:
            while not self._viewers:
                self._wanted = trio.Event()
                await self._wanted.wait()
            beat, next_s, whole = 0, trio.current_time(), True
            while self._viewers:
                next_s = max(next_s + BEAT_S, trio.current_time())
                await trio.sleep_until(next_s)
                beat += 1
                if beat % ROWS_EVERY == 0:
                    await self._look_at_rows(whole=whole)
                    whole = False
                if beat % HEALTH_EVERY == 0:
                    self._look_at_health()
                await self._look_at_watched()

    # -- rows -------------------------------------------------------------------------------

    async def _look_at_rows(self, *, whole: bool = False) -> None:
        """Look at the calls, and send the rows that have changed."""
        changed, gone = await self._table.look(whole=whole)
        if changed or gone:
            self._send_notes()
            self._seq += 1
            if self._viewers:
                now_s = trio.current_time()
                rows = [row.sent(now_s) for row in changed]
                self._send_all(self._viewers, "rows", seq=self._seq, set=rows, gone=gone)

    # -- watched calls ----------------------------------------------------------------------

    def _noted(self, call: Call, note: Note) -> None:
        """Inside a step of the call: nothing here waits or raises."""
        call_id = call.call_id
        self._table.noted(call_id, note)
        if call_id in self._watched:
            self._keep(call, note.kind, note.fields)

    def _ended(self, call: Call) -> None:
        if (record := call.record) is not None and call.call_id in self._watched:
            fields = {"reason": record.reason.value, "duration_s": record.duration_s}
            self._keep(call, "ended", fields)

    def _keep(self, call: Call, kind: str, fields: Mapping[str, object]) -> None:
        self._seq += 1
        at_ms = call.run.status.since_birth(round(trio.current_time() * 1000))
        note = {"seq": self._seq, "call": call.call_id, "at_ms": at_ms, "kind": kind, "fields": fields}
        self._notes.append(note)
        self._noted_calls.add(call.call_id)

    def _send_notes(self) -> None:
        notes, self._notes = self._notes, []
        for note in notes:
            watching = [viewer for viewer in self._viewers if note["call"] in viewer.watches]
            self._send_all(watching, "note", **note)

    async def _look_at_watched(self) -> None:
        """Send what is new in watched calls to those who watch them."""
        self._send_notes()
        noted, self._noted_calls = self._noted_calls, set()
        for viewer in list(self._viewers):
            for call_id, watch in list(viewer.watches.items()):
                await self._look_at(viewer, call_id, watch, noted=call_id in noted)

    async def _look_at(self, viewer: Viewer, call_id: str, watch: Watch, *, noted: bool) -> None:
        """Send what is new in one; at first with what came before, a little at a time."""
        whole = False
        while not whole and viewer.watches.get(call_id) is watch:
            with contained() as failure:
                news = watch.news(words=viewer.session.revealed(call_id, "words"), noted=noted)
                messages = [_encoded(event, call=call_id, **fields) for event, fields in news]
                viewer.leg.send_many_nowait(messages)
                whole = not watch.behind
            if (whole and watch.over) or failure.error is not None:  # of a broken engine no more is shown
                viewer.watches.pop(call_id, None)
                self._count_watched()
            await trio.lowlevel.checkpoint()

    # -- health -----------------------------------------------------------------------------

    def _look_at_health(self) -> None:
        before, self._health = self._health, self.health()
        if self._health != before:
            self._send_all(self._viewers, "health", health=self._health)

    # -- sending ----------------------------------------------------------------------------

    @staticmethod
    def _send(leg: Leg, event: str, **fields: object) -> None:
        leg.send_nowait(_encoded(event, **fields))

    @staticmethod
    def _send_all(viewers: Iterable[Viewer], event: str, **fields: object) -> None:
        message = _encoded(event, **fields)
        for viewer in list(viewers):
            viewer.leg.send_nowait(message)


def _encoded(event: str, **fields: object) -> bytes:
    return msgspec.json.encode({"event": event, **fields})
