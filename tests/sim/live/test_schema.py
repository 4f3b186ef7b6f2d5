"""Which client events are taken: what OpenAI's types accept, and not one key more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llcphone.sim.live.schema import EVENTS, VOICES, check_event
from llcphone.sim.model.check import Refused
from tests.official_types import judge_live_client, judge_live_server
from tests.sim.live.client import BACKEND, PCMU, TOOL, live_session

NAMES = """
type session audio format rate voice delegation responses tools model input role content text item call_id
output event_id delegation_id instructions
"""
KEYS = st.sampled_from(NAMES.split())
WORDS = st.sampled_from([*EVENTS, "message", "user", "function", "responses", "audio/pcmu", "gpt-live-1"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_accepted_or_refused(event):
    try:
        check_event(event)
    except Refused as refusal:
        # The types want these of every error.
        body = {"type": refusal.kind, "code": refusal.code, "message": refusal.message}
        judge_live_server({"type": "error", "event_id": "e", "error": body | {"param": refusal.param}})


def start(**more):
    return {"type": "session.start", "session": live_session(**more)}


def text(words, kind="input_text"):
    return [{"type": kind, "text": words}]


FULL = start(
    instructions="Be kind.",
    store=False,
    safety_identifier="hash",
    input=[
        {"type": "message", "role": "developer", "content": text("A fact.")},
        {"role": "user", "content": text("Hi.")},
        {"type": "message", "role": "assistant", "content": text("Hello.", "output_text")},
        {"type": "message", "role": "assistant", "content": text("Yes?", "text")},
    ],
    delegation={
        "type": "responses",
        "acknowledgement_delay_ms": 500,
        "responses": {
            "model": "gpt-5.6-luna",
            "instructions": "Look it up.",
            "tools": [TOOL | {"strict": False}, {"type": "web_search"}],
            "tool_choice": "auto",
            "parallel_tool_calls": False,
            "reasoning": {"effort": "low", "summary": None},
            "text": {"verbosity": "low"},
            "service_tier": "priority",
            "max_output_tokens": 16,
        },
    },
)
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "{}"}


@pytest.mark.parametrize(
    "event",
    [
        FULL,
        {"type": "session.start", "session": {"model": "m"} | {"model": "gpt-live-1.1"}, "event_id": "e"},
        start(audio={"format": {"type": "audio/pcm", "rate": 16000}, "output": {"voice": {"id": "voice_1"}}}),
        start(delegation=None, input=None, audio=None),
        {
            "type": "session.update",
            "session": {"delegation": {"type": "responses", "responses": {"tools": []}}},
        },
        {"type": "session.update", "session": {"triggers": []}},
        {"type": "session.input_audio.append", "audio": "AAAA"},
        {"type": "session.input_audio.mute"},
        {"type": "session.thinking.append", "content": "x", "delegation_id": None, "event_id": None},
        {"type": "response.item.create", "item": OUTPUT},
        {"type": "response.item.create", "item": {"type": "message", "role": "user", "content": text("Go.")}},
        {"type": "response.item.create", "item": {"role": "user", "content": "Go."}},
        {"type": "response.create"},
        {"type": "session.output_audio.fixture.play", "audio": "AAAA"},
        {"type": "session.close", "event_id": "bye"},
    ],
)
def test_what_openais_types_accept_is_accepted(event):
    judge_live_client(event)
    check_event(event)


@pytest.mark.parametrize("kind", EVENTS)
def test_an_unknown_key_is_refused_in_every_event(kind):
    with pytest.raises(Refused) as refused:
        check_event({"type": kind, "future": 1, "session": live_session(), "audio": "", "content": ""})
    assert refused.value.code in ("unknown_parameter", "missing_required_parameter")


def with_key_at(event, path):
    """A copy with one more key at this path."""
    if not path:
        return event | {"future": 1}
    first, *rest = path
    if isinstance(event, list):
        return [with_key_at(each, rest) if at == first else each for at, each in enumerate(event)]
    return event | {first: with_key_at(event[first], rest)}


def objects(event, path=()):
    """The paths of all objects, but those of a function's schema."""
    if isinstance(event, dict):
        yield path
        for key, each in event.items():
            if key != "parameters":
                yield from objects(each, (*path, key))
    if isinstance(event, list):
        for at, each in enumerate(event):
            yield from objects(each, (*path, at))


HOSTED = ("session", "delegation", "responses", "tools", 1)


@pytest.mark.parametrize("path", [path for path in objects(FULL) if path != HOSTED], ids=str)
def test_an_unknown_key_is_refused_at_every_depth(path):
    with pytest.raises(Refused) as refused:
        check_event(with_key_at(FULL, path))
    assert refused.value.code == "unknown_parameter"
    assert refused.value.param.endswith("future")


OF_REALTIME = """
turn_detection temperature speed tools modalities output_modalities voice truncation language type
"""


@pytest.mark.parametrize("key", OF_REALTIME.split())
def test_settings_of_realtime_are_unknown(key):
    with pytest.raises(Refused) as refused:
        check_event(start(**{key: None}))
    assert (refused.value.code, refused.value.param) == ("unknown_parameter", f"session.{key}")


def audio(**form):
    return {"audio": {"format": form}}


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        (audio(type="audio/pcmu"), "missing_required_parameter", "session.audio.format.rate"),
        (audio(type="audio/pcmu", rate=16000), "invalid_value", "session.audio.format.rate"),
        (audio(type="audio/pcm", rate=8000), "invalid_value", "session.audio.format.rate"),
        (audio(type="g711_ulaw", rate=8000), "invalid_value", "session.audio.format.type"),
        ({"audio": {"output": {"voice": "fable"}}}, "forbidden", "session.audio.output.voice"),
        ({"audio": {"output": {"voice": "nobody"}}}, "invalid_value", "session.audio.output.voice"),
        ({"model": "gpt-realtime-2"}, "invalid_model", "session.model"),
        ({"instructions": "x" * (4 * 16384 + 1)}, "invalid_value", "session.instructions"),
        ({"delegation": {"type": "responses"}}, "missing_required_parameter", "session.delegation.responses"),
        (
            {"delegation": {"type": "responses", "responses": {}}},
            "missing_required_parameter",
            "session.delegation.responses.model",
        ),
        (
            {"delegation": {"type": "responses", "responses": {"model": "m", "max_output_tokens": 15}}},
            "integer_below_min_value",
            "session.delegation.responses.max_output_tokens",
        ),
        ({"input": [{"role": "system", "content": text("x")}]}, "invalid_value", "session.input[0].role"),
        (
            {"input": [{"role": "user", "content": text("x") * 2}]},
            "invalid_value",
            "session.input[0].content",
        ),
        (
            {"input": [{"role": "assistant", "content": text("x")}]},
            "invalid_value",
            "session.input[0].content[0].type",
        ),
        ({"input": [{"role": "user", "content": text("x")}] * 129}, "invalid_value", "session.input"),
        ({"input": [{"role": "user", "content": text("x" * 4096)}] * 9}, "invalid_value", "session.input"),
    ],
)
def test_a_start_is_refused_by_the_first_wrong_key(change, code, param):
    with pytest.raises(Refused) as refused:
        check_event(start(**change))
    assert (refused.value.code, refused.value.param) == (code, param)


def test_history_has_8192_tokens_and_128_messages_at_most():
    check_event(start(input=[{"role": "user", "content": text("x" * 4096)}] * 8))
    check_event(start(input=[{"role": "user", "content": text("x")}] * 128))


@pytest.mark.parametrize("voice", VOICES)
def test_every_voice_of_the_types_is_taken(voice):
    check_event(start(audio={"format": PCMU, "output": {"voice": voice}}))


def test_the_voices_are_those_of_the_types():
    from typing import get_args

    from openai.types.live.built_in_voice import BuiltInVoice

    assert get_args(BuiltInVoice) == VOICES


def test_the_events_are_those_of_the_types_but_decisions():
    from typing import get_args

    from openai.types.live import ClientEvent

    members = get_args(get_args(ClientEvent)[0])
    kinds = {get_args(member.model_fields["type"].annotation)[0] for member in members}
    assert {kind for kind in kinds if not kind.startswith("decision")} == set(EVENTS)


@pytest.mark.parametrize(
    ("event", "param"),
    [
        ({}, "type"),
        ({"type": "decision.create"}, "type"),
        ({"type": "response.item.create", "item": OUTPUT | {"type": "function_call"}}, "item.type"),
        ({"type": "response.item.create", "item": {"type": "message", "role": "system"}}, "item.content"),
        ({"type": "response.create", "response": {}}, "response"),
        ({"type": "session.update", "session": {"delegation": BACKEND | {"x": 1}}}, "session.delegation.x"),
    ],
)
def test_other_events_are_refused(event, param):
    with pytest.raises(Refused) as refused:
        check_event(event)
    assert refused.value.param == param
