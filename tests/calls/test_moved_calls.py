"""Calls that are moved to the voice webhook while we have them: by REST, <Redirect>, in either order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, EndReason
from llcphone.sim.twilio import Callee, CallFaults, EndedBy
from llcphone.testing import rehearse
from tests.calls.memory import open_memory
from tests.calls.stage import QUESTION, nothing_left
from tests.calls.test_resume import ANSWER, GREETING, script, told
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from llcphone.sim.twilio import SimCall
    from llcphone.testing import Rehearsal

pytestmark = pytest.mark.usefixtures("no_threads")


@pytest.fixture(params=["journal", "memory"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    return {"journal": {"url": url_of(tmp_path)}} if request.param == "journal" else {}


ORDERS = pytest.mark.parametrize(
    "stop_late_s", [None, 0.0, 1.0], ids=["stop first", "webhook first", "stream first"]
)
"""What comes first of the old stream's end, the webhook, and the new stream."""


async def in_mid_answer(call: SimCall) -> None:
    await call.hears_out(0.5, 300)
    await call.speak(QUESTION)
    await call.hears(2.0)


async def goes_on(stage: Rehearsal, call: SimCall) -> None:
    """The caller is with the agent again, which remembers and does not greet; then they hang up."""
    await call.stream_started(2)
    await call.hears_out(0.5, 500)
    greeting, answer = told(await stage.session(2), "assistant")[:2]
    assert greeting == GREETING
    assert ANSWER.startswith(answer)
    assert stage.phone.live_calls == 1
    call.hang_up()
    first, second = await stage.record(1), await stage.record(2)
    assert (first.run_number, second.run_number) == (0, 1)
    assert (second.resumed_from, second.call_sid) == (first.call_id, first.call_sid)
    assert [line["text"] for line in second.transcript] == [GREETING, answer, "The line is back."]
    assert second.reason is EndReason.CALLER_HUNG_UP
    record = await call.ended()
    assert record.ended_by is EndedBy.CALLER
    # The old stream is closed by us if the new one is there first; Twilio notes that, and no more.
    assert set(record.error_codes) <= ({31921} if call.faults.stop_late_s else set())
    await trio.sleep(1)
    assert (len(stage.records), len(record.streams), stage.phone.live_calls) == (2, 2, 0)


@ORDERS
@pytest.mark.parametrize("way", ["url", "redirect", "say and redirect"])
async def test_a_call_moved_to_the_voice_webhook_goes_on_with_its_memory(
    way: str, stop_late_s: float | None, settings: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with nothing_left(), rehearse(Agent("Be brief."), script=script, settings=settings) as stage:
        call = await stage.ring(faults=CallFaults(stop_late_s=stop_late_s))
        await in_mid_answer(call)
        url = f"{stage.config.server.public_url}/twiml"
        match way:
            case "url":
                call.update(url=url)
            case "redirect":
                call.update(twiml=f"<Response><Redirect>{url}</Redirect></Response>")
            case _:
                words = "<Say>Please hold the line for a moment, you are put through.</Say>"
                call.update(twiml=f"<Response>{words}<Redirect>{url}</Redirect></Response>")
        await goes_on(stage, call)


@ORDERS
async def test_a_moved_call_can_be_moved_again_and_outlive_its_stream(
    stop_late_s: float | None, tmp_path: Path, autojump_clock: MockClock
) -> None:
    settings = {"journal": {"url": url_of(tmp_path)}}
    async with nothing_left(), rehearse(Agent("Be brief."), script=script, settings=settings) as stage:
        call = await stage.ring(faults=CallFaults(stop_late_s=stop_late_s))
        await in_mid_answer(call)
        for run in (2, 3):
            call.update(url=f"{stage.config.server.public_url}/twiml")
            await call.stream_started(run)
            await call.hears_out(0.5, 500)
        call.drop()  # the journal has the newest run
        await call.stream_started(4)
        await call.hears(0.5)
        assert GREETING in told(await stage.session(4), "assistant")
        call.hang_up()
        last = await stage.record(4)
        assert [record.run_number for record in stage.records] == [0, 1, 2, 3]
        assert last.resumed_from == stage.records[2].call_id


@ORDERS
@pytest.mark.parametrize("there", ["/twiml", "/elsewhere"])
async def test_an_outbound_call_that_is_moved_is_not_hung_up_by_us(
    there: str, stop_late_s: float | None, settings: dict[str, Any], autojump_clock: MockClock
) -> None:
    settings |= {"outbound": {"allow_prefixes": ["+1555"]}}
    agent = Agent("Be brief.", opening="greet")
    callee = Callee(faults=CallFaults(stop_late_s=stop_late_s))
    async with rehearse(agent, script=script, callee=callee, settings=settings) as stage:
        stage.phone.place_call("+15551239999")
        call = await stage.twilio.outbound()
        await call.stream_started()
        await in_mid_answer(call)
        if there == "/twiml":
            call.update(url=f"{stage.config.server.public_url}/twiml")
            await goes_on(stage, call)
        else:
            call.update(twiml='<Response><Pause length="30"/></Response>')
            await trio.sleep(20)
            assert not call.over
            assert (await call.ended()).ended_by is EndedBy.END_OF_TWIML
        posts = [path for method, path in stage.twilio.rest.requests if method == "POST"]
        assert posts == ["Calls.json"], "only the order itself"


async def test_a_repeated_webhook_gets_the_same_document_until_the_stream_is_there(
    autojump_clock: MockClock,
) -> None:
    async with open_memory() as stage:
        call = stage.answer()
        form = {"CallSid": call.call_sid, "CallStatus": "in-progress"}
        assert {stage.phone.answer(form) for _ in range(3)} == {call.twiml}
        await trio.sleep(1)
        stage.join(call)
        await trio.sleep(1)
        again = {stage.phone.answer(form) for _ in range(3)}
        assert len(again) == 1
        assert again != {call.twiml}
        (document,) = again
        token = document.partition("/media/")[2].partition('"')[0]
        assert stage.phone.expects(token)
        assert not call.run.over, "the webhook alone may be a repetition"
        call.end()
        await call
        assert not stage.phone.expects(token)


async def test_a_webhook_for_a_live_call_costs_nothing_if_no_stream_follows(
    autojump_clock: MockClock,
) -> None:
    async with rehearse(Agent("Be brief."), script=script) as stage:
        call = await stage.ring()
        await call.hears(0.5)
        stage.phone.answer({"CallSid": call.sid, "CallStatus": "in-progress", **call.fields})
        await trio.sleep(5)
        assert (len(stage.model.sessions), stage.phone.live_calls) == (1, 1)
        stage.phone.calls()[0].end()
        await stage.record()
        await trio.sleep(1)
        assert (len(stage.model.sessions), stage.phone.live_calls) == (1, 0)


async def test_a_call_that_the_agent_has_ended_is_a_new_one_when_it_comes_back(
    autojump_clock: MockClock,
) -> None:
    async with rehearse(Agent("Be brief."), script=script) as stage:
        call = await stage.ring()
        await call.hears(0.5)
        stage.phone.calls()[0].hang_up()
        await stage.record()
        form = {**call.fields, "CallSid": call.sid, "CallStatus": "in-progress"}
        stage.phone.answer(form)
        (new,) = stage.phone.calls()
        assert (new.run_number, new.resumed_from) == (0, "")
        new.end()


async def test_what_was_heard_is_forgotten_after_some_minutes(autojump_clock: MockClock) -> None:
    async with rehearse(Agent("Be brief."), script=script) as stage:
        call = await stage.ring()
        await call.hears(0.5)
        call.hang_up()
        await stage.record()
        await trio.sleep(301)
        form = {**call.fields, "CallSid": call.sid, "CallStatus": "in-progress"}
        stage.phone.answer(form)
        (new,) = stage.phone.calls()
        assert new.run_number == 0
        new.end()
