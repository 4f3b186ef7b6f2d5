"""A call too many gets the fallback at once, and those that are live notice nothing."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from llcphone.config.overload import OverloadConfig
from llcphone.phone.overload import HOPPED, Overload
from llcphone.sim import voices
from llcphone.sim.twilio import EndedBy
from llcphone.twilio import twiml
from tests.calls.stage import rehearsal

LATE, IN_TIME = 0.5, 0.001
START_UP_S = 5.0


def watched(*lags: float, live: int = 1, **limits: Any) -> Overload:
    """A process that has been up for a while, with this lateness last."""
    overload = Overload(OverloadConfig(**limits), lambda: live)
    for lag_s in [*[IN_TIME] * 50, *lags] if lags else []:
        overload.look(lag_s)
    return overload


async def test_one_late_moment_refuses_nobody() -> None:
    assert watched(*[IN_TIME] * 19, 3.0).reasons() == []


async def test_a_loop_that_is_late_again_and_again_refuses_until_it_recovers() -> None:
    overload = watched(*[LATE] * 6)
    assert overload.reasons() == ["the event loop is late"]
    for _ in range(20):
        overload.look(IN_TIME)
    assert overload.reasons() == []


async def test_the_lateness_of_a_start_refuses_nobody() -> None:
    overload = Overload(OverloadConfig(), lambda: 2)
    for _ in range(50):
        overload.look(LATE)
        assert overload.reasons() == []
    for _ in range(6):
        overload.look(LATE)
    assert overload.reasons() == ["the event loop is late"]


async def test_callers_in_the_first_seconds_of_a_busy_process_are_answered(autojump_clock) -> None:
    async with rehearsal() as stage:
        first = await stage.ring()
        await first.stream_started()
        for _ in range(20):
            stage.phone.overload.look(LATE)
        second = await stage.ring()
        await second.stream_started()
        for call in (first, second):
            call.hang_up()
            await call.ended()


@pytest.mark.parametrize(
    ("late_ms", "used", "refuses"),
    [(100, 0.1, False), (100, 0.6, True), (30, 1.0, False), (300, 0.1, True), (300, 0.0, True)],
)
def test_lateness_by_others_doing_refuses_only_when_it_is_far_worse(late_ms, used, refuses) -> None:
    ticks = (each / 10 for each in range(1_000))
    overload = Overload(OverloadConfig(), lambda: 2, lambda: (at := next(ticks), at, at * used))
    for lag_s in [IN_TIME] * 50 + [late_ms / 1000] * 20:
        overload.look(lag_s)
    assert bool(overload.reasons()) == refuses


async def test_without_a_live_call_the_first_is_let_in_however_late_the_loop() -> None:
    assert watched(*[LATE] * 20, live=0).reasons() == []


async def test_a_limit_of_nought_does_not_look() -> None:
    assert watched(*[LATE] * 20, lag_limit_ms=0).reasons() == []


def test_the_fallback_is_another_node_a_message_or_a_busy_tone() -> None:
    node = watched(redirect_url="https://two.example.com")
    assert node.another_node({}) == twiml.go_to("https://two.example.com/twiml?hop=1")
    signed = watched(redirect_url="https://two.example.com/a?key=b")
    assert signed.another_node({}) == twiml.go_to("https://two.example.com/a/twiml?key=b&hop=1")
    assert node.another_node({HOPPED: "1"}) == "", "two full nodes do not send a caller round in circles"
    assert watched().busy() == twiml.busy()
    assert watched(busy_message="All lines are busy.").busy() == twiml.busy("All lines are busy.")


async def test_a_call_too_many_is_answered_within_200_ms_and_the_live_one_loses_nothing(
    autojump_clock,
) -> None:
    async with rehearsal(overload={"busy_message": "All lines are busy."}) as stage:
        live = await stage.ring()
        await live.stream_started()
        await trio.sleep(START_UP_S)
        for _ in range(20):
            stage.phone.overload.look(LATE)
        second = await stage.twilio.ring()
        await second.ended()
        assert second.record.documents == [twiml.busy("All lines are busy.")]
        ((_, status, took_ms),) = second.record.requests[:1]
        assert status == 200
        assert took_ms <= 200
        await live.speak(voices.load("yes_please"))
        await live.hears(0.5)
        assert live.record.ended_by is None
        live.hang_up()
        await live.ended()


async def test_a_full_node_sends_its_callers_to_another_which_keeps_them(autojump_clock) -> None:
    async with rehearsal(script=["I am the other node."]) as other:
        settings = {"overload": {"redirect_url": other.config.server.public_url}, "server": {"max_calls": 1}}
        async with rehearsal(**settings) as stage:
            first = await stage.ring()
            await first.stream_started()
            second = await stage.twilio.ring()
            await second.stream_started()
            await second.hears(0.5)
            assert other.phone.live_calls == 1
            assert stage.phone.live_calls == 1
            assert second.record.verbs[0] == "Redirect"
            for each in (first, second):
                each.hang_up()
                await each.ended()


async def test_two_full_nodes_end_in_a_busy_tone(autojump_clock) -> None:
    async with rehearsal(server={"max_calls": 1}) as other:
        node = other.config.server.public_url
        async with rehearsal(overload={"redirect_url": node}, server={"max_calls": 1}) as stage:
            calls = [await other.ring(), await stage.ring()]
            third = await stage.twilio.ring()
            await third.ended()
            assert third.record.ended_by is EndedBy.REJECT_VERB
            assert third.record.documents[1:] == [twiml.busy()]
            for each in calls:
                each.hang_up()
                await each.ended()


async def test_who_rings_while_we_drain_gets_the_fallback(autojump_clock) -> None:
    async with rehearsal(overload={"busy_message": "Please call again in a minute."}) as stage:
        stage.phone.admission.draining = True
        call = await stage.twilio.ring()
        await call.ended()
        assert "Please call again in a minute." in call.record.documents[0]
        assert stage.phone.ready()[0] == "draining"


def test_a_call_that_is_answered_already_hears_no_busy_tone() -> None:
    assert watched().busy({"CallStatus": "in-progress"}) == twiml.hang_up()
    assert watched().busy({"CallStatus": "ringing"}) == twiml.busy()
    full = watched(busy_message="All lines are busy.")
    assert full.busy({"CallStatus": "in-progress"}) == twiml.busy("All lines are busy.")
