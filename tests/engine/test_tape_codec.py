"""What a tape is made of: every event, command and setup as plain data, and nothing personal in it."""

from __future__ import annotations

import base64
import types
from collections.abc import Mapping
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.audio import payload_bytes
from llcphone.engine.call_setup import CallSetup
from llcphone.engine.commands import Command, RunTool, SendPhone
from llcphone.engine.events import Dialled, Event, ModelSaid, ToolFinished
from llcphone.engine.note import Note
from llcphone.engine.tape import codec
from llcphone.engine.tape.codec import as_data, read
from llcphone.engine.words import cut_words, masked
from llcphone.errors import LocalProtocolError, RemoteProtocolError
from llcphone.realtime import error_codes
from llcphone.realtime.error_codes import error_kind, is_dialect_refusal
from llcphone.realtime.events import AudioDelta, ModelError, ModelEvent, SessionUpdated
from llcphone.realtime.messages import ModelMessage, ToolOutput, UpdateSession
from llcphone.twilio.media import Digit, Media, PhoneMessage, StreamStarted

# -- every class, made at random from its annotations -------------------------------------------

words = st.text(max_size=12)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
tables = st.dictionaries(words | st.sampled_from(["instructions", "voice", "tools"]), json_values, max_size=4)
special = {
    "limits": st.dictionaries(words, st.tuples(st.integers(), st.integers(), st.just(0.5)), max_size=2),
    "custom": st.dictionaries(words, words, max_size=3),
}


def instances_of(cls: type) -> st.SearchStrategy[Any]:
    hints = get_type_hints(cls, localns=codec._NAMES)
    return st.builds(
        cls, **{field.name: values_of(hints[field.name], field.name) for field in attrs.fields(cls)}
    )


def values_of(hint: Any, name: str) -> st.SearchStrategy[Any]:
    args = get_args(hint)
    if name in codec._SIDS:
        return st.sampled_from(["", "CA" + "1" * 32, "MZ" + "2" * 32, "AC3"])
    if hint is bytes:
        return st.binary(max_size=400).map(base64.b64encode)
    if get_origin(hint) in (Union, types.UnionType):
        return st.one_of([values_of(each, name) for each in args])
    if get_origin(hint) in (tuple, frozenset):
        return st.lists(values_of(args[0], name), max_size=3).map(get_origin(hint))
    if get_origin(hint) is Mapping:
        return special.get(name, tables)
    if attrs.has(hint):
        return instances_of(hint)
    amounts = st.floats(allow_nan=False, allow_infinity=False)  # JSON knows neither
    simple = {str: words, int: st.integers(), bool: st.booleans(), float: amounts}
    return st.none() if hint is types.NoneType else simple[hint] if hint in simple else st.sampled_from(hint)


WHOLE = [*get_args(Event), *(cls for cls in get_args(Command) if cls is not Note), CallSetup]


@pytest.mark.parametrize("cls", WHOLE, ids=lambda cls: cls.__name__)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_everything_comes_back_from_tape_in_the_shape_it_had(cls: type, data: st.DataObject) -> None:
    thing = data.draw(instances_of(cls))
    taped = msgspec.json.decode(msgspec.json.encode(as_data(thing, {})))
    back = read(cls, taped)
    assert type(back) is cls
    assert shape_of(back) == shape_of(thing)
    assert as_data(back, {}) == taped


def shape_of(thing: Any) -> Any:
    """All that the engine may decide on: sizes, spaces, numbers, enums; texts by their first letters only."""
    if isinstance(thing, SessionUpdated):
        thing = attrs.evolve(thing, session={})
    if attrs.has(type(thing)):
        return type(thing), [shape_of(getattr(thing, field.name)) for field in attrs.fields(type(thing))]
    if isinstance(thing, bytes):
        return payload_bytes(thing)
    if isinstance(thing, str) and not isinstance(thing, Enum):
        return [each if each.isspace() else "x" for each in thing]
    if isinstance(thing, Mapping):
        return {str(key): shape_of(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [shape_of(each) for each in thing]
    return sorted(map(len, thing)) if isinstance(thing, frozenset) else thing


def test_the_names_of_all_events_and_commands_differ() -> None:
    for union in (Event, Command, ModelEvent, ModelMessage, PhoneMessage):
        names = [cls.__name__ for cls in get_args(union)]
        assert len(set(names)) == len(names)


# -- what is new has to be thought about --------------------------------------------------------


@attrs.frozen
class Overheard:
    gossip: str


@attrs.frozen
class Measured:
    wave: complex


@pytest.mark.parametrize(
    ("thing", "field"), [(Overheard("psst"), "Overheard.gossip"), (Measured(1j), "Measured.wave")]
)
def test_a_field_nobody_has_thought_about_cannot_be_taped(thing: object, field: str) -> None:
    with pytest.raises(LocalProtocolError, match=field) as caught:
        as_data(thing, {})
    assert "psst" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        ["NoSuchEvent", {}],
        ["Dialled", {"call_sid": "x", "of": "another version"}],
        ["ModelSaid", {"leg_number": 1, "event": ["NoSuchWord", {}]}],
        ["EndAsked", {"reason": "no such reason"}],
        ["Dialled"],
        [],
    ],
    ids=str,
)
def test_what_this_version_does_not_know_is_refused(data: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        read(Event, data)


def test_a_field_that_is_missing_has_its_default() -> None:
    assert read(Event, ["ToolFinished", {"call_id": "c1", "output": "x"}]) == ToolFinished("c1", "x")


# -- masks --------------------------------------------------------------------------------------


def test_words_leave_their_shape_behind_so_that_a_cut_falls_where_it_fell() -> None:
    text = "Call me on +1 555 0100,\n\tplease\u2003now"
    taped = masked(text)
    assert taped == "xxxx xx xx xx xxx xxxxx\n\txxxxxx\u2003xxx"
    for end in range(len(text) + 2):
        assert masked(cut_words(text, end)) == cut_words(taped, end)


@given(st.text(), st.integers(-1, 40))
def test_masking_and_cutting_give_the_same_in_either_order(text: str, end: int) -> None:
    assert masked(cut_words(text, end)) == cut_words(masked(text), end)


def test_audio_comes_back_as_silence_of_the_same_length() -> None:
    payload = base64.b64encode(b"\x12\x34" * 801)
    (back,) = [read(Command, as_data(SendPhone(Media(payload)), {}))]
    assert back == SendPhone(Media(base64.b64encode(b"\xff" * 1602)))
    assert len(back.message.payload) == len(payload)


def test_the_same_sid_has_the_same_name_on_one_tape_and_another_sid_another() -> None:
    aliases: codec.Aliases = {}
    sids = ["CA" + "1" * 32, "CA" + "2" * 32, "CA" + "1" * 32, ""]
    names = [as_data(Dialled(sid), aliases)[1]["call_sid"] for sid in sids]
    assert [len(name) for name in names] == [34, 34, 34, 0]
    assert names[0] == names[2] != names[1]


def test_prompts_and_tools_of_a_session_keep_their_structure_only() -> None:
    tool = {
        "type": "function",
        "name": "look_up",
        "description": "For Anna only",
        "parameters": {"type": "object", "properties": {"name": {"type": "string", "enum": ["Anna"]}}},
    }
    session = {
        "voice": "cedar",
        "instructions": "Ring Anna",
        "tools": [tool],
        "prompt_cache_key": "Anna",
        "n": 2,
    }
    back = read(Command, ["SendModel", {"message": as_data(UpdateSession(session, "setup-1"), {})}])
    assert "Anna" not in str(back)
    taped = back.message.session
    assert taped["voice"] == "cedar"
    assert taped["instructions"] == "xxxx xxxx"
    assert taped["n"] == 2
    assert taped["tools"][0]["name"] == "look_up"
    assert taped["tools"][0]["parameters"]["properties"]["name"] == {"type": "string", "enum": ["xxxx"]}


def test_what_a_caller_says_types_or_tells_a_tool_is_on_no_tape() -> None:
    secret = "0190-4711"
    things = [
        ToolFinished("c1", secret),
        RunTool("c1", "look_up", secret),
        Digit("7"),
        StreamStarted("MZ1" + secret, "CA1" + secret, "AC1" + secret, custom={"name": secret}),
        ModelSaid(1, ModelError("invalid_value", message=f"you said {secret}")),
        ModelSaid(
            1, SessionUpdated("g711_ulaw", "g711_ulaw", session={"client_secret": secret, "type": secret})
        ),
        ModelSaid(1, AudioDelta("r1", "i1", base64.b64encode(secret.encode()))),
        ToolOutput("c1", secret),
    ]
    aliases: codec.Aliases = {}
    text = msgspec.json.encode([as_data(thing, aliases) for thing in things]).decode()
    assert secret not in text
    assert "4711" not in text
    assert base64.b64encode(secret.encode()).decode() not in text
    assert '"7"' not in text


# -- errors: the one text the engine looks into -------------------------------------------------

TELLING = [
    *error_codes._TRUNCATE_TEXTS,
    "Audio content of 1200ms is already shorter than 1500ms",
    *(f"Unknown parameter: '{key}'." for key in sorted(error_codes._FLAT_ONLY_KEYS)),
    "Missing required parameter: 'session.type'.",
    "Invalid value: 'Anna' for 'session.tools[0].name'",
]
codes = st.sampled_from(
    [*error_codes._KINDS, "unknown_parameter", "missing_required_parameter", "invalid_value", ""]
)
texts = st.lists(
    st.sampled_from([*TELLING, "session.type", "'", "Anna ", " "]) | st.text(max_size=8), max_size=4
)


@given(codes, st.sampled_from(["", "audio_end_ms", "session.voice"]), texts.map("".join))
def test_an_error_means_on_tape_what_it_meant(code: str, param: str, message: str) -> None:
    error = ModelError(code, "invalid_request_error", param, message)
    said = read(Event, as_data(ModelSaid(1, error), {}))
    assert isinstance(said, ModelSaid)
    assert isinstance(said.event, ModelError)
    assert len(said.event.message) == len(message)
    assert error_kind(said.event) is error_kind(error)
    assert is_dialect_refusal(said.event) is is_dialect_refusal(error)
    assert "Anna" not in said.event.message
