"""``[[elsewhere]]``: the model's first endpoint dies in the middle of calls, which go on at the second."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import EndReason
from llcphone.config.breaker import BreakerConfig
from llcphone.phone.breaker import PROBE_S
from llcphone.sim.model import Faults, Say, open_model
from tests.calls.stage import QUESTION, nothing_left, rehearsal
from tests.calls.test_a_lost_model import HOURS, agent_words, receptionist, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from trio.testing import MockClock

    from llcphone.sim.model import ModelSession, ModelSimulator
    from llcphone.sim.twilio import SimCall
    from tests.calls.stage import Rehearsal

TALKS_AGAIN_S = 6.0
"""From the death of an endpoint to the next word: one that hangs has 3 s to give a session."""
COUNT = 25


@asynccontextmanager
async def two_endpoints(**settings: Any) -> AsyncIterator[tuple[Rehearsal, ModelSimulator]]:
    async with open_model(receptionist, first_number=501) as second:
        there = {"url": second.url, "api_key": "sk-second", "model": "gpt-realtime-mini", "voice": "marin"}
        async with rehearsal(script=receptionist, elsewhere={"endpoints": [there]}, **settings) as stage:
            yield stage, second


def refuses(model: ModelSimulator) -> None:
    """Its machines are gone: sessions are cut off, and no new one begins."""
    model.faults = Faults(refuse_status=503)
    for session in model.sessions:
        session.reset()


def accepts_and_says_nothing(model: ModelSimulator) -> None:
    model.faults = Faults(silent=True)
    for session in model.sessions:
        session.reset()


def closes_at_once(model: ModelSimulator) -> None:
    model.faults = Faults(close_after_s=0.0)
    for session in model.sessions:
        session.close(1011)


def fails_by_its_key(model: ModelSimulator) -> None:
    model.faults = Faults(refuse_status=401)
    for session in model.sessions:
        session.reset()


@pytest.mark.slow
@pytest.mark.parametrize(
    "dies",
    [refuses, accepts_and_says_nothing, closes_at_once, fails_by_its_key],
    ids=lambda each: each.__name__,
)
async def test_the_first_endpoint_dies_and_every_call_talks_again(
    dies: Callable[[ModelSimulator], None], autojump_clock: MockClock
) -> None:
    """Each of 25 calls is somewhere else in its conversation."""
    chance = random.Random(dies.__name__)
    died_s = 14.0
    silent_s: list[float] = []
    async with nothing_left(), two_endpoints() as (stage, second):
        began_s = trio.current_time()

        async def converses(after_s: float) -> None:
            await trio.sleep(after_s)
            call = stage.twilio.ring_nowait()
            await call.stream_started()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(asks, call)
                await trio.sleep_until(began_s + died_s)
                since_s = trio.current_time()
                await call.hears(0.2)
                silent_s.append(trio.current_time() - since_s - 0.2)
                await trio.sleep_until(began_s + died_s + 20)
                nursery.cancel_scope.cancel()
            call.hang_up()

        async with trio.open_nursery() as nursery:
            for _ in range(COUNT):
                nursery.start_soon(converses, chance.uniform(0, died_s - 0.1))
            await trio.sleep(died_s)
            dies(stage.model)
        records = [await stage.record(nth) for nth in range(1, COUNT + 1)]
    assert len(silent_s) == COUNT
    assert {record.reason for record in records} == {EndReason.CALLER_HUNG_UP}
    assert max(silent_s) <= TALKS_AGAIN_S
    assert all(agent_words(record).count("Good morning!") <= 1 for record in records), "said twice"
    assert second.sessions


async def asks(call: SimCall) -> None:
    """Again and again, so that an answer is always under way or owed."""
    await call.hears_out(0.3, 300)
    while True:
        await call.speak(QUESTION)
        await call.hears_out(0.3, 1_000)


async def test_the_second_endpoint_is_told_what_was_heard_and_has_its_own_settings(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), two_endpoints() as (stage, second):
        call = await stage.ring()
        await call.hears_out(0.3, 300)
        await call.speak(QUESTION)
        await call.hears(1.0)
        refuses(stage.model)
        await call.hears_out(0.3, 600)
        call.hang_up()
        record = await stage.record()
        session: ModelSession = second.sessions[-1]
        assert "assistant: Good morning!" in told(session)
        assert session.path.endswith("model=gpt-realtime-mini")
        (update, *_) = session.events("session.update")
        assert update["session"]["audio"]["output"]["voice"] == "marin"
        assert HOURS.split()[-1] in agent_words(record)
        assert [gap["restored_ms"] is not None for gap in record.gaps] == [True]


async def test_new_calls_begin_elsewhere_and_come_back_within_the_breakers_time(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), two_endpoints(breaker={"failures": 3}) as (stage, second):
        refuses(stage.model)
        for nth in range(1, 5):
            call = await stage.ring()
            await call.hears(0.3)
            call.hang_up()
            assert (await stage.record(nth)).reason is EndReason.CALLER_HUNG_UP
        assert stage.phone.endpoints.down == (0,)
        assert stage.phone.ready() == []
        asked, there = len(stage.model.refusals), len(second.sessions)
        call = await stage.ring()
        await call.hears(0.3)
        call.hang_up()
        await stage.record(5)
        assert len(second.sessions) == there + 1
        assert len(stage.model.refusals) == asked, "a new call does not ask an endpoint that is down"
        stage.model.faults = Faults()
        await trio.sleep(PROBE_S + 1)
        assert stage.phone.endpoints.down == ()
        call = await stage.ring()
        await call.hears(0.3)
        call.hang_up()
        await stage.record(6)
        assert len(second.sessions) == there + 1


async def test_no_endpoint_is_left(autojump_clock: MockClock) -> None:
    """The caller hears the apology, and new ones get the fallback."""
    async with (
        nothing_left(),
        two_endpoints(breaker={"failures": 2}, recovery={"apology_file": "off"}) as (stage, second),
    ):
        refuses(stage.model)
        refuses(second)
        call = await stage.twilio.ring()
        await call.ended()
        assert stage.phone.endpoints.down == (0, 1)
        assert stage.phone.ready() == ["no model session can be opened"]
        assert BreakerConfig().failures > 2
        assert isinstance(receptionist(1, [], []), Say)
