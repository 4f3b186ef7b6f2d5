"""Warm transfers: the agent speaks to the colleague while the caller hears music."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import pytest
import trio

from llcphone import Agent, CallHandle, EndReason, Outcome, open_phone
from llcphone.sim import voices
from llcphone.sim.model import CallTool, Faults, Say
from llcphone.sim.twilio import Callee, EndedBy
from llcphone.sim.twilio.rest_faults import unavailable
from llcphone.testing import rehearse
from tests.calls.stage import QUESTION, nothing_left
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trio.testing import MockClock

    from llcphone.sim.twilio import SimCall
    from llcphone.testing import Rehearsal

pytestmark = pytest.mark.usefixtures("no_threads")

SALES = "+15550100001"
GREETING = "Hello, this is the bakery."
THROUGH = "I get them for you."
BACK = "I am sorry, they cannot come."
SUMMARY = "Wants a wedding cake for Saturday."
BRIEFING = "There is a caller about a wedding cake. Will you take it?"
YES = voices.load("yes_please")


def make_script(colleague: str) -> Any:
    """What the model says to the caller, and to a colleague who answers so: "take_call", "refuse_call"."""

    def script(turn: int, conversation: list[dict[str, Any]], tools: list[Any]) -> Any:
        texts = str(conversation)
        answered = "function_call_output" in texts
        if "Brief them now" in texts:
            if turn == 1:
                return Say(BRIEFING, 1_500)
            if answered:
                return Say("Here you are.", 500)
            return CallTool(colleague, {"reason": "Come tomorrow."} if colleague == "refuse_call" else {})
        if "tried to put the caller through" in texts:
            return Say(BACK, 1_000)
        if turn == 1:
            return Say(GREETING, 1_000)
        return Say(THROUGH, 1_000) if answered else CallTool("put_through", {})

    return script


def receptionist() -> Agent:
    agent = Agent("Be brief.")

    @agent.tool(lean=True)
    async def put_through(call: CallHandle) -> Outcome:
        return await call.transfer("sales", summary=SUMMARY, warm=True)

    return agent


@asynccontextmanager
async def staged(
    journal: Path | None = None,
    *,
    colleague: str = "take_call",
    callee: Callee = Callee(),  # noqa: B008 (frozen)
    to: dict[str, Any] | None = None,
    **transfers: Any,
) -> AsyncIterator[Rehearsal]:
    destinations = {"sales": {"number": SALES, **(to or {})}}
    settings: dict[str, Any] = {"transfers": {"destinations": destinations, **transfers}}
    if journal is not None:
        settings["journal"] = {"url": url_of(journal)}
    script = make_script(colleague)
    async with rehearse(receptionist(), script=script, settings=settings, callee=callee) as stage:
        yield stage


@pytest.fixture(params=["journal", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """Both ways back to the agent: by the journal, and without one."""
    return tmp_path if request.param == "journal" else None


async def on_hold(stage: Rehearsal) -> SimCall:
    """A caller who hears music."""
    call = await stage.ring()
    await call.hears_out(0.5, 300)
    await call.speak(QUESTION)
    await stage.record()
    while not stage.twilio.exchange.rooms:
        await call.log.wait_change(trio.current_time() + 1)
    return call


async def is_briefed(stage: Rehearsal) -> SimCall:
    """A colleague who has heard what it is about."""
    colleague = await stage.twilio.outbound()
    await colleague.stream_started()
    await colleague.hears_out(1.0, 300)
    return colleague


async def both_inside(stage: Rehearsal, *calls: SimCall) -> None:
    sids = {call.sid for call in calls}
    while not any(sids <= room.inside.keys() for room in stage.twilio.exchange.rooms.values()):
        await calls[0].log.wait_change(trio.current_time() + 0.5)


def told(session: Any) -> str:
    return str([item.render() for item in session.items])


async def is_back(stage: Rehearsal, call: SimCall, why: str) -> None:
    """The caller hears the agent again, which knows the conversation and what became of the transfer."""
    await call.stream_started(2)
    await call.hears_out(0.8, 300)
    memory = told(stage.model.sessions[-1])
    assert why in memory
    assert GREETING in memory
    assert THROUGH in memory
    assert not stage.twilio.exchange.rooms


async def test_the_colleague_is_briefed_takes_the_call_and_the_agent_drops_out(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(journal) as stage:
        call = await on_hold(stage)
        colleague = await is_briefed(stage)
        assert SUMMARY in str(stage.model.sessions[-1].config)
        assert SUMMARY not in told(stage.model.sessions[0])
        await colleague.speak(YES)
        await both_inside(stage, call, colleague)
        await trio.sleep(0.1)
        assert call.record.on_hold_ms > 2_000
        assert stage.twilio.open_streams == 0, "the agent is out"
        assert stage.phone.live_calls == 0
        await trio.sleep(10)
        assert not call.over
        colleague.hang_up()
        assert (await call.ended()).ended_by is EndedBy.HANGUP_VERB
        assert (await colleague.ended()).ended_by is EndedBy.CALLER
        assert {each.reason for each in stage.records} == {EndReason.TRANSFERRED}
        assert not stage.twilio.exchange.rooms
        assert set(stage.twilio.errors) <= {31921}


async def test_a_caller_who_leaves_the_room_ends_it_for_the_colleague(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged() as stage:
        call = await on_hold(stage)
        colleague = await is_briefed(stage)
        await colleague.speak(YES)
        await both_inside(stage, call, colleague)
        call.hang_up()
        assert (await colleague.ended()).ended_by is EndedBy.HANGUP_VERB
        await call.ended()


async def test_a_colleague_who_declines_sends_the_caller_back_with_a_word_for_them(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(journal, colleague="refuse_call") as stage:
        call = await on_hold(stage)
        colleague = await is_briefed(stage)
        await colleague.speak(YES)
        await colleague.ended()
        await is_back(stage, call, "own words for the caller: Come tomorrow.")
        call.hang_up()
        await call.ended()
        assert [each.reason for each in stage.records][-1] is EndReason.CALLER_HUNG_UP


@pytest.mark.parametrize(
    ("callee", "why"),
    [
        (Callee(outcome="busy"), "the line was busy"),
        (Callee(outcome="no-answer", ring_s=100.0), "nobody answered"),
        (Callee(outcome="failed"), "could not be placed"),
        (Callee(refused=21215), "could not be placed"),
        (Callee(answered_by="machine_start", detection_s=3.0), "an answering machine answered"),
    ],
    ids=["busy", "no answer", "failed", "refused", "machine"],
)
async def test_a_colleague_who_cannot_be_had_sends_the_caller_back(
    callee: Callee, why: str, journal: Path | None, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(journal, callee=callee) as stage:
        call = await on_hold(stage)
        await is_back(stage, call, why)
        call.hang_up()
        await call.ended()


async def test_a_colleague_who_just_hangs_up_sends_the_caller_back(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged() as stage:
        call = await on_hold(stage)
        colleague = await is_briefed(stage)
        colleague.hang_up()
        await is_back(stage, call, "nobody there could take the call")
        call.hang_up()
        await call.ended()


async def test_a_colleague_who_says_yes_and_hangs_up_sends_the_caller_back(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(journal) as stage:
        call = await on_hold(stage)
        colleague = await is_briefed(stage)
        stage.phone.on_end.append(lambda _: colleague.hang_up())  # Twilio is about to ask
        await colleague.speak(YES)
        await is_back(stage, call, "nobody there could take the call")
        call.hang_up()
        await call.ended()


async def test_a_caller_who_hangs_up_on_hold_ends_the_briefing(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(journal) as stage:
        call = await on_hold(stage)
        colleague = await is_briefed(stage)
        call.hang_up()
        await call.ended()
        assert (await colleague.ended()).ended_by is EndedBy.REST
        await trio.sleep(2)
        assert (stage.phone.live_calls, len(stage.records)) == (0, 2)
        assert not stage.twilio.exchange.rooms


async def test_a_caller_who_hangs_up_while_the_colleague_says_yes_is_not_waited_for(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), staged() as stage:
        call = await on_hold(stage)
        colleague = await is_briefed(stage)
        await colleague.speak(YES)
        await colleague.hears(0.3)
        call.hang_up()
        await call.ended()
        await colleague.ended()
        assert not stage.twilio.exchange.rooms


async def test_a_caller_who_hangs_up_while_it_rings_stops_the_ringing(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged(callee=Callee(ring_s=15.0)) as stage:
        call = await on_hold(stage)
        colleague = await stage.twilio.outbound()
        await trio.sleep(3)
        call.hang_up()
        await call.ended()
        assert (await colleague.ended()).ended_by is EndedBy.CANCELED
        assert stage.phone.live_calls == 0


async def test_a_model_that_dies_in_the_briefing_sends_the_caller_back(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged() as stage:
        call = await on_hold(stage)
        await is_briefed(stage)
        stage.model.faults = Faults(refuse_status=503)
        stage.model.sessions[-1].reset()
        await trio.sleep(15)  # the apology to the colleague
        stage.model.faults = Faults()
        await is_back(stage, call, "could not be placed")
        call.hang_up()
        await call.ended()


@pytest.mark.parametrize("done", [False, True])
async def test_a_request_without_an_answer_does_not_leave_the_caller_on_hold(
    done: bool, journal: Path | None, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(journal, callee=Callee(outcome="busy")) as stage:
        stage.twilio.rest.faults.plant(on="update", reset=True, done=done)
        call = await on_hold(stage)
        await is_back(stage, call, "the line was busy")
        call.hang_up()
        await call.ended()


async def test_while_twilio_takes_no_request_it_is_tried_again(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged(callee=Callee(outcome="busy")) as stage:
        stage.twilio.rest.faults.plant(on="update", refuse=unavailable(), times=7)
        call = await on_hold(stage)
        await is_back(stage, call, "the line was busy")
        assert call.record.on_hold_ms > 5_000
        call.hang_up()
        await call.ended()


async def test_twilio_may_ask_twice_and_nobody_is_rung_twice(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged() as stage:
        call = await on_hold(stage)
        form = {"CallSid": call.sid, "CallStatus": "in-progress"}
        assert await stage.phone.after_stream(form, 0) == call.record.documents[-1]
        await is_briefed(stage)
        assert len(stage.twilio.rest.creates) == 1
        call.hang_up()
        await call.ended()


async def test_a_phone_that_is_draining_takes_the_caller_back_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(tmp_path) as stage:
        call = await stage.ring()
        await call.hears_out(0.5, 300)
        stage.phone.admission.draining = True
        await call.speak(QUESTION)
        await stage.record()
        await is_back(stage, call, "could not be placed")
        call.hang_up()
        await call.ended()
        stage.phone.admission.draining = False


async def test_twice_in_a_row(journal: Path | None, autojump_clock: MockClock) -> None:
    """The first time nobody is there, the second time somebody takes the call."""
    people = iter([Callee(outcome="busy"), Callee()])
    turns: list[int] = []

    def script(turn: int, conversation: list[dict[str, Any]], tools: list[Any]) -> Any:
        if "tried to put the caller through" in str(conversation) and "Brief them" not in str(conversation):
            turns.append(turn)
            if turn == 1:
                return Say(BACK, 1_000)
            last = conversation[-1]
            return (
                Say(THROUGH, 500)
                if last.get("type") == "function_call_output"
                else CallTool("put_through", {})
            )
        return make_script("take_call")(turn, conversation, tools)

    settings: dict[str, Any] = {"transfers": {"destinations": {"sales": {"number": SALES}}}}
    if journal is not None:
        settings["journal"] = {"url": url_of(journal)}
    async with (
        nothing_left(),
        rehearse(receptionist(), script=script, settings=settings, callee=lambda _: next(people)) as stage,
    ):
        call = await on_hold(stage)
        await is_back(stage, call, "the line was busy")
        await call.speak(QUESTION)
        colleague = await stage.twilio.outbound(2)
        await colleague.stream_started()
        await colleague.hears_out(1.0, 300)
        await colleague.speak(YES)
        await both_inside(stage, call, colleague)
        colleague.hang_up()
        await call.ended()


async def test_a_briefing_whose_stream_breaks_sends_the_caller_back_and_lets_the_colleague_go(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(journal) as stage:
        call = await on_hold(stage)
        colleague = await is_briefed(stage)
        colleague.drop()
        await is_back(stage, call, "could not be placed")
        assert (await colleague.ended()).ended_by in {EndedBy.HANGUP_VERB, EndedBy.REST}
        call.hang_up()
        await call.ended()


async def test_a_redirection_that_comes_twice_is_no_hang_up(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(journal, callee=Callee(outcome="busy")) as stage:
        call = await on_hold(stage)
        await is_back(stage, call, "the line was busy")
        hold = next(text for text in call.record.documents if "<Conference" in text)
        call.update(url=hold.partition('statusCallback="')[2].partition('/room"')[0] + "/back?why=busy")
        await call.stream_started(3)
        await call.hears(0.5)
        assert stage.records[-1].reason is EndReason.CALLER_HUNG_UP, "a stop is all that the stream tells"
        call.hang_up()
        await call.ended()


async def test_a_briefing_outlives_its_process(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with staged(tmp_path) as stage:
        call = await on_hold(stage)
        colleague = await is_briefed(stage)
        await stage.phone.drain(0)
        await trio.sleep(2.5)
        assert not call.over
        assert not colleague.over
        form = {"CallSid": colleague.sid, "CallStatus": "in-progress", "From": "+15551230002", "To": SALES}
        async with open_phone(stage.config, receptionist()) as successor:
            assert "<Connect" in await successor.after_stream({**form, "Direction": "outbound-api"}, 0)
            (again,) = successor.calls()
            assert again.run.agent.name == "briefing sales"
            assert again.state == {**again.state, "llcphone.transfer": ANY}
            assert again.state["llcphone.transfer"]["call_sid"] == call.sid
            await trio.sleep(0.5)
            assert BRIEFING in [line.text for line in again.run.lines()]
            again.end()
        call.hang_up()
        colleague.hang_up()
