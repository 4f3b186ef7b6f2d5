"""A call from the account to its own number: either leg hears what the other says, and they end together."""

from __future__ import annotations

import trio

from llcphone.certify.site import Site
from llcphone.certify.telephone.line import open_line
from llcphone.certify.telephone.stream import QUIET
from llcphone.sim import voices
from llcphone.sim.twilio import EndedBy
from llcphone.testing import NUMBER
from tests.certify.test_telephone_questions import deployment


async def test_what_one_leg_says_is_heard_on_the_other(autojump_clock, no_threads) -> None:
    words = voices.load("hello")
    async with deployment() as (twilio, config):
        async with open_line(config, NUMBER, Site(config=config).recording) as line, line.legs() as legs:
            for speaks, hears in ((legs.caller, legs.callee), (legs.callee, legs.caller)):
                began_s = trio.current_time()
                speaks.say(words)
                await trio.sleep(len(words) / 8000 + 1)
                heard = b"".join(each.audio for each in hears.media(began_s))
                assert words.strip(QUIET) in heard
        placed, arrived = twilio.calls
        assert (placed.record.direction, arrived.record.direction) == ("outbound-api", "inbound")


async def test_both_calls_end_together(autojump_clock, no_threads) -> None:
    async with deployment() as (twilio, config):
        async with open_line(config, NUMBER, Site(config=config).recording) as line, line.legs():
            placed, arrived = twilio.calls
            arrived.hang_up()
            await placed.ended()
        assert placed.record.ended_by is EndedBy.CALLER
        assert arrived.record.ended_by is EndedBy.CALLER


async def test_a_call_that_is_rejected_is_busy(autojump_clock, no_threads) -> None:
    async with deployment() as (twilio, config):
        recording = Site(config=config).recording
        async with open_line(config, NUMBER, recording) as line, line.placed("/certify/x"):
            call = await twilio.outbound()
            await call.ended()
        assert call.status == "busy"
