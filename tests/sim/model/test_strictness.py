"""What the vendor refuses of tools, and the odd things the simulated server can be made to say."""

from __future__ import annotations

import json

import pytest

from llcphone.sim.model import Event, Faults, ModelScript, Say, load_script, open_model
from llcphone.sim.model.check import Refused
from llcphone.sim.model.load import ScriptError
from llcphone.sim.model.schema import MAX_OUTPUT, Dialect, check_event
from tests.sim.model.client import connect, flat_session, ga_session, talk

LONG = "x" * 65


def tool(name="look_up", **properties):
    """A tool as a client offers it."""
    parameters = {"type": "object", "properties": properties}
    return {"type": "function", "name": name, "description": "Look.", "parameters": parameters}


def offered(*tools, dialect=Dialect.GA):
    session = flat_session() if dialect is Dialect.FLAT else ga_session()
    check_event({"type": "session.update", "session": session | {"tools": list(tools)}}, dialect)


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("name", ["look up order", "crm.lookup", "a/b", "tool\n", "日本語", "öffnen", ""])
def test_a_tools_name_is_letters_digits_underscore_and_hyphen(name, dialect):
    with pytest.raises(Refused) as refused:
        offered(tool(), tool(name), dialect=dialect)
    assert refused.value.code == "invalid_value"
    assert refused.value.param == "session.tools[1].name"


def test_a_tools_name_has_at_most_64_characters():
    offered(tool(LONG[:64]), tool("ok-1_A"))
    with pytest.raises(Refused) as refused:
        offered(tool(LONG))
    assert (refused.value.code, refused.value.param) == ("string_above_max_length", "session.tools[0].name")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array"},
        {"type": ["array", "null"]},
        {"type": "array", "items": False},
        {"anyOf": [{"type": "null"}, {"type": "array"}]},
        {"type": "array", "items": {"type": "array"}},
        {"type": "object", "additionalProperties": {"type": "array"}},
    ],
)
def test_an_array_says_what_it_holds(schema):
    with pytest.raises(Refused) as refused:
        offered(tool(tags=schema))
    assert refused.value.code == "invalid_function_parameters"
    assert refused.value.param == "session.tools[0].parameters"
    assert "('properties', 'tags'" in refused.value.message


def test_arrays_of_anything_and_things_that_only_look_like_one_are_taken():
    offered(tool(tags={"type": "array", "items": {}}, kind={"enum": ["array"], "default": {"type": "array"}}))


def item(**body):
    check_event({"type": "conversation.item.create", "item": body}, Dialect.GA)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"type": "function_call", "name": "f", "call_id": "c" * 33, "arguments": "{}"}, "item.call_id"),
        ({"type": "function_call_output", "call_id": "c", "output": "x" * (MAX_OUTPUT + 1)}, "item.output"),
    ],
)
def test_what_is_too_long_is_refused_by_its_key(body, param):
    with pytest.raises(Refused) as refused:
        item(**body)
    assert (refused.value.code, refused.value.param) == ("string_above_max_length", param)


async def unjudged(client, kind):
    """The next event of this type, however odd."""
    while (event := json.loads(await client.websocket.get_message()))["type"] != kind:
        pass
    return event


# -- odd things said ----------------------------------------------------------------------------


async def test_odd_fields_stand_in_every_event_of_their_type(autojump_clock):
    odd = {"response.done": {"response.usage.input_tokens": 12.0, "response.metadata": ..., "no.such": 1}}
    script = ModelScript(["Hello."], odd=odd)
    async with open_model(script) as model, talk(model) as client:
        await client.send("response.create")
        done = await unjudged(client, "response.done")
    assert done["response"]["usage"]["input_tokens"] == 12.0
    assert "metadata" not in done["response"]


async def test_an_event_of_the_script_is_sent_as_it_is(autojump_clock):
    script = [
        [Say("Hello."), Event({"type": "error", "error": "No.", "of": ["$response"], "id": "$response"})]
    ]
    async with open_model(script) as model, talk(model) as client:
        await client.send("response.create")
        error = await unjudged(client, "error")
    assert error["error"] == "No."
    assert error["id"] == model.sessions[0].responses[0].id


async def test_an_update_can_be_refused_in_a_form_of_its_own(autojump_clock):
    faults = Faults(refuse_update={"error": {"code": 1302}})
    async with open_model(faults=faults) as model, connect(model) as client:
        await client.send("session.update", session=ga_session())
        assert (await unjudged(client, "error"))["error"] == {"code": 1302}


async def test_only_later_updates_can_be_refused(autojump_clock):
    async with open_model(faults=Faults(refuse_later=True)) as model, talk(model) as client:
        await client.send("session.update", session={"type": "realtime", "tools": []}, event_id="later")
        assert (await client.error())["event_id"] == "later"


def test_a_file_can_ask_for_odd_events(tmp_path):
    path = tmp_path / "odd.toml"
    path.write_text(
        '[[turns]]\nsteps = [{ event = { type = "error", error = "No." } }, "Hello."]\n'
        '[odd."response.done"]\n"response.usage" = []\n"response.metadata" = "(absent)"\n'
    )
    script = load_script(path)
    assert script.odd == {"response.done": {"response.usage": [], "response.metadata": ...}}
    assert list(script.turns) == [[Event({"type": "error", "error": "No."}), Say("Hello.")]]
    path = tmp_path / "null.json"
    path.write_text(json.dumps({"odd": {"response.done": {"response.usage": None}}}))
    assert load_script(path).odd == {"response.done": {"response.usage": None}}


@pytest.mark.parametrize("text", ["odd = 7", "[odd]\nx = 1", "[[turns]]\nevent = 7", "[[turns]]\nevent = {}"])
def test_a_file_that_asks_for_no_event_is_refused(tmp_path, text):
    path = tmp_path / "odd.toml"
    path.write_text(text)
    with pytest.raises(ScriptError):
        load_script(path)
