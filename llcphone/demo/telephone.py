"""The demo's telephone network and the people on it: a caller, and guests who are called.

The word ``ring`` lets the caller ring, and a ``report`` tells how it went. The word ``answer`` lets guests
pick up their telephones; how that went is the ``callees`` message, once the parent has closed the pipe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import trio

from llcphone.demo import script as story
from llcphone.demo.child import orders, perf_s, tell
from llcphone.demo.facts import CalleesFacts, PhoneFacts
from llcphone.demo.lateness import Lateness
from llcphone.demo.listening_in import play_live
from llcphone.sim.twilio import Callee, CallFaults, CallOver, Signature, SimCall, TwilioSimulator, open_twilio

PATIENCE_S = 20.0
"""The longest that a person in the demo waits for another to speak."""

OVER_S = 10.0
"""What calls get to end, their last status callbacks included, once the parent has closed the pipe."""

FIELD_LINE = CallFaults(connect_delay_s=0.365, first_frame_delay_s=0.15, comfort_noise=True)
"""The telephone's delays as observed: from TwiML to stream, from ``start`` to the first frame; its hiss."""


async def be_phone(settings: dict[str, Any]) -> None:
    """Be Twilio, the caller and the guests, until the parent closes the pipe."""
    async with (
        open_twilio(
            webhook_url="/twiml",
            auth_token=settings["auth_token"],
            public_url=settings["public_url"],
            connect_to=("127.0.0.1", settings["port"]),
            callee=_callee,
        ) as twilio,
        trio.open_nursery() as nursery,
    ):
        guests: Guests | None = None
        lateness = Lateness()
        nursery.start_soon(lateness.watch, name="lateness")
        tell("ready", url=twilio.api_url)
        async for order in orders():
            if order == "ring":
                nursery.start_soon(_ring, twilio, settings, lateness, name="caller")
            elif order == "answer":
                guests = Guests(twilio, lateness, settings["player"])
                nursery.start_soon(guests.answer, name="guest")
        if guests is not None:
            await guests.see_the_end()
            guests.report(settings["outbound_wav"])
        nursery.cancel_scope.cancel()


# -- the caller -------------------------------------------------------------------------------------------


async def _ring(twilio: TwilioSimulator, settings: dict[str, Any], lateness: Lateness) -> None:
    """Ring, hold the call, write the WAV, report."""
    forged = await twilio.ring(faults=CallFaults(webhook_signature=Signature.WRONG))
    await forged.ended()
    call = twilio.ring_nowait(faults=FIELD_LINE, on_event=lambda _, line: tell("event", what=line))
    files = [Path(file) for file in settings["files"]]
    async with play_live(call, settings["player"], _say_trouble):
        gave_up = await _hold_call(call, story.own_lines(files) if files else story.STORY, own=bool(files))
    call.write_wav(settings["wav"])
    statuses = [status for _, status, _ in forged.record.requests]
    facts = phone_facts(twilio, call, gave_up, statuses)
    tell("report", report=attrs.asdict(attrs.evolve(facts, stalls=lateness.stalls)))


def _say_trouble(what: str) -> None:
    tell("trouble", what=what)


async def _hold_call(
    call: SimCall, lines: tuple[story.Line, ...], *, own: bool = False, greeted: bool = True
) -> str:
    """A person's part; returns what they waited for in vain, "" if nothing."""
    waits_for = "the call to be answered"
    speeches = [line.load() for line in lines]
    try:
        with trio.fail_after(PATIENCE_S):
            await call.stream_started()
        if greeted:
            waits_for = "a greeting"
            with trio.fail_after(PATIENCE_S):
                await call.hears()
        for line, speech in zip(lines, speeches, strict=True):
            waits_for = "the agent to come to an end"
            with trio.fail_after(PATIENCE_S):
                if line.after_s is None:
                    await call.silence_for(story.REACTION_MS)
                else:
                    await call.hears(line.after_s)
            await call.speak(speech)
            waits_for = "an answer"
            with trio.fail_after(PATIENCE_S):
                await call.hears()
        if own:
            with trio.fail_after(PATIENCE_S):
                await call.silence_for(story.REACTION_MS)
            call.hang_up()
        waits_for = "the agent to hang up"
        with trio.fail_after(PATIENCE_S):
            await call.ended()
    except trio.TooSlowError:
        call.hang_up()
        await call.ended()
        return waits_for
    except CallOver:
        return waits_for
    return ""


# -- the guests -------------------------------------------------------------------------------------------


def _callee(number: str) -> Callee:
    if number == story.BUSY_GUEST:
        return Callee(outcome="busy", ring_s=0.8, faults=FIELD_LINE)
    return Callee(ring_s=2.0, faults=FIELD_LINE)


@attrs.define(eq=False)
class Guests:
    """The people who are called: one answers, one's line is busy."""

    twilio: TwilioSimulator
    lateness: Lateness
    player: list[str]
    _gave_up: str = "the telephone to ring"
    _hung_up: trio.Event = attrs.field(factory=trio.Event)

    async def answer(self) -> None:
        """Hold the first call that rings, and speak first in it."""
        call = await self.twilio.outbound()
        call.log.on_event = lambda _, line: tell("event", what=line)
        async with play_live(call, self.player, _say_trouble):
            self._gave_up = await _hold_call(call, story.GUEST_SAYS, greeted=False)
        self._hung_up.set()

    async def see_the_end(self) -> None:
        """Wait for the end of every call, for a while."""
        with trio.move_on_after(OVER_S):
            for call in self._calls():
                await call.ended()
                if call.answered_ms is not None:
                    await self._hung_up.wait()
                # The last status callback goes out then, and the time of the answer is not reported.
                while not _told_the_end(call):  # noqa: ASYNC110
                    await trio.sleep(0.02)

    def report(self, wav: str) -> None:
        """Write the WAV of the call that was answered, and report on all."""
        calls = {call.fields["To"]: call for call in self._calls()}
        if story.GUEST in calls:
            calls[story.GUEST].write_wav(wav)
        facts = CalleesFacts(
            stalls=self.lateness.stalls,
            orders=[form["To"][0] for form in self.twilio.rest.creates],
            calls={
                number: phone_facts(self.twilio, call, self._gave_up if number == story.GUEST else "")
                for number, call in calls.items()
            },
        )
        tell("callees", report=attrs.asdict(facts))

    def _calls(self) -> list[SimCall]:
        return [call for call in self.twilio.calls if call.record.direction == "outbound-api"]


def _told_the_end(call: SimCall) -> bool:
    """An answered call has four status callbacks, one that was not has three."""
    told = sum(purpose == "status callback" for purpose, _, _ in call.record.requests)
    return told >= (3 if call.answered_ms is None else 4)


# -- their reports ----------------------------------------------------------------------------------------


def phone_facts(
    twilio: TwilioSimulator, call: SimCall, gave_up: str, forged_statuses: list[int] | None = None
) -> PhoneFacts:
    """What the telephone network saw and the caller heard."""
    record = call.record
    started = [stream.started_at_ms for stream in record.streams if stream.started_at_ms is not None]
    return PhoneFacts(
        born_s=perf_s(call.log.born_at),
        forged_statuses=forged_statuses or [],
        requests=record.requests,
        started_ms=started[0] if started else None,
        ended_by=record.ended_by.value if record.ended_by is not None else "",
        gave_up=gave_up,
        errors=[(error.code, error.text) for error in record.errors],
        said=[(at_ms, len(audio) / 8) for at_ms, audio in call.said],
        ear=[(at_ms, len(audio) / 8) for at_ms, audio in call.ear],
        clears=[each.at_ms for each in call.received if each.event == "clear"],
        media=[(each.at_ms, each.audio_ms) for each in call.received if each.event == "media"],
        open_streams=twilio.open_streams,
        call_sid=call.sid,
        answered_ms=call.answered_ms,
    )
