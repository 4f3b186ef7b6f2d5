"""The people of the demo: a caller, a guest who is called, and one whose line is busy."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from llcphone.demo import script as story
from llcphone.demo.facts import PhoneFacts
from llcphone.sim.twilio import Callee, CallFaults, CallOver

if TYPE_CHECKING:
    from llcphone.sim.twilio import SimCall

PATIENCE_S = 20.0
"""The longest that a person in the demo waits for another to speak."""

OVER_S = 10.0
"""What a call that is over gets until its record is there and its last status callback has arrived."""

FIELD_LINE = CallFaults(connect_delay_s=0.365, first_frame_delay_s=0.15, comfort_noise=True)
"""The telephone's delays as observed: from TwiML to stream, from ``start`` to the first frame; its hiss."""


def callee(number: str) -> Callee:
    """Who is at home at this number."""
    if number == story.BUSY_GUEST:
        return Callee(outcome="busy", ring_s=0.8, faults=FIELD_LINE)
    return Callee(ring_s=2.0, faults=FIELD_LINE)


async def hold_call(
    call: SimCall, lines: tuple[story.Line, ...], *, own: bool = False, greeted: bool = True
) -> str:
    """A person's part; returns what they waited for in vain, "" if nothing."""
    waited_for = ""

    def waits_for(what: str, besides_s: float = 0.0) -> None:
        nonlocal waited_for
        waited_for, patience.deadline = what, trio.current_time() + PATIENCE_S + besides_s

    speeches = [line.load() for line in lines]
    with trio.CancelScope() as patience, suppress(CallOver):
        waits_for("the call to be answered")
        await call.stream_started()
        if greeted:
            waits_for("a greeting")
            await call.hears()
        for line, speech in zip(lines, speeches, strict=True):
            waits_for("the agent to come to an end")
            await (call.silence_for(story.REACTION_MS) if line.after_s is None else call.hears(line.after_s))
            waits_for("an answer", len(speech) / 8000)
            await call.speak(speech)
            await call.hears()
        waits_for("the agent to hang up")
        if own:
            await call.silence_for(story.REACTION_MS)
            call.hang_up()
        await call.ended()
        return ""
    call.hang_up()
    await call.ended()
    return waited_for


async def told_the_end(call: SimCall) -> None:
    """Wait until the server was told that a call it placed is over, for a while.

    An answered call has four status callbacks, one that was not has three.
    """
    with trio.move_on_after(OVER_S):
        await call.ended()
        wanted = 3 if call.answered_ms is None else 4
        while sum(purpose == "status callback" for purpose, _, _ in call.record.requests) < wanted:  # noqa: ASYNC110
            await trio.sleep(0.02)


def phone_facts(call: SimCall, gave_up: str, open_streams: int, forged: SimCall | None = None) -> PhoneFacts:
    """What the telephone network saw and the person heard."""
    record = call.record
    started = [stream.started_at_ms for stream in record.streams if stream.started_at_ms is not None]
    return PhoneFacts(
        born_s=call.log.born_at,
        forged_statuses=[] if forged is None else [status for _, status, _ in forged.record.requests],
        requests=record.requests,
        started_ms=started[0] if started else None,
        gave_up=gave_up,
        errors=[(error.code, error.text) for error in record.errors],
        said=[(at_ms, len(audio) / 8) for at_ms, audio in call.said],
        ear=[(at_ms, len(audio) / 8) for at_ms, audio in call.ear],
        clears=[each.at_ms for each in call.received if each.event == "clear"],
        media=[(each.at_ms, each.audio_ms) for each in call.received if each.event == "media"],
        open_streams=open_streams,
        answered_ms=call.answered_ms,
    )
