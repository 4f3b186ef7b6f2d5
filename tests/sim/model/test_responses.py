"""What a response of the simulated model says, in which order, how fast, and how it ends."""

from __future__ import annotations

import pytest
import trio

from llcphone.sim.model import (
    CallTool,
    Fail,
    Faults,
    Incomplete,
    ModelScript,
    Pace,
    Say,
    Silence,
    Stall,
    babble,
    open_model,
)
from tests.sim.model.client import talk

TOOL = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}}


def squeezed(kinds):
    """Every type once, where it came first."""
    return list(dict.fromkeys(kinds))


BEGUN = """
response.created response.output_item.added conversation.item.added response.content_part.added
"""
OVER = """
response.content_part.done conversation.item.done response.output_item.done response.done rate_limits.updated
"""
SPOKEN = """
response.output_audio_transcript.delta response.output_audio.delta
response.output_audio.done response.output_audio_transcript.done
"""


@pytest.mark.parametrize(
    ("modality", "between"),
    [("audio", SPOKEN), ("text", "response.output_text.delta response.output_text.done")],
)
async def test_an_answer_has_the_vendors_order(modality, between, autojump_clock):
    async with open_model(["One two three four."]) as model, talk(model) as client:
        client.events.clear()
        await client.create(output_modalities=[modality])
        await client.until("rate_limits.updated")
    assert squeezed(client.kinds()) == [*BEGUN.split(), *between.split(), *OVER.split()]
    assert bool(client.audio()) == (modality == "audio")


async def test_the_deltas_add_up_to_the_words_and_the_sound(autojump_clock):
    sound = babble(1730)
    text = "Good morning, what can I do for you today?"
    async with open_model([Say(text, sound)]) as model, talk(model) as client:
        response = await client.asked()
        words = [e["delta"] for e in client.events if e["type"] == "response.output_audio_transcript.delta"]
        assert "".join(words) == text == response["output"][0]["content"][0]["transcript"]
        assert client.audio() == sound
        item = model.sessions[0].items[0]
        assert (item.generated_ms, bytes(item.audio)) == (1730, sound)


async def test_audio_comes_faster_than_it_plays_by_the_set_pace(autojump_clock):
    pace = Pace(speed=4, delta_ms=100, first_audio_ms=300, created_ms=280)
    async with open_model([Say("Hello.", 1000)], pace=pace) as model, talk(model) as client:
        start = trio.current_time()
        await client.create()
        times = {}
        for kind in ("response.created", "response.output_audio.delta", "response.done"):
            await client.until(kind)
            times[kind] = round(trio.current_time() - start, 3)
    assert times == {
        "response.created": 0.28,
        "response.output_audio.delta": 0.58,
        "response.done": pytest.approx(0.58 + 9 * 0.025),
    }


async def test_several_says_are_several_items_of_one_response(autojump_clock):
    turn = [Say("First.", 400), CallTool("look"), Say("Second.", 600)]
    async with open_model([turn]) as model, talk(model, tools=[TOOL]) as client:
        response = await client.asked()
        assert [item["type"] for item in response["output"]] == ["message", "function_call", "message"]
        assert all(item["status"] == "completed" for item in response["output"])
        first, _, second = response["output"]
        assert (len(client.audio(first["id"])), len(client.audio(second["id"]))) == (3200, 4800)
        indexes = [e["output_index"] for e in client.events if e["type"] == "response.output_item.added"]
        assert indexes == [0, 1, 2]


async def test_a_pcm_session_gets_24_khz(autojump_clock):
    async with open_model([Say("Hello.", 500)]) as model, talk(model) as client:
        await client.asked(audio={"output": {"format": {"type": "audio/pcm", "rate": 24000}}})
        assert len(client.audio()) == 500 * 48
        assert model.sessions[0].items[0].generated_ms == 500


async def test_a_second_create_is_refused_while_one_is_active(autojump_clock):
    async with open_model() as model, talk(model) as client:
        await client.create()
        response_id = (await client.until("response.created"))["response"]["id"]
        await client.create()
        error = await client.error()
        assert error["code"] == "conversation_already_has_active_response"
        assert error["message"] == (
            f"Conversation already has an active response in progress: {response_id}. "
            "Wait until the response is finished before creating a new one."
        )
        await client.answer()
        await client.asked()


async def test_out_of_band_responses_run_beside_the_conversation(autojump_clock):
    script = ModelScript(["I am speaking."], out_of_band=Say("primed"))
    async with open_model(script) as model, talk(model) as client:
        await client.create()
        await client.until("response.created")
        await client.create(
            conversation="none", output_modalities=["text"], input=[], metadata={"purpose": "prime"}
        )
        done = [await client.answer() for _ in range(2)]
        aside = next(response for response in done if response["conversation_id"] is None)
        assert aside["metadata"] == {"purpose": "prime"}
        assert aside["output_modalities"] == ["text"]
        assert aside["output"][0]["content"] == [{"type": "output_text", "text": "primed"}]
        assert [item.text for item in model.sessions[0].items] == ["I am speaking."]


async def test_a_cancel_ends_the_response_with_what_was_sent(autojump_clock):
    async with open_model([Say("One two three four five six.", 4000)]) as model, talk(model) as client:
        await client.create()
        for _ in range(3):
            await client.until("response.output_audio.delta")
        await client.send("response.cancel")
        response = await client.answer()
        assert response["status"] == "cancelled"
        assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        assert response["output"][0]["status"] == "incomplete"
        words = [e["delta"] for e in client.events if e["type"] == "response.output_audio_transcript.delta"]
        assert response["output"][0]["content"][0]["transcript"] == "".join(words)
        item = model.sessions[0].items[0]
        assert item.generated_ms == len(client.audio()) // 8
        assert not [e for e in await client.quiet_for(5) if e["type"].endswith(".delta")]


async def test_a_cancel_of_nothing_is_refused(autojump_clock):
    async with open_model() as model, talk(model) as client:
        await client.send("response.cancel")
        error = await client.error()
        assert error["code"] == "response_cancel_not_active"
        assert error["message"] == "Cancellation failed: no active response found"
        await client.send("response.cancel", response_id="resp_ghost")
        assert (await client.error())["code"] == "response_cancel_not_active"


async def test_a_cancel_before_response_created_does_nothing(autojump_clock):
    async with open_model(["Ghost."], pace=Pace(created_ms=300)) as model, talk(model) as client:
        await client.create()
        await client.send("response.cancel")
        assert (await client.error())["code"] == "response_cancel_not_active"
        assert (await client.answer())["status"] == "completed"


async def test_a_cancel_by_id_reaches_an_out_of_band_response(autojump_clock):
    script = ModelScript(out_of_band=Stall())
    async with open_model(script) as model, talk(model) as client:
        await client.create(conversation="none")
        response_id = (await client.until("response.created"))["response"]["id"]
        await client.send("response.cancel", response_id=response_id)
        assert (await client.answer())["status"] == "cancelled"


async def test_a_failed_response_needs_no_error_event(autojump_clock):
    failure = Fail("insufficient_quota", "You exceeded your current quota.", "invalid_request_error")
    async with open_model([failure]) as model, talk(model) as client:
        response = await client.asked()
        assert response["status"] == "failed"
        assert response["status_details"]["error"]["code"] == "insufficient_quota"
        assert "error" not in client.kinds()


async def test_a_failure_can_come_with_an_error_event(autojump_clock):
    async with open_model([Fail(with_error_event=True)]) as model, talk(model) as client:
        await client.create()
        assert (await client.error())["type"] == "server_error"
        assert (await client.answer())["status"] == "failed"


async def test_an_incomplete_response_leaves_its_last_item_incomplete(autojump_clock):
    async with open_model([["One.", Incomplete("content_filter")]]) as model, talk(model) as client:
        response = await client.asked()
        assert response["status_details"] == {"type": "incomplete", "reason": "content_filter"}
        assert response["output"][0]["status"] == "incomplete"


async def test_the_token_limit_cuts_an_answer(autojump_clock):
    async with open_model(["word " * 100]) as model, talk(model) as client:
        response = await client.asked(output_modalities=["text"], max_output_tokens=16)
        assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
        assert 0 < response["usage"]["output_tokens"] <= 16
        assert response["max_output_tokens"] == 16


async def test_a_silence_keeps_the_item_open_and_a_stall_never_ends(autojump_clock):
    async with open_model([["One.", Silence(3000), "Two.", Stall()]]) as model, talk(model) as client:
        await client.create()
        await client.until("response.output_audio.delta")
        heard = await client.quiet_for(2.5)
        assert "response.output_item.done" not in [e["type"] for e in heard]
        await client.until("response.output_item.done")
        assert "response.done" not in [e["type"] for e in await client.quiet_for(3600 - 60)]
        await client.send("response.cancel")
        assert (await client.answer())["status"] == "cancelled"


async def test_a_tool_that_was_not_offered_cannot_be_called(autojump_clock):
    async with open_model([["Moment.", CallTool("look")], CallTool("look")]) as model, talk(model) as client:
        for said in ("Moment.", "I am sorry, I cannot do that yet."):
            (item,) = (await client.asked())["output"]
            assert item["content"][0]["transcript"] == said
        assert model.sessions[0].skipped_tools == ["look", "look"]


async def test_a_tool_can_be_hallucinated_with_broken_arguments(autojump_clock):
    ghost = CallTool("ghost", "{not json", hallucinated=True)
    async with open_model([ghost]) as model, talk(model) as client:
        (call,) = (await client.asked())["output"]
        assert (call["name"], call["arguments"]) == ("ghost", "{not json")


async def test_a_script_can_decide_by_what_the_tool_answered(autojump_clock):
    def reply(turn_number, conversation, tools):
        if conversation and conversation[-1]["type"] == "function_call_output":
            return f"Turn {turn_number}: {conversation[-1]['output']}."
        return CallTool(tools[0]["name"])

    async with open_model(reply) as model, talk(model, tools=[TOOL]) as client:
        call = (await client.asked())["output"][0]
        answer = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        await client.add(answer)
        assert (await client.asked())["output"][0]["content"][0]["transcript"] == "Turn 2: sunny."


async def test_a_used_up_script_goes_on_with_a_sentence(autojump_clock):
    async with open_model(ModelScript(["Once."], otherwise="Again.")) as model, talk(model) as client:
        for said in ("Once.", "Again.", "Again."):
            assert (await client.asked())["output"][0]["content"][0]["transcript"] == said


async def test_usage_follows_the_published_arithmetic(autojump_clock):
    script = [Say("x" * 40, 1000), "Two."]
    async with open_model(script) as model, talk(model, instructions="i" * 800) as client:
        await client.says(1000)
        first = (await client.answer())["usage"]
        second = (await client.asked())["usage"]
        caller = model.sessions[0].items[0]
    assert first["output_token_details"] == {"text_tokens": 10, "audio_tokens": 20}
    assert first["input_token_details"]["audio_tokens"] == caller.generated_ms // 100
    assert first["input_token_details"]["text_tokens"] == 1 + 200
    assert first["input_token_details"]["cached_tokens"] == 0
    assert second["input_token_details"]["audio_tokens"] == caller.generated_ms // 100 + 20
    repeated = 201 + caller.generated_ms // 100
    assert second["input_token_details"]["cached_tokens"] == repeated - repeated % 64
    assert first["total_tokens"] == first["input_tokens"] + first["output_tokens"]


async def test_changed_instructions_break_the_cached_prefix(autojump_clock):
    async with open_model() as model, talk(model, instructions="i" * 800) as client:
        await client.asked()
        await client.update({"type": "realtime", "instructions": "j" * 800})
        assert (await client.asked())["usage"]["input_token_details"]["cached_tokens"] == 0


async def test_a_test_can_make_the_model_speak_or_send_anything(autojump_clock):
    async with open_model() as model, talk(model) as client:
        session = await model.session()
        response = session.say("Unasked.", Silence(10))
        assert (await client.answer())["id"] == response.id
        assert (response.status, response.text) == ("completed", "Unasked.")
        session.emit({"type": "input_audio_buffer.cleared"})
        await client.until("input_audio_buffer.cleared")


async def test_speaking_twice_at_once_is_a_mistake_of_the_test(autojump_clock):
    async with open_model() as model, talk(model):
        session = await model.session()
        session.say(Stall())
        with pytest.raises(RuntimeError, match="active"):
            session.say("Me too.")


async def test_an_unasked_response_follows_an_update(autojump_clock):
    async with open_model() as model, talk(model) as client:
        model.sessions[0].faults.unasked_response = True
        await client.update({"type": "realtime", "instructions": "x"})
        await client.answer()
        await client.update({"type": "realtime", "instructions": "y"})
        assert await client.quiet_for(5) == []


async def test_responses_can_fail_from_now_on(autojump_clock):
    async with open_model(["Said."], faults=Faults(fail_responses=1)) as model, talk(model) as client:
        assert (await client.asked())["status"] == "failed"
        assert (await client.asked())["status"] == "completed"
