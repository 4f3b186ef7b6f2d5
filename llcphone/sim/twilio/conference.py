"""Rooms of the simulated Twilio: ``<Dial><Conference>``.

A room begins when somebody enters whose ``startConferenceOnEnter`` is true; until then everybody hears the
hold music. When somebody leaves whose ``endConferenceOnExit`` is true, it is over for all
(twilio.com/docs/voice/twiml/conference). A name that is used again later is another room.
The ``statusCallback`` of the first participant that names one receives the events that were asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.sim.twilio.steps import Room, absolute

if TYPE_CHECKING:
    from llcphone.sim.twilio.call import SimCall
    from llcphone.sim.twilio.twiml import Verb

NAME_LIMIT = 128
MOST = 250
_EVENTS = {"participant-join": "join", "participant-leave": "leave"}
_EVENTS |= {"conference-start": "start", "conference-end": "end"}


def _tell(call: SimCall, room: Room, event: str) -> None:
    """Report to the server something that this call did."""
    if not room.callback or _EVENTS[event] not in room.wanted:
        return
    room.sequence += 1
    form = {
        "AccountSid": call.exchange.account_sid,
        "ConferenceSid": room.sid,
        "FriendlyName": room.name,
        "StatusCallbackEvent": event,
        "SequenceNumber": str(room.sequence),
        "Timestamp": call.timestamp.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        "Muted": "false",
        "Hold": "false",
    }
    if event.startswith("participant"):
        form["CallSid"] = call.sid
    call.notify("conference", room.callback, form)


@attrs.define(eq=False)
class _Bridge:
    """Carries one participant's voice to the others, as far as they are somebody outside."""

    room: Room
    sid: str

    async def hear_frame(self, payload: str, frame_ms: int) -> None:
        for sid, hear in self.room.ears.items():
            if sid != self.sid:
                hear(payload)

    async def hear_digit(self, digit: str) -> None:
        pass


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
    if callback and not room.callback:  # the first participant that names one
        room.callback = absolute(base, callback)
        room.wanted = frozenset(noun.get("statusCallbackEvent").split() or ["start", "end"])
    room.inside[call.sid] = call.log
    if call.handset is not None:
        room.ears[call.sid] = call.handset.hear_other
    _tell(call, room, "participant-join")
    if noun.get("startConferenceOnEnter", "true") != "false" and not room.start.is_set():
        _tell(call, room, "conference-start")
        for log in room.inside.values():
            log.event("the conference begins")
        room.start.set()
    bridge = _Bridge(room, call.sid)
    try:
        began_ms = call.log.now_ms
        try:
            call.log.event("in a conference" if room.start.is_set() else "hold music")
            if not room.start.is_set():
                call.log.show("conference", state="waiting")
            await room.start.wait()
        finally:
            call.record.on_hold_ms += call.log.now_ms - began_ms
        call.log.show("conference", state="joined")
        call.mouth.listener = bridge
        await room.over.wait()
    finally:
        call.mouth.stop_listener(bridge)
        call.log.show("conference", state="over")
        _leave(call, room, ends=noun.get("endConferenceOnExit", "false") == "true")


def _leave(call: SimCall, room: Room, *, ends: bool) -> None:
    del room.inside[call.sid]
    room.ears.pop(call.sid, None)
    _tell(call, room, "participant-leave")
    if (ends and not room.over.is_set()) or (not room.inside and not room.over.is_set()):
        room.over.set()
        room.start.set()  # no call waits for it any more
        _tell(call, room, "conference-end")
    if call.exchange.rooms.get(room.name) is room and room.over.is_set():
        del call.exchange.rooms[room.name]
