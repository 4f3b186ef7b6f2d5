"""A fault in one call, ours or the user's, ends that call at most; the others do not notice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone import Agent, Call, CallHandle, CallRecord, EndReason
from llcphone.errors import NoAgent
from llcphone.runtime.containment import kinds_of
from tests.calls.memory import MemoryLeg, MemoryStage, Turn, media, open_memory
from tests.calls.stage import engine_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trio.testing import MockClock


class Odd(BaseException):
    """Neither an Exception nor one that Python knows."""


WAYS = [RuntimeError, SystemExit, Odd, asyncio.CancelledError, GeneratorExit, BaseExceptionGroup]


def thrown(kind: type[BaseException]) -> BaseException:
    """What user code may raise; a group holds several."""
    if kind is BaseExceptionGroup:
        return BaseExceptionGroup("planted", [SystemExit("planted"), ValueError("planted")])
    return kind("planted")


async def live_call(stage: MemoryStage) -> tuple[Call, MemoryLeg, MemoryLeg]:
    """A call in its middle: itself, its phone leg and its model leg."""
    call = stage.answer()
    await wait_all_tasks_blocked()
    ear = stage.join(call)
    await wait_all_tasks_blocked()
    return call, ear, stage.model


async def lives_on(ear: MemoryLeg, model: MemoryLeg) -> bool:
    """Whether a frame of this caller still reaches the model."""
    before = model.kinds().count("input_audio_buffer.append")
    ear.put(media())
    await wait_all_tasks_blocked()
    return model.kinds().count("input_audio_buffer.append") == before + 1


# -- our own code -------------------------------------------------------------------------------


@pytest.mark.parametrize("spot", ["hear", "handle", "_settle", "next_deadline_ms"])
async def test_a_bug_in_the_engine_ends_the_call_that_met_it(spot: str, autojump_clock: MockClock) -> None:
    def bug(*args: object, **more: object) -> None:
        raise RuntimeError("planted")

    async with open_memory(turns=[Turn(800)]) as stage:
        _, other_ear, other_model = await live_call(stage)
        call, ear, model = await live_call(stage)
        engine = engine_of(call)
        engine.__class__ = type(
            "Faulty", (engine.__class__,), {spot: property(bug) if "next" in spot else bug}
        )
        vars(engine).pop(spot, None)  # what is an attribute of this engine hides its class's
        ear.put(media())
        ear.put({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "1"}})
        record = await call.wait()
        assert record.reason is EndReason.FAILED
        assert ear.freed_at is not None
        assert model.freed_at is not None
        assert await lives_on(other_ear, other_model)


async def test_a_record_is_written_even_when_it_cannot_be_made(autojump_clock: MockClock) -> None:
    async with open_memory(turns=[Turn(800)]) as stage:
        _, other_ear, other_model = await live_call(stage)
        call, ear, _ = await live_call(stage)
        engine_of(call).state.talk.history = None  # type: ignore[assignment]
        ear.put({"event": "stop", "streamSid": "MZ1"})
        record = await call.wait()
        assert (record.reason, record.call_id) == (EndReason.CALLER_HUNG_UP, call.call_id)
        assert await lives_on(other_ear, other_model)


# -- the user's code ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WAYS)
async def test_a_record_that_its_taker_cannot_take_ends_no_other_call(
    kind: type[BaseException], autojump_clock: MockClock
) -> None:
    def taker(record: CallRecord) -> None:
        raise thrown(kind)

    async with open_memory(turns=[Turn(800)], on_record=taker) as stage:
        _, other_ear, other_model = await live_call(stage)
        call, ear, _ = await live_call(stage)
        ear.put({"event": "stop", "streamSid": "MZ1"})
        assert (await call.wait()).reason is EndReason.CALLER_HUNG_UP
        assert await lives_on(other_ear, other_model)


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.parametrize("hook", ["start", "digit"])
async def test_a_hook_that_raises_ends_its_call_only(
    hook: str, kind: type[BaseException], autojump_clock: MockClock
) -> None:
    agent = Agent("Be brief.")

    @agent.on_start
    async def on_start(call: CallHandle) -> None:
        if (hook, call.call_sid) == ("start", "CA2"):
            raise thrown(kind)

    @agent.on_digit
    async def on_digit(call: CallHandle, digit: str) -> None:
        raise thrown(kind)

    async with open_memory(agent, turns=[Turn(800)]) as stage:
        _, other_ear, other_model = await live_call(stage)
        call, ear, _ = await live_call(stage)
        ear.put({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "1"}})
        assert (await call.wait()).reason is EndReason.FAILED
        assert await lives_on(other_ear, other_model)


async def test_a_cancellation_that_a_hook_has_kept_ends_its_call_only(autojump_clock: MockClock) -> None:
    agent = Agent("Be brief.")

    @agent.on_digit
    async def on_digit(call: CallHandle, digit: str) -> None:
        kept: list[BaseException] = []
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as exc:
                kept.append(exc)
        raise kept[0]

    async with open_memory(agent, turns=[Turn(800)]) as stage:
        _, other_ear, other_model = await live_call(stage)
        call, ear, _ = await live_call(stage)
        ear.put({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "1"}})
        assert (await call.wait()).reason in {EndReason.FAILED, EndReason.CANCELLED}
        assert await lives_on(other_ear, other_model)


async def test_ctrl_c_in_a_hook_still_ends_the_process() -> None:
    agent = Agent("Be brief.")

    @agent.on_start
    async def on_start(call: CallHandle) -> None:
        raise KeyboardInterrupt

    async def hold() -> None:
        async with open_memory(agent, turns=[Turn(800)]) as stage:
            await live_call(stage)
            await trio.sleep(5)

    with pytest.raises(BaseExceptionGroup) as out:
        await hold()
    assert kinds_of(out.value) == ["KeyboardInterrupt"]


@pytest.mark.parametrize("kind", WAYS)
async def test_a_brief_that_raises_is_left_out(kind: type[BaseException], autojump_clock: MockClock) -> None:
    agent = Agent("Be brief.")

    @agent.brief
    def brief(call: CallHandle) -> str:
        raise thrown(kind)

    async with open_memory(agent, turns=[Turn(800)]) as stage:
        call, ear, model = await live_call(stage)
        assert await lives_on(ear, model)
        assert call.run.setup.session["instructions"] == "Be brief."


@pytest.mark.parametrize("brief", [7, b"bytes", ["a"]])
async def test_a_brief_that_is_no_text_is_left_out(brief: object, autojump_clock: MockClock) -> None:
    agent = Agent("Be brief.")
    agent.brief(lambda call: brief)  # type: ignore[arg-type,return-value]
    async with open_memory(agent, turns=[Turn(800)]) as stage:
        call, ear, model = await live_call(stage)
        assert await lives_on(ear, model)
        assert call.run.setup.session["instructions"] == "Be brief."


async def test_text_that_cannot_be_sent_or_kept_is_cleaned_in_the_prompt(autojump_clock: MockClock) -> None:
    agent = Agent("Be \x00brief.", greeting_cue="Greet \ud83d.")
    agent.brief(lambda call: "Caf\udce9")
    async with open_memory(agent, turns=[Turn(800)]) as stage:
        call, ear, model = await live_call(stage)
        assert await lives_on(ear, model)
        assert call.run.setup.session["instructions"] == "Be \ufffdbrief.\n\nCaf\ufffd"
        assert call.context == "Caf\ufffd"
        assert call.run.setup.greeting_cue == "Greet \ufffd."


@pytest.mark.parametrize("kind", [*WAYS, type(None)])
async def test_a_chooser_that_fails_costs_the_call_it_was_asked_about(
    kind: type[BaseException], autojump_clock: MockClock
) -> None:
    def choose(form: Mapping[str, str]) -> Agent:
        if form["CallSid"] == "CA1":
            return Agent("Be brief.")
        if kind is type(None):
            return None  # type: ignore[return-value]
        raise thrown(kind)

    async with open_memory(choose, turns=[Turn(800)]) as stage:
        _, other_ear, other_model = await live_call(stage)
        with pytest.raises(NoAgent) as refused:
            stage.answer()
        assert "planted" not in str(refused.value)
        assert await lives_on(other_ear, other_model)


@pytest.mark.parametrize("kind", WAYS)
async def test_an_onlooker_that_raises_is_logged_and_ends_nothing(
    kind: type[BaseException], autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    def look(call: Call, note: object) -> None:
        seen.append(call.call_sid)
        raise thrown(kind)

    async with open_memory(turns=[Turn(800)], on_note=look) as stage:
        _, other_ear, other_model = await live_call(stage)
        _, ear, model = await live_call(stage)
        assert await lives_on(ear, model)
        assert await lives_on(other_ear, other_model)
        assert stage.phone.faults.counts["note not taken"] == len(seen) > 10
    said = [record for record in caplog.records if record.event == "note not taken"]
    assert len(said) == 1  # and not once for each note
    assert vars(said[0])["errors"] == kinds_of(thrown(kind))
    assert "planted" not in caplog.text


class Strange:
    def __str__(self) -> str:
        raise RuntimeError("planted")


async def raises() -> None:
    raise ValueError("planted")


async def fails_in_its_nursery() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(raises)


async def fails_when_its_time_is_up() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("planted")


async def gives_what_json_cannot_hold() -> list[object]:
    endless: list[object] = []
    endless.append(endless)
    return endless


async def gives_half_a_character() -> str:
    return "\ud800"


async def gives_what_cannot_be_written() -> Strange:
    return Strange()


BAD_TOOLS = [
    raises,
    fails_in_its_nursery,
    fails_when_its_time_is_up,
    gives_what_json_cannot_hold,
    gives_half_a_character,
    gives_what_cannot_be_written,
]


@pytest.mark.parametrize("detached", [False, True], ids=["own", "detached"])
@pytest.mark.parametrize("function", BAD_TOOLS, ids=lambda each: each.__name__)
async def test_a_tool_that_fails_is_news_for_the_model_and_ends_nothing(
    function: object, detached: bool, autojump_clock: MockClock
) -> None:
    agent = Agent("Be brief.")
    agent.tool(name="look_up", timeout_s=0.5, detached=detached)(function)  # type: ignore[call-overload]
    async with open_memory(agent, turns=[Turn(800, tool="look_up")]) as stage:
        call, ear, model = await live_call(stage)
        await trio.sleep(1)
        assert model.kinds().count("response.create") == 2
        answers = [message["item"] for message in model.sent if message["type"] == "conversation.item.create"]
        assert [item["call_id"] for item in answers if item["type"] == "function_call_output"] == ["call1"]
        assert await lives_on(ear, model)
        ear.put({"event": "stop", "streamSid": "MZ1"})
        assert (await call.wait()).reason is EndReason.CALLER_HUNG_UP


@pytest.mark.parametrize("function", [fails_when_its_time_is_up], ids=lambda each: each.__name__)
async def test_a_tool_that_fails_as_it_is_cancelled_does_not_change_why_the_call_ended(
    function: object, autojump_clock: MockClock
) -> None:
    agent = Agent("Be brief.")
    agent.tool(name="look_up")(function)  # type: ignore[call-overload]
    async with open_memory(agent, turns=[Turn(800, tool="look_up")]) as stage:
        call, ear, _ = await live_call(stage)
        ear.put({"event": "stop", "streamSid": "MZ1"})
        assert (await call.wait()).reason is EndReason.CALLER_HUNG_UP


# -- after the end ------------------------------------------------------------------------------


async def test_after_its_end_a_call_decides_nothing(autojump_clock: MockClock) -> None:
    async with open_memory() as stage:
        call, _, _ = await live_call(stage)
        stage.calls.cancel_scope.cancel()  # no EndCall of the engine's
        assert (await call.wait()).reason is EndReason.CANCELLED
        noted = len(stage.notes)
        call.hang_up()
        call.end()
        assert len(stage.notes) == noted


async def test_a_detached_tool_outlives_its_call_and_drain_waits_for_it(autojump_clock: MockClock) -> None:
    agent = Agent("Be brief.")
    written: list[float] = []

    @agent.tool(detached=True, timeout_s=20)
    async def write_it_down() -> str:
        await trio.sleep(5)
        written.append(trio.current_time())
        return "done"

    async with open_memory(agent, turns=[Turn(800, tool="write_it_down")]) as stage:
        call, ear, _ = await live_call(stage)
        ear.put({"event": "stop", "streamSid": "MZ1"})
        record = await call.wait()
        ended_at, noted = trio.current_time(), len(stage.notes)
        await stage.phone.drain(10)
        assert written == [trio.current_time()]
        assert written[0] - ended_at == pytest.approx(5, abs=0.1)
        assert (stage.records, len(stage.notes)) == ([record], noted)


async def test_whoever_drains_is_told_when_it_is_done(autojump_clock: MockClock) -> None:
    async with open_memory() as stage:
        _, ear, _ = await live_call(stage)
        begin = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.phone.drain, 100)
            nursery.start_soon(stage.phone.drain, 100)
            await trio.sleep(1)
            ear.put({"event": "stop", "streamSid": "MZ1"})
        assert trio.current_time() - begin < 2


async def test_a_detached_task_that_fails_ends_no_call(autojump_clock: MockClock) -> None:
    async with open_memory(turns=[Turn(800)]) as stage:
        _, ear, model = await live_call(stage)
        stage.phone._calls.start_task(raises, name="planted")
        stage.phone._calls.start_task(fails_in_its_nursery, name="planted")
        await wait_all_tasks_blocked()
        assert await lives_on(ear, model)
        ear.put({"event": "stop", "streamSid": "MZ1"})
        begin = trio.current_time()
        await stage.phone.drain(10)
        assert trio.current_time() == begin
