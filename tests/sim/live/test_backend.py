"""The backend: delegations, function calls, what is refused of it, and that the voice waits for it."""

from __future__ import annotations

import json

import msgspec
import pytest
import trio

from llcphone.sim.live import (
    Assumptions,
    CallTool,
    Event,
    Fail,
    Faults,
    Incomplete,
    LiveScript,
    Pace,
    Say,
    Stall,
    open_live,
)
from tests.sim.live.client import BACKEND, talk

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Five, three."}]}


def nested(client):
    return [each["event"]["type"].removeprefix("response.") for each in client.of("response.event")]


async def called(client):
    """The caller asks; the function call that comes of it."""
    await client.says()
    done = await client.until_backend("response.output_item.done")
    await client.until_backend("response.completed")
    return done["item"]


async def test_a_function_call_takes_its_events_in_order(autojump_clock):
    script = [[Say("One moment."), CallTool("look", {"where": "here"})], "Here you are."]
    async with open_live(script) as live, talk(live, delegation=BACKEND) as client:
        await client.says(1000)
        created = await client.until("session.delegation.created")
        assert created["offset_ms"] == 1500
        delegation = created["delegation"]
        assert delegation["target"] == "responses"
        began = trio.current_time()
        done = await client.until_backend("response.completed")
        assert trio.current_time() - began == pytest.approx(0.7)
        assert nested(client) == [
            "created",
            "in_progress",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        ]
        events = client.of("response.event")
        assert {each["delegation_id"] for each in events} == {delegation["id"]}
        assert events[0]["event"]["response"]["id"] == delegation["response_id"]
        assert [each["event"]["sequence_number"] for each in events] == list(range(7))
        call = events[5]["event"]["item"]
        assert (call["name"], json.loads(call["arguments"])) == ("look", {"where": "here"})
        assert done["response"]["usage"]["total_tokens"] > 0
        await client.output(call["call_id"], "All well.")
        await client.send("response.create")
        await client.until_backend("response.completed")
        assert nested(client)[7:] == [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
        await client.feed(3000)
        await client.quiet_for(1)
        assert live.sessions[0].said == ["One moment.", "Here you are."]
        assert live.sessions[0].calls[0].output == "All well."
        assert live.sessions[0].refusals == []


async def test_a_create_comes_after_every_output_and_not_before(autojump_clock):
    script = [[CallTool("look"), CallTool("look", {"n": 2})], "Done."]
    async with open_live(script) as live, talk(live, delegation=BACKEND) as client:
        await client.says()
        await client.until_backend("response.created")
        await client.send("response.create", event_id="running")
        began = trio.current_time()
        error = await client.error()
        assert trio.current_time() - began == pytest.approx(0.064)
        code = "function_call_outputs_required"
        assert (error["code"], error["client_event_id"]) == (code, "running")
        await client.until_backend("response.completed")
        first, second = live.sessions[0].calls
        await client.output(first.id)
        await client.send("response.create", event_id="one missing")
        error = await client.error()
        assert (error["code"], error["client_event_id"]) == (code, "one missing")
        await client.output(second.id)
        await client.send("response.create")
        await client.until_backend("response.completed")
        await client.send("response.create", event_id="nothing new")
        assert (await client.error())["client_event_id"] == "nothing new"
        assert len(live.sessions[0].backend.responses) == 2


async def test_an_output_answers_one_call_once(autojump_clock):
    async with open_live([CallTool("look")]) as live, talk(live, delegation=BACKEND) as client:
        call = await called(client)
        for call_id in ("call_unknown", call["call_id"], call["call_id"]):
            await client.output(call_id)
        assert (await client.error())["param"] == "item.call_id"
        assert "has an output" in (await client.error())["message"]
        assert len(live.sessions[0].refusals) == 2


@pytest.mark.parametrize(
    ("end", "status"),
    [(Fail(), "failed"), (Incomplete(), "incomplete"), (Incomplete("content_filter"), "incomplete")],
)
async def test_calls_of_a_response_that_did_not_complete_are_void(end, status, autojump_clock):
    script = [[CallTool("look"), end], "Something else."]
    async with open_live(script) as live, talk(live, delegation=BACKEND) as client:
        await client.says()
        done = await client.until_backend(f"response.{status}")
        assert done["response"]["status"] == status
        await client.output(live.sessions[0].calls[0].id)
        assert (await client.error())["param"] == "item.call_id"
        await client.says()
        await client.quiet_for(1)
        assert live.sessions[0].said == ["Something else."]


async def test_while_a_call_is_pending_new_questions_are_held(autojump_clock):
    script = LiveScript([CallTool("look"), "The result.", "The other answer."], hears=["One", "Two"])
    async with open_live(script) as live, talk(live, delegation=BACKEND) as client:
        call = await called(client)
        session = live.sessions[0]
        await client.says(then=6000)
        await client.quiet_for(1)
        assert client.words("input") == "OneTwo"
        assert session.loud_out == []
        await client.comment("Say exactly this, add nothing: One moment.")
        await client.feed(3000)
        await client.quiet_for(1)
        assert session.said == ["One moment."]
        await client.output(call["call_id"])
        await client.send("response.create")
        await client.until_backend("response.completed")
        idle_ms = session.clock.now_ms
        await client.feed(6000)
        await client.quiet_for(1)
        assert session.said == ["One moment.", "The result.", "The other answer."]
        result, answer = session.voice.said[1:]
        assert result.begins_ms - idle_ms <= 200
        assert answer.begins_ms > result.begins_ms


async def test_a_backend_that_never_answers_holds_the_caller_for_ever(autojump_clock):
    script = [[CallTool("look"), Stall()], "The answer."]
    async with open_live(script) as live, talk(live, delegation=BACKEND) as client:
        await client.says()
        await client.says()
        await client.quiet_for(20)
        assert "completed" not in nested(client)
        assert live.sessions[0].said == []


async def test_a_question_that_was_held_is_answered_when_the_backend_fails(autojump_clock):
    script = [CallTool("look"), Fail(), "The answer."]
    async with open_live(script) as live, talk(live, delegation=BACKEND) as client:
        call = await called(client)
        await client.says()
        await client.output(call["call_id"])
        await client.send("response.create")
        failed = await client.until_backend("response.failed")
        assert failed["response"]["error"]["code"] == "server_error"
        await client.feed(3000)
        await client.quiet_for(1)
        assert live.sessions[0].said == ["The answer."]
        # What continues a call has its delegation, although the caller spoke in between.
        assert len({each["delegation_id"] for each in client.of("response.event")}) == 1


async def test_a_task_that_comes_while_the_backend_works_waits_for_it(autojump_clock):
    script = [CallTool("look"), CallTool("look", {"n": 2}), "Done."]
    async with open_live(script) as live, talk(live, delegation=BACKEND) as client:
        call = await called(client)
        await client.comment("Look again.")
        await client.feed(3000)
        await client.quiet_for(5)
        assert len(client.of("session.delegation.created")) == 1
        await client.output(call["call_id"])
        await client.send("response.create")
        await client.until_backend("response.completed")
        await client.feed(1000)
        await client.until("session.delegation.created")
        await client.until_backend("response.output_item.done")
        assert [each.arguments for each in live.sessions[0].calls] == ["{}", '{"n": 2}']


async def test_a_message_of_the_user_runs_the_backend(autojump_clock):
    async with open_live(["Code accepted."]) as live, talk(live, delegation=BACKEND) as client:
        await client.send("response.item.create", item=USER)
        await client.send("response.create")
        await client.until_backend("response.completed")
        assert {each["delegation_id"] for each in client.of("response.event")} == {None}
        await client.feed(3000)
        await client.quiet_for(1)
        assert live.sessions[0].said == ["Code accepted."]


async def test_responses_need_a_delegation_to_responses(autojump_clock):
    async with open_live() as live, talk(live) as client:
        await client.send("response.create")
        assert (await client.error())["code"] == "invalid_value"
        await client.send("response.item.create", item=USER)
        assert (await client.error())["code"] == "invalid_value"
        assert len(live.sessions[0].refusals) == 2


async def test_a_tool_that_is_not_offered_is_not_called(autojump_clock):
    script = [[Say("Let me see."), CallTool("fly")], CallTool("fly", hallucinated=True)]
    async with open_live(script) as live, talk(live, delegation=BACKEND) as client:
        await client.says()
        await client.quiet_for(5)
        assert client.of("session.delegation.created") == []
        assert live.sessions[0].backend.skipped_tools == ["fly"]
        assert (await called(client))["name"] == "fly"


async def test_a_delegation_can_come_while_the_caller_speaks(autojump_clock):
    script = LiveScript([[Say("One moment."), CallTool("look")]])
    assumes = Assumptions(delegates_early=True)
    async with open_live(script, assumes=assumes) as live, talk(live, delegation=BACKEND) as client:
        await client.says(3000)
        created = await client.until("session.delegation.created")
        assert created["offset_ms"] < 3000
        await client.quiet_for(2)
        assert live.sessions[0].loud_out[0] == 3700
        assert len(client.of("session.delegation.created")) == 1


async def test_a_response_can_begin_with_reasoning(autojump_clock):
    script, assumes = [CallTool("look"), "Done."], Assumptions(reasons=True)
    async with open_live(script, assumes=assumes) as live, talk(live, delegation=BACKEND) as client:
        await client.says()
        await client.until_backend("response.completed")
        done = [
            (each["event"]["output_index"], each["event"]["item"]["type"])
            for each in client.of("response.event")
            if each["event"]["type"] == "response.output_item.done"
        ]
        assert done == [(0, "reasoning"), (1, "function_call")]


@pytest.mark.parametrize(
    ("append", "said"), [(None, ["One moment."]), ("thinking", []), ("instructions", ["One moment."])]
)
async def test_a_delegation_can_be_acknowledged_unless_context_comes(append, said, autojump_clock):
    assumes = Assumptions(acknowledges="One moment.", mute_voices=frozenset({"cedar"}))
    delegation = BACKEND | {"acknowledgement_delay_ms": 1000}
    async with (
        open_live([CallTool("look")], assumes=assumes) as live,
        talk(live, delegation=delegation) as client,
    ):
        await client.says(then=600)
        await client.until("session.delegation.created")
        if append is not None:
            await client.send(f"session.{append}.append", content="Wait.", delegation_id=None)
        await client.feed(3000)
        await client.quiet_for(1)
        assert live.sessions[0].said == said
        if said:
            # The delegation was at 1,500 ms; the first chunk after its delay is the one at 2,500 ms.
            assert live.sessions[0].loud_out[0] in (2500, 2600)


async def test_a_close_waits_ten_seconds_for_the_backend(autojump_clock):
    script = [[CallTool("look"), Stall()]]
    async with open_live(script) as live, talk(live, delegation=BACKEND) as client:
        await client.says()
        await client.until_backend("response.output_item.done")
        began = trio.current_time()
        await client.send("session.close")
        await client.until("session.closed")
        assert trio.current_time() - began == pytest.approx(10)


@pytest.mark.parametrize(("ms", "delegated_ms"), [(3000, 2000), (200, 700)])
async def test_an_early_delegation_needs_a_caller_who_speaks_on(ms, delegated_ms, autojump_clock):
    """Of a short turn, and of one that needs no tool, the model answers as usual."""
    script, assumes, pace = [CallTool("look")], Assumptions(delegates_early=True), Pace(early_ms=2000)
    async with (
        open_live(script, assumes=assumes, pace=pace) as live,
        talk(live, delegation=BACKEND) as client,
    ):
        await client.says(ms)
        assert (await client.until("session.delegation.created"))["offset_ms"] == delegated_ms
    async with open_live(["Yes."], assumes=assumes) as live, talk(live, delegation=BACKEND) as client:
        await client.says(ms)
        await client.quiet_for(1)
        assert live.sessions[0].said == ["Yes."]
        assert live.sessions[0].loud_out[0] == ms + 700


async def test_arguments_can_break_off_and_events_come_in_between(autojump_clock):
    odd = Event({"type": "info", "code": "notice", "message": "Something."})
    script = [[CallTool("look", {"where": "here"}, cut=True), Incomplete()], "Never mind."]
    async with open_live(script) as live, talk(live, delegation=BACKEND) as client:
        await client.says()
        await client.until_backend("response.incomplete")
        assert "output_item.done" not in nested(client)
        await client.send("response.item.create", item=USER)
        await client.send("response.create")
        await client.until_backend("response.completed")
    async with open_live([[odd, Say("Done.")]]) as live, talk(live, delegation=BACKEND) as client:
        await client.send("response.item.create", item=USER)
        await client.send("response.create")
        assert (await client.until("info"))["message"] == "Something."
        await client.until_backend("response.completed")


# -- the input's limit --------------------------------------------------------------------------


async def ask_again_and_again(client, count, output):
    """Calls with outputs; the last one's output only."""
    for number in range(count):
        call = await called(client)
        await client.output(call["call_id"], output)
        if number < count - 1:
            await client.send("response.create")
            await client.until_backend("response.completed")
            await client.feed(5000)


def look_and_tell(count):
    return [turn for n in range(count) for turn in (CallTool("look", {"n": n}), "Done.")]


@pytest.mark.parametrize("recovers", [False, True])
async def test_a_full_input_stops_the_backend(recovers, autojump_clock):
    item = {"type": "function_call_output", "call_id": "call_00100005", "output": "é" * 500}
    size = len(msgspec.json.encode(item))
    assert size > 1000
    faults, assumes = Faults(buffer_bytes=2 * size + 100), Assumptions(buffer_recovers=recovers)
    script = look_and_tell(3)
    async with (
        open_live(script, faults=faults, assumes=assumes) as live,
        talk(live, delegation=BACKEND) as client,
    ):
        await ask_again_and_again(client, 3, item["output"])
        assert (await client.error())["code"] == "response_input_buffer_full"
        backend = live.sessions[0].backend
        assert (backend.items, backend.is_stuck, len(backend.pending)) == (2, True, 1)
        responses = len(backend.responses)
        await client.output(backend.pending[0].id, "")
        await client.send("response.create")
        await client.quiet_for(5)
        assert len(backend.responses) - responses == recovers


async def test_the_input_holds_a_number_of_items(autojump_clock):
    faults = Faults(buffer_items=2)
    async with open_live(faults=faults) as live, talk(live, delegation=BACKEND) as client:
        for _ in range(3):
            await client.send("response.item.create", item=USER)
        assert (await client.error())["code"] == "response_input_buffer_full"
        assert live.sessions[0].backend.items == 2
        await client.send("response.create")
        assert await client.quiet_for(2) == []


@pytest.mark.parametrize(("room", "taken"), [(0, 1), (-1, 0)])
async def test_the_input_holds_a_number_of_bytes_to_the_last_one(room, taken, autojump_clock):
    faults = Faults(buffer_bytes=len(msgspec.json.encode(USER)) + room)
    async with open_live(faults=faults) as live, talk(live, delegation=BACKEND) as client:
        await client.send("response.item.create", item=USER)
        await client.send("session.input_audio.mute")
        await client.until("session.input_audio.muted")
        assert live.sessions[0].backend.items == taken
        assert [each["code"] for each in live.sessions[0].refusals] == [
            "response_input_buffer_full" for _ in range(1 - taken)
        ]


def test_the_limits_are_those_that_were_measured():
    assert (Faults().buffer_items, Faults().buffer_bytes) == (128, 32_768)
