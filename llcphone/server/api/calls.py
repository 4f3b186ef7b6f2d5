"""The calls that the API shows (live ones are the phone's, ended ones are kept here), and their events.

A call's state is read from its engine when a request asks for it, so no second copy of it can differ. Of an
ended call the view and the record are kept, not the call.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import trio

from llcphone.engine.status import DialState
from llcphone.errors import StoreUnavailable
from llcphone.server.api.errors import store_unavailable
from llcphone.server.api.models import Approval, CallDetail, CallEvent, CallView, State
from llcphone.validation.bounded_dict import BoundedDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llcphone.call.call import Call
    from llcphone.engine.note import Note
    from llcphone.phone.phone import Phone
    from llcphone.store.models import CallDetails
    from llcphone.store.store import Store

REMEMBERED = 1000
"""Ended calls."""
MOST_LINES = 50_000
"""Lines and turns in all their records, some 30 MB; beyond, the oldest calls keep their view only."""
LISTENERS = 8
"""Event streams at once."""
WAITING_EVENTS = 256
"""Events that may wait for a listener; one more and its stream ends."""

_NOT_STORED = ("created_at", "dialled_after_ms", "answered_after_ms", "talking_after_ms", "answered_by")
"""Fields of a view that the store does not have, or not as exactly."""
_WRITTEN_S = 1.0
"""Longest wait for a call that has ended and is not written yet."""

_STATES: dict[DialState, State] = {
    DialState.IDLE: "warming",
    DialState.DIALLING: "dialling",
    DialState.RINGING: "ringing",
    DialState.ANSWERED: "answered",
    DialState.OVER: "ended",
}


class CallIndex:
    """The calls of one phone."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._ended: BoundedDict[str, CallDetail] = BoundedDict(REMEMBERED)
        self._whole: deque[tuple[str, int]] = deque()
        """The calls that still have their record, and how many lines that has; oldest first."""
        self._lines = 0
        self._listeners: list[trio.MemorySendChannel[CallEvent]] = []
        self._news = trio.lowlevel.ParkingLot()
        self._following = 0
        phone.on_end.append(self._keep)

    def close(self) -> None:
        """Look at no more calls."""
        self._phone.on_end.remove(self._keep)

    # -- calls ------------------------------------------------------------------------------

    def live(self, call_id: str) -> Call | None:
        """A call that has no record yet."""
        return self._phone.calls_by_id.get(call_id)

    def find(self, call_id: str) -> CallDetail | None:
        """A call, live or ended."""
        call = self.live(call_id)
        return self._ended.get(call_id) if call is None else view_of(call)

    def ended(self, call_id: str) -> CallDetail | None:
        """A call that has ended and is remembered."""
        return self._ended.get(call_id)

    def live_calls(self) -> list[Call]:
        """The calls that have no record yet."""
        return list(self._phone.calls())

    def remembered(self) -> list[CallView]:
        """The calls that have ended, as far as they are remembered."""
        return [without_record(view) for view in self._ended.values()]

    async def call_sid(self, call: Call) -> str:
        """Wait until Twilio has named the call; "" when it ended before."""
        with self._follow():
            while not call.call_sid and call.record is None:
                await self._news.park()
        return call.call_sid

    def _keep(self, call: Call) -> None:
        view = view_of(call)
        self._ended[call.call_id] = view
        if (record := call.record) is not None:
            self._whole.append((call.call_id, len(record.transcript) + len(record.turns)))
            self._lines += self._whole[-1][1]
        while self._whole and (self._lines > MOST_LINES or len(self._whole) > REMEMBERED):
            oldest, lines = self._whole.popleft()
            self._lines -= lines
            if (ended := self._ended.get(oldest)) is not None:
                ended.record = None
        self._send(call, "ended", {"reason": view.reason, "duration_s": view.duration_s}, "")

    # -- events -----------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether one more may listen."""
        return len(self._listeners) < LISTENERS

    @contextmanager
    def listen(self) -> Iterator[trio.MemoryReceiveChannel[CallEvent]]:
        """Events from now on; the channel ends when its reader is too slow for them."""
        send, receive = trio.open_memory_channel[CallEvent](WAITING_EVENTS)
        self._listeners.append(send)
        with self._follow():
            try:
                yield receive
            finally:
                self._drop(send)
                receive.close()

    @contextmanager
    def _follow(self) -> Iterator[None]:
        """Receive notes in this block; a note costs nothing while there is none."""
        observers = self._phone.observers
        if not self._following:
            observers.append(self._noted)
        self._following += 1
        try:
            yield
        finally:
            self._following -= 1
            if not self._following:
                observers.remove(self._noted)

    def _drop(self, listener: trio.MemorySendChannel[CallEvent]) -> None:
        listener.close()
        if listener in self._listeners:
            self._listeners.remove(listener)

    def _noted(self, call: Call, note: Note) -> None:
        self._send(call, note.kind, note.fields, note.words)

    def _send(self, call: Call, kind: str, fields: Mapping[str, object], words: str) -> None:
        """Inside a step of the call: nothing here waits or raises."""
        self._news.unpark_all()
        if not self._listeners:
            return
        event = CallEvent(call.call_id, round(time.time(), 3), kind, dict(fields), words)
        for listener in list(self._listeners):
            try:
                listener.send_nowait(event)
            except trio.WouldBlock:
                self._drop(listener)


def view_of(call: Call) -> CallDetail:
    """A call as it is now."""
    now, record = call.run.status, call.record
    dial = now.dial
    return CallDetail(
        id=call.call_id,
        state=_state_of(call),
        direction="outbound" if call.direction == "outbound" else "inbound",
        agent=call.run.agent.name,
        to=call.dialled,
        from_=call.caller,
        call_sid=call.call_sid or None,
        created_at=round(call.born_at, 3),
        dialled_after_ms=now.since_birth(dial.dialled_ms) if dial else None,
        answered_after_ms=now.since_birth(dial.answered_ms) if dial else None,
        talking_after_ms=now.since_birth(now.started_ms),
        duration_s=None if record is None else record.duration_s,
        answered_by=(dial.answered_by or None) if dial else None,
        reason=None if record is None else record.reason.value,
        record=None if record is None else record.as_dict(),
        approvals=[Approval(each.tool_call_id, each.name, each.arguments) for each in call.approvals.waiting],
    )


def _state_of(call: Call) -> State:
    now = call.run.status
    if call.record is not None or call.run.over:
        return "ended"
    if now.started_ms is not None:
        return "talking"
    # a call that rings us is answered by our TwiML
    return "answered" if now.dial is None else _STATES[now.dial.state]


def without_record(detail: CallDetail) -> CallView:
    """The view alone."""
    return CallView(**{name: getattr(detail, name) for name in CallView.__struct_fields__})


async def find_call(index: CallIndex, store: Store | None, call_id: str) -> CallDetail | None:
    """A call, live or ended; None: there is none.

    What is remembered of an ended one counts only until the store has it: from there it may be deleted, and
    then it is.

    Raises:
        ApiError: the database does not answer, so this is unknown.
    """
    if (call := index.live(call_id)) is not None:
        return view_of(call)
    remembered = index.ended(call_id)
    if store is None:
        return remembered
    await store.writer.catch_up(_WRITTEN_S)
    if (stored := await _stored_call(store, call_id)) is None:
        return remembered if store.writer.waiting else None
    if remembered is None:
        return stored
    return msgspec.structs.replace(stored, **{name: getattr(remembered, name) for name in _NOT_STORED})


async def _stored_call(store: Store, call_id: str) -> CallDetail | None:
    try:
        details = await store.call(call_id)
    except StoreUnavailable as error:
        raise store_unavailable(error) from None
    return None if details is None else _view_of_stored(details)


def _view_of_stored(details: CallDetails) -> CallDetail:
    summary, record = details.summary, details.record
    parts = {"call_id": summary.id, "turns": details.turns, "transcript": details.lines}
    return CallDetail(
        id=summary.id,
        state="ended",
        direction="outbound" if summary.direction == "outbound" else "inbound",
        agent=summary.agent,
        to=summary.dialled,
        from_=summary.caller,
        call_sid=summary.call_sid or None,
        created_at=round(summary.born_at, 3),
        dialled_after_ms=None,  # how it was dialled is not kept
        answered_after_ms=None,
        talking_after_ms=record.get("started_after_ms"),
        duration_s=summary.duration_s,
        answered_by=None,
        reason=summary.reason,
        record=record | parts,
    )
