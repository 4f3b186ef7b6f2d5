"""Tools as tasks: their lives, their tries, who must agree to them, and what the model reads."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone import Agent, Call, CallHandle, EndReason, Note, ToolContext
from tests.calls.memory import MemoryLeg, MemoryStage, Turn, media, open_memory, speech_started

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trio.testing import MockClock

STOP = {"event": "stop", "streamSid": "MZ1"}
rehearsal = partial(open_memory, call={"media_timeout_s": 300.0})
"""Calls whose caller may be silent for long."""


def asks(*calls: tuple[str, str], arguments: str = "{}") -> list[dict[str, Any]]:
    """The caller spoke, and the model's answer is these tool calls: their ids and names."""
    output = [
        {
            "id": f"f-{call_id}",
            "type": "function_call",
            "status": "completed",
            "call_id": call_id,
            "name": name,
            "arguments": arguments,
        }
        for call_id, name in calls
    ]
    body = {"id": f"r-{calls[0][0]}", "conversation_id": "c", "status": "in_progress"}
    return [
        speech_started(),
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 100, "item_id": "u"},
        {"type": "input_audio_buffer.committed", "item_id": f"u-{calls[0][0]}"},
        {"type": "response.created", "response": body},
        {"type": "response.done", "response": body | {"status": "completed", "output": output}},
    ]


async def live_call(stage: MemoryStage) -> tuple[Call, MemoryLeg, MemoryLeg]:
    """A call that was greeted: itself, its phone leg and its model leg."""
    call = stage.answer()
    await wait_all_tasks_blocked()
    ear = stage.join(call)
    await wait_all_tasks_blocked()
    return call, ear, stage.model


def answers(model: MemoryLeg) -> dict[str, Any]:
    """What the model was told, by tool call; fails if one was answered twice."""
    items = [message["item"] for message in model.sent if message["type"] == "conversation.item.create"]
    outputs = [item for item in items if item["type"] == "function_call_output"]
    assert len({item["call_id"] for item in outputs}) == len(outputs)
    return {item["call_id"]: json.loads(item["output"]) for item in outputs}


def creates(model: MemoryLeg) -> int:
    """Responses we asked for, the greeting's not counted."""
    return model.kinds().count("response.create") - 1


# -- side by side -------------------------------------------------------------------------------


async def test_two_tools_at_once_take_the_time_of_one_and_are_one_response(
    autojump_clock: MockClock,
) -> None:
    agent = Agent()

    @agent.tool
    async def slow() -> int:
        await trio.sleep(3)
        return 1

    async with rehearsal(agent) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "slow"), ("b", "slow")))
        await trio.sleep(3.01)
        assert answers(model) == {"a": 1, "b": 1}
        await trio.sleep(10)
        assert creates(model) == 1


async def test_tools_beyond_the_limit_wait_their_turn(autojump_clock: MockClock) -> None:
    agent = Agent()

    @agent.tool
    async def slow() -> None:
        await trio.sleep(1)

    async with rehearsal(agent, tools={"max_concurrent": 2}) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "slow"), ("b", "slow"), ("c", "slow")))
        await trio.sleep(1.01)
        assert len(answers(model)) == 2
        await trio.sleep(1)
        assert len(answers(model)) == 3


async def test_frames_and_barge_in_do_not_wait_for_a_tool(autojump_clock: MockClock) -> None:
    agent = Agent()

    @agent.tool
    async def slow() -> None:
        await trio.sleep(10)

    async with rehearsal(agent, turns=[Turn(400), Turn(800)]) as stage:
        _, ear, model = await live_call(stage)
        model.put(*asks(("a", "slow")))
        await wait_all_tasks_blocked()
        ear.put(media())
        model.put(*stage.mind.caller_turn())
        await wait_all_tasks_blocked()
        assert model.kinds()[-1] == "input_audio_buffer.append"
        assert [message["event"] for message in ear.sent].count("media") == 6
        model.put(speech_started())
        await wait_all_tasks_blocked()
        assert answers(model) == {}


async def test_a_tool_that_does_not_let_go_is_answered_for_at_its_deadline(autojump_clock: MockClock) -> None:
    agent = Agent()

    @agent.tool(timeout_s=2)
    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(20)
        return "done"

    async with rehearsal(agent) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "stubborn")))
        await trio.sleep(2.01)
        assert answers(model) == {"a": {"error": "timed out after 2 s"}}
        await trio.sleep(30)
        assert creates(model) == 1


# -- the end of the call ------------------------------------------------------------------------


async def test_hang_up_cancels_a_tool_and_lets_a_detached_one_go_on_to_its_own_limit(
    autojump_clock: MockClock,
) -> None:
    agent, ended = Agent(), {}

    async def sleeps(name: str) -> None:
        began = trio.current_time()
        try:
            await trio.sleep_forever()
        finally:
            ended[name] = round(trio.current_time() - began)

    @agent.tool
    async def own() -> None:
        await sleeps("own")

    @agent.tool(detached=True, limit_s=60)
    async def detached() -> None:
        await sleeps("detached")

    async with rehearsal(agent) as stage:
        call, ear, model = await live_call(stage)
        model.put(*asks(("a", "own"), ("b", "detached")))
        await trio.sleep(5)
        ear.put(STOP)
        assert (await call.wait()).reason is EndReason.CALLER_HUNG_UP
        assert ended == {"own": 5}
        await stage.phone.drain(100)
        assert ended == {"own": 5, "detached": 60}


async def test_a_detached_tool_finishes_its_work_after_hang_up(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    agent, sent = Agent(), []
    caplog.set_level("INFO")

    @agent.tool(detached=True, retry=1)
    async def send(tool: ToolContext) -> None:
        await trio.sleep(5)
        if tool.attempt == 1:
            raise OSError("planted")
        sent.append(tool.key)

    async with rehearsal(agent) as stage:
        call, ear, model = await live_call(stage)
        model.put(*asks(("a", "send")))
        await trio.sleep(1)
        ear.put(STOP)
        await call.wait()
        await stage.phone.drain(100)
        assert sent == ["CA1:a"]
        assert [line.event for line in caplog.records].count("tool ended after its call") == 1


# -- late ---------------------------------------------------------------------------------------


async def test_a_result_that_comes_late_is_told_later(autojump_clock: MockClock) -> None:
    agent = Agent()

    @agent.tool(timeout_s=2, late="deliver")
    async def slow() -> str:
        await trio.sleep(7)
        return '"done"'

    async with rehearsal(agent) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "slow")))
        await trio.sleep(2.01)
        assert answers(model) == {"a": {"status": "still running after 2 s; its result will follow"}}
        await trio.sleep(10)
        assert answers(model)["late-1"] == "done"
        assert creates(model) == 2


@pytest.mark.parametrize("cleanup", ["quiet", "raises"])
async def test_a_late_tool_that_never_ends_is_told_as_failed_at_its_limit(
    cleanup: str, autojump_clock: MockClock
) -> None:
    agent = Agent()

    @agent.tool(timeout_s=2, late="deliver", limit_s=9)
    async def endless() -> None:
        try:
            await trio.sleep_forever()
        finally:
            if cleanup == "raises":
                raise ValueError("planted")

    async with rehearsal(agent) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "endless")))
        await trio.sleep(9.01)
        assert answers(model)["late-1"] == {"error": "timed out after 9 s"}


# -- tries --------------------------------------------------------------------------------------


async def test_a_tool_is_tried_again_with_the_same_key_and_fresh_arguments(autojump_clock: MockClock) -> None:
    agent, tries = Agent(), []

    @agent.tool(retry=2)
    async def book(names: list[str], tool: ToolContext, call: CallHandle) -> str:
        tries.append((tool.attempt, tool.key, tool.tool_call_id, len(names), trio.current_time()))
        assert tool.call is call
        names.append("planted")
        if tool.attempt < 3:
            raise OSError("planted")
        return '"booked"'

    async with rehearsal(agent) as stage:
        _, _, model = await live_call(stage)
        began = trio.current_time()
        model.put(*asks(("a", "book"), arguments='{"names": ["Ada"]}'))
        await trio.sleep(5)
        assert [each[:4] for each in tries] == [(n, "CA1:a", "a", 1) for n in (1, 2, 3)]
        assert [round(each[4] - began, 3) for each in tries] == [0, 0.2, 0.6]  # it waits twice as long
        assert list(answers(model)) == ["a"]


async def test_a_tool_is_tried_once_unless_it_is_marked(autojump_clock: MockClock) -> None:
    agent, tries = Agent(), []

    @agent.tool
    async def book() -> None:
        tries.append(1)
        raise OSError("planted")

    async with rehearsal(agent) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "book")))
        await trio.sleep(5)
        assert (tries, answers(model)) == ([1], {"a": {"error": "OSError"}})


async def test_all_tries_have_one_deadline(autojump_clock: MockClock) -> None:
    agent, tries = Agent(), []

    @agent.tool(retry=100, timeout_s=5)
    async def book() -> None:
        tries.append(1)
        await trio.sleep(1)
        raise OSError("planted")

    async with rehearsal(agent) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "book")))
        await trio.sleep(20)
        assert answers(model) == {"a": {"error": "timed out after 5 s"}}
        assert len(tries) == 4


async def test_bad_arguments_are_told_and_not_tried_again(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent()

    @agent.tool(retry=3)
    async def book(guests: int) -> None:
        raise AssertionError("never run")

    async with rehearsal(agent) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "book"), arguments='{"guests": "Ada Lovelace"}'))
        await trio.sleep(1)
        assert answers(model) == {"a": {"error": "bad arguments: Expected `int`, got `str` - at `$.guests`"}}
        assert "Lovelace" not in caplog.text + str([line.__dict__ for line in caplog.records])


@attrs.frozen
class Picky:
    name: str = attrs.field()

    @name.validator
    def _check(self, attribute: object, value: str) -> None:
        raise LookupError(value)


async def test_a_validator_that_raises_is_news_for_the_model_too(autojump_clock: MockClock) -> None:
    agent = Agent()

    @agent.tool
    async def book(who: Picky) -> None: ...

    async with rehearsal(agent) as stage:
        call, _, model = await live_call(stage)
        model.put(*asks(("a", "book"), arguments='{"who": {"name": "Ada"}}'))
        await trio.sleep(1)
        assert answers(model) == {"a": {"error": "bad arguments: LookupError"}}
        assert call.record is None


async def test_two_calls_of_one_tool_have_two_keys(autojump_clock: MockClock) -> None:
    agent, keys = Agent(), []

    @agent.tool
    async def book(tool: ToolContext) -> None:
        keys.append(tool.key)

    async with rehearsal(agent) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "book"), ("b", "book")))
        await wait_all_tasks_blocked()
        assert sorted(keys) == ["CA1:a", "CA1:b"]


# -- approval -----------------------------------------------------------------------------------


async def always(call: CallHandle, name: str, arguments: Mapping[str, Any]) -> bool:
    assert (call.call_sid, name, arguments) == ("CA1", "pay", {"euros": 5})
    return True


async def with_a_reason(call: CallHandle, name: str, arguments: Mapping[str, Any]) -> str:
    return "too much money"


async def never(call: CallHandle, name: str, arguments: Mapping[str, Any]) -> bool:
    return False


async def silent(call: CallHandle, name: str, arguments: Mapping[str, Any]) -> bool:
    await trio.sleep_forever()
    return True


async def broken(call: CallHandle, name: str, arguments: Mapping[str, Any]) -> bool:
    raise RuntimeError("planted")


async def talkative(call: CallHandle, name: str, arguments: Mapping[str, Any]) -> Any:
    return 1


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        (always, {"paid": True}),
        (with_a_reason, {"error": "not approved: too much money"}),
        (never, {"error": "not approved: it was refused"}),
        (silent, {"error": "not approved: nobody answered in time"}),
        (broken, {"error": "not approved: nobody could be asked"}),
        (talkative, {"error": "not approved: it was refused"}),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
async def test_a_hook_decides_whether_a_tool_may_run(
    hook: Any, told: object, autojump_clock: MockClock
) -> None:
    agent, paid = Agent(), []

    @agent.tool(irreversible=True, approve=hook, approve_timeout_s=10)
    async def pay(euros: int) -> dict[str, bool]:
        paid.append(euros)
        return {"paid": True}

    async with rehearsal(agent) as stage:
        call, _, model = await live_call(stage)
        model.put(*asks(("a", "pay"), arguments='{"euros": 5}'))
        await trio.sleep(11)
        assert answers(model) == {"a": told}
        assert paid == ([5] if hook is always else [])
        assert creates(model) == 1
        assert call.record is None


async def test_a_tool_has_its_whole_time_after_a_slow_approval(autojump_clock: MockClock) -> None:
    agent = Agent()

    async def slow(call: CallHandle, name: str, arguments: Mapping[str, Any]) -> bool:
        await trio.sleep(9)
        return True

    @agent.tool(approve=slow, approve_timeout_s=10, timeout_s=5)
    async def pay() -> str:
        await trio.sleep(4)
        return '"paid"'

    async with rehearsal(agent) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "pay")))
        await trio.sleep(13.5)
        assert answers(model) == {"a": "paid"}


async def test_a_person_may_approve_from_outside_of_the_call(autojump_clock: MockClock) -> None:
    agent = Agent()
    asked: list[tuple[Call, str]] = []

    def look(call: Call, note: Note) -> None:
        if note.kind == "approval asked":
            asked.append((call, str(note.fields["call_id"])))

    @agent.tool(irreversible=True, approve="operator")
    async def pay(euros: int) -> str:
        return f'"paid {euros}"'

    async with rehearsal(agent, on_note=look) as stage:
        call, _, model = await live_call(stage)
        model.put(*asks(("a", "pay"), ("b", "pay"), arguments='{"euros": 5}'))
        await trio.sleep(5)
        assert sorted(call_id for each, call_id in asked if each is call) == ["a", "b"]
        assert [(each.name, each.arguments) for each in call.approvals.waiting] == [("pay", {"euros": 5})] * 2
        assert call.approvals.answer("a", True)
        assert call.approvals.answer("b", "ask me tomorrow")
        assert not call.approvals.answer("b", True)
        await wait_all_tasks_blocked()
        assert answers(model) == {"a": "paid 5", "b": {"error": "not approved: ask me tomorrow"}}
        assert call.approvals.waiting == []


async def test_an_onlooker_may_approve_in_the_very_moment_it_is_asked(autojump_clock: MockClock) -> None:
    agent = Agent()

    def look(call: Call, note: Note) -> None:
        if note.kind == "approval asked":
            call.approvals.answer(str(note.fields["call_id"]), True)

    @agent.tool(irreversible=True, approve="operator")
    async def pay() -> str:
        return '"paid"'

    async with rehearsal(agent, on_note=look) as stage:
        _, _, model = await live_call(stage)
        model.put(*asks(("a", "pay")))
        await wait_all_tasks_blocked()
        assert answers(model) == {"a": "paid"}


async def test_an_approval_that_comes_too_late_runs_nothing(autojump_clock: MockClock) -> None:
    agent, paid = Agent(), []

    @agent.tool(irreversible=True, approve="operator")
    async def pay() -> None:
        paid.append(1)

    async with rehearsal(agent, tools={"approve_timeout_s": 5}) as stage:
        call, _, model = await live_call(stage)
        model.put(*asks(("a", "pay")))
        await trio.sleep(5.01)
        assert not call.approvals.answer("a", True)
        await trio.sleep(5)
        assert paid == []
        assert answers(model) == {"a": {"error": "not approved: nobody answered in time"}}


async def test_hang_up_ends_the_wait_for_an_approval(autojump_clock: MockClock) -> None:
    agent, paid = Agent(), []

    @agent.tool(irreversible=True, approve="operator")
    async def pay() -> None:
        paid.append(1)

    async with rehearsal(agent) as stage:
        call, ear, model = await live_call(stage)
        model.put(*asks(("a", "pay")))
        await trio.sleep(1)
        ear.put(STOP)
        await call.wait()
        assert call.approvals.waiting == []
        assert paid == []


# -- fillers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("filler", ["speech", "tone"])
async def test_the_caller_hears_the_configured_filler_while_a_tool_works(
    filler: str, autojump_clock: MockClock
) -> None:
    agent = Agent()

    @agent.tool
    async def slow() -> None:
        await trio.sleep(10)

    sounds = {"tool_after_ms": 800, "sound": filler, "every_ms": 600_000}
    async with rehearsal(agent, filler=sounds) as stage:
        _, ear, model = await live_call(stage)
        model.put(*asks(("a", "slow")))
        await wait_all_tasks_blocked()
        before = len(ear.sent)
        await trio.sleep(0.79)
        assert len(ear.sent) == before
        await trio.sleep(0.02)
        assert ear.sent[before]["event"] == "media"
        assert [note.kind for note in stage.notes].count("filler") == 1


async def test_without_the_setting_the_caller_hears_nothing(autojump_clock: MockClock) -> None:
    agent = Agent()

    @agent.tool
    async def slow() -> None:
        await trio.sleep(10)

    async with rehearsal(agent) as stage:
        _, ear, model = await live_call(stage)
        model.put(*asks(("a", "slow")))
        await wait_all_tasks_blocked()
        before = ear.voice_ms
        await trio.sleep(9)
        assert ear.voice_ms == before  # marks that ask a silent phone whether it lives are not heard
