"""Conversation items: creating, truncating, deleting, retrieving, and every refusal about them."""

from __future__ import annotations

import base64

import pytest

from llcphone.sim.model import CallTool, Say, open_model
from tests.sim.model.client import talk


def message(role, *content, **more):
    return {"type": "message", "role": role, "content": list(content), **more}


def words(text, kind="input_text"):
    return {"type": kind, "text": text}


async def refusal(client, kind, **fields):
    await client.send(kind, **fields)
    error = await client.error()
    return error["code"], error["message"]


async def test_a_message_item_is_added_and_done_after_the_one_before(autojump_clock):
    async with open_model() as model, talk(model) as client:
        for item_id in ("first", "second"):
            await client.add(message("user", words("hi"), id=item_id))
            added = await client.until("conversation.item.added")
            done = await client.until("conversation.item.done")
        assert added["previous_item_id"] == done["previous_item_id"] == "first"
        assert done["item"]["status"] == "completed"


async def test_items_can_be_put_first_or_after_another(autojump_clock):
    async with open_model() as model, talk(model) as client:
        for item_id, after in (("a", None), ("c", None), ("b", "a"), ("zero", "root")):
            where = {} if after is None else {"previous_item_id": after}
            await client.add(message("user", words("hi"), id=item_id), **where)
            await client.until("conversation.item.done")
        assert [item.id for item in model.sessions[0].items] == ["zero", "a", "b", "c"]


@pytest.mark.parametrize(
    ("item", "code", "text"),
    [
        (
            message("assistant", words("hi")),
            "invalid_value",
            "Invalid value: 'input_text'. Supported values are: 'output_text' and 'output_audio'.",
        ),
        (
            message("assistant", {"type": "output_audio", "audio": "AAAA", "transcript": "hi"}),
            "missing_required_parameter",
            "Missing required parameter: 'item.content[0].text'.",
        ),
        (
            message("system", words("hi", "output_text")),
            "invalid_value",
            "Invalid value: 'output_text'. Value must be 'input_text'.",
        ),
        (
            message("boss", words("hi")),
            "invalid_value",
            "Invalid value: 'boss'. Supported values are: 'user', 'assistant', and 'system'.",
        ),
        (
            message("user", words("hi"), id="x" * 33),
            "string_above_max_length",
            "Invalid 'item.id': string too long. Expected a string with maximum length 32, "
            "but got a string with length 33 instead.",
        ),
        (
            {"type": "function_call_output", "call_id": "call_unknown", "output": "{}"},
            "invalid_value",
            "Error adding item: no function call with call_id 'call_unknown' exists.",
        ),
        (
            {"type": "function_call_output", "call_id": "c", "output": {"not": "a string"}},
            "invalid_type",
            "Invalid type for 'item.output': expected a string, but got an object instead.",
        ),
    ],
)
async def test_a_bad_item_is_refused(item, code, text, autojump_clock):
    async with open_model() as model, talk(model) as client:
        assert await refusal(client, "conversation.item.create", item=item) == (code, text)
        assert model.sessions[0].items == []


async def test_an_id_is_used_once_and_its_predecessor_must_exist(autojump_clock):
    async with open_model() as model, talk(model) as client:
        item = message("user", words("hi"), id="x1")
        await client.add(item)
        code, text = await refusal(client, "conversation.item.create", item=item)
        assert code == "item_create_duplicate_item_id"
        assert text == "Error adding item: an item with id 'x1' already exists."
        item["id"] = "x2"
        code, _ = await refusal(client, "conversation.item.create", item=item, previous_item_id="gone")
        assert code == "item_create_invalid_previous_item_id"


async def test_history_is_seeded_as_text(autojump_clock):
    async with open_model() as model, talk(model) as client:
        await client.add(message("assistant", words("Hi.", "output_text")))
        await client.until("conversation.item.done")
        call = {"type": "function_call", "name": "look", "call_id": "c1", "arguments": "{}"}
        await client.add(call)
        await client.add({"type": "function_call_output", "call_id": "c1", "output": "1"})
        await client.until("conversation.item.done")
        assert (await client.until("conversation.item.done"))["item"]["output"] == "1"


async def spoken(client):
    await client.create()
    return (await client.answer())["output"][0]["id"]


async def test_a_truncate_cuts_audio_and_transcript(autojump_clock):
    async with open_model([Say("One two three.", 1000)]) as model, talk(model) as client:
        item_id = await spoken(client)
        await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=420)
        truncated = await client.until("conversation.item.truncated")
        assert truncated.items() >= {"item_id": item_id, "content_index": 0, "audio_end_ms": 420}.items()
        item = model.sessions[0].items[0]
        assert (item.generated_ms, item.kept_ms, item.truncated_ms, item.text) == (1000, 420, 420, "")
        await client.send("conversation.item.retrieve", item_id=item_id)
        part = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
        assert base64.b64decode(part["audio"]) == client.audio()[: 420 * 8]


BELOW = "Invalid 'audio_end_ms': integer below minimum value."


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        (1001, ("invalid_value", "Audio content of 1000ms is already shorter than 1001ms")),
        (-11, ("integer_below_min_value", f"{BELOW} Expected a value >= 0, but got -11 instead.")),
    ],
)
async def test_a_truncate_beyond_the_audio_is_refused_and_cuts_nothing(at_ms, expected, autojump_clock):
    async with open_model([Say("One.", 1000)]) as model, talk(model) as client:
        item_id = await spoken(client)
        where = {"item_id": item_id, "content_index": 0, "audio_end_ms": at_ms}
        assert await refusal(client, "conversation.item.truncate", **where) == expected
        assert model.sessions[0].items[0].truncated_ms is None


async def test_a_second_truncate_cannot_give_audio_back(autojump_clock):
    async with open_model([Say("One.", 1000)]) as model, talk(model) as client:
        item_id = await spoken(client)
        await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=300)
        where = {"item_id": item_id, "content_index": 0, "audio_end_ms": 600}
        _, text = await refusal(client, "conversation.item.truncate", **where)
        assert text == "Audio content of 300ms is already shorter than 600ms"


async def test_an_item_without_agent_audio_cannot_be_truncated(autojump_clock):
    async with open_model([Say("Slow.", 1000)]) as model, talk(model) as client:
        await client.create()
        item_id = (await client.until("response.output_item.added"))["item"]["id"]  # no delta yet
        where = {"item_id": item_id, "content_index": 0, "audio_end_ms": 0}
        assert await refusal(client, "conversation.item.truncate", **where) == (
            "unsupported_content_type",
            "Only model output audio messages can be truncated",
        )


@pytest.mark.parametrize("verb", ["truncate", "delete", "retrieve"])
async def test_an_unknown_item_is_named_in_the_refusal(verb, autojump_clock):
    async with open_model() as model, talk(model) as client:
        more = {"content_index": 0, "audio_end_ms": 0} if verb == "truncate" else {}
        code, text = await refusal(client, f"conversation.item.{verb}", item_id="ghost", **more)
        assert code == f"item_{verb}_invalid_item_id"
        assert text.endswith("ing item: the item with id 'ghost' does not exist.")


async def test_a_deleted_item_leaves_the_chain_whole(autojump_clock):
    async with open_model() as model, talk(model) as client:
        for item_id in ("a", "b"):
            await client.add(message("user", words("hi"), id=item_id))
        await client.send("conversation.item.delete", item_id="b")
        assert (await client.until("conversation.item.deleted"))["item_id"] == "b"
        await client.add(message("user", words("hi"), id="c"))
        assert (await client.until("conversation.item.added"))["previous_item_id"] == "a"
        assert [item.id for item in model.sessions[0].conversation.deleted] == ["b"]


async def test_a_tools_answer_must_name_its_call(autojump_clock):
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}
    script = [CallTool("look", {"a": 1}), "Found it."]
    async with open_model(script) as model, talk(model, tools=[tool]) as client:
        call = (await client.asked())["output"][0]
        assert (call["name"], call["arguments"]) == ("look", '{"a": 1}')
        answer = {"type": "function_call_output", "call_id": call["call_id"], "output": "{}"}
        await client.add(answer)
        await client.until("conversation.item.done")
        assert (await client.asked())["output"][0]["content"][0]["transcript"] == "Found it."
