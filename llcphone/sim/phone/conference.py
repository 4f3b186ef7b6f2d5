"""Rooms of the simulated Twilio: ``<Dial><Conference>``.

A room begins when somebody enters whose ``startConferenceOnEnter`` is true; until then everybody hears the
hold music. When somebody leaves whose ``endConferenceOnExit`` is true, it is over for all
(twilio.com/docs/voice/twiml/conference). A name that is used again later is another room.
``statusCallback`` is the one of whoever entered first with one, told of the events that were asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.sim.phone.steps import absolute, make_sid

if TYPE_CHECKING:
    from llcphone.sim.phone.call import SimCall
    from llcphone.sim.phone.twiml import Verb

NAME_LIMIT = 128
MOST = 250
_EVENTS = {"participant-join": "join", "participant-leave": "leave"}
_EVENTS |= {"conference-start": "start", "conference-end": "end"}


@attrs.define(eq=False)
class Room:
    """A conference while anybody is in it."""

    name: str
    sid: str = attrs.field(factory=lambda: make_sid("CF"))
    inside: list[SimCall] = attrs.field(factory=list)
    """Who is in it, in the order of entering."""
    start: trio.Event = attrs.field(factory=trio.Event)
    over: trio.Event = attrs.field(factory=trio.Event)
    _callback: str = ""
    _wanted: frozenset[str] = frozenset()
    _sequence: int = 0

    @property
    def begun(self) -> bool:
        """Those inside hear each other."""
        return self.start.is_set()

    def tells(self, url: str, events: str) -> None:
        """Whoever first asks for events gets them all."""
        if url and not self._callback:
            self._callback, self._wanted = url, frozenset(events.split() or ["start", "end"])

    def tell(self, call: SimCall, event: str) -> None:
        """Tell the server of something that this call did."""
        if not self._callback or _EVENTS[event] not in self._wanted:
            return
        self._sequence += 1
        form = {
            "AccountSid": call.exchange.account_sid,
            "ConferenceSid": self.sid,
            "FriendlyName": self.name,
            "StatusCallbackEvent": event,
            "SequenceNumber": str(self._sequence),
            "Timestamp": call.timestamp.strftime("%a, %d %b %Y %H:%M:%S +0000"),
            "Muted": "false",
            "Hold": "false",
        }
        if event.startswith("participant"):
            form["CallSid"] = call.sid
        call.notify("conference", self._callback, form)


async def confer(call: SimCall, noun: Verb, base: str) -> None:
    """Be in the room until it is over."""
    name = noun.text
    if not name or len(name) > NAME_LIMIT:
        call.log.error(13232, "<Conference> without a name, or with one that is too long")
        return
    rooms = call.exchange.rooms
    room = rooms.get(name)
    if room is None:
        room = rooms[name] = Room(name)
    if len(room.inside) >= noun.number("maxParticipants", MOST):
        call.log.note("the conference is full")
        return
    callback = noun.get("statusCallback")
    room.tells(absolute(base, callback) if callback else "", noun.get("statusCallbackEvent"))
    room.inside.append(call)
    room.tell(call, "participant-join")
    if noun.get("startConferenceOnEnter", "true") != "false" and not room.begun:
        room.tell(call, "conference-start")
        for each in room.inside:
            each.log.event("the conference begins")
        room.start.set()
    try:
        began_ms = call.log.now_ms
        try:
            call.log.event("in a conference" if room.begun else "hold music")
            await room.start.wait()
        finally:
            call.record.on_hold_ms += call.log.now_ms - began_ms
        await room.over.wait()
    finally:
        _leave(call, room, ends=noun.get("endConferenceOnExit", "false") == "true")


def _leave(call: SimCall, room: Room, *, ends: bool) -> None:
    room.inside.remove(call)
    room.tell(call, "participant-leave")
    if (ends and not room.over.is_set()) or (not room.inside and not room.over.is_set()):
        room.over.set()
        room.start.set()  # nobody waits for it any more
        room.tell(call, "conference-end")
    if call.exchange.rooms.get(room.name) is room and room.over.is_set():
        del call.exchange.rooms[room.name]
