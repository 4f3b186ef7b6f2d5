"""What we say, in both spellings; the official package judges every message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.config.realtime import DialectChoice
from llcphone.errors import LocalProtocolError
from llcphone.realtime.dialects import (
    REALTIME_DIALECTS,
    Dialect,
    append_audio,
    append_prefix,
    connect_headers,
    encode,
    unsupported_keys,
)
from llcphone.realtime.messages import (
    AppendAudio,
    AskAside,
    AssistantText,
    CancelResponse,
    ClearInput,
    CommitInput,
    CreateResponse,
    DeleteItem,
    ModelMessage,
    Speak,
    SystemText,
    ToolCall,
    ToolOutput,
    Truncate,
    UpdateSession,
    UserAudio,
    UserText,
)
from tests.official_types import client_events, stray_keys

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FLAT, GA = Dialect.FLAT, Dialect.GA

TOOL = {"type": "function", "name": "look_up", "description": "Look.", "parameters": {"type": "object"}}
SEMANTIC = {"type": "semantic_vad", "eagerness": "high", "create_response": True, "interrupt_response": True}
BOTH = {
    "modalities": ["text", "audio"],
    "voice": "cedar",
    "input_audio_format": "g711_ulaw",
    "output_audio_format": "g711_ulaw",
    "turn_detection": SEMANTIC,
    "instructions": "Be kind.",
    "tools": [TOOL],
    "tool_choice": "auto",
    "input_audio_noise_reduction": {"type": "near_field"},
    "input_audio_transcription": {"model": "gpt-4o-transcribe"},
    "max_response_output_tokens": 300,
    "speed": 1.1,
}

MESSAGES: list[ModelMessage] = [
    UpdateSession(BOTH),
    UpdateSession({"turn_detection": None}, event_id="e1"),
    UpdateSession({"tools": []}),
    AppendAudio(b"/3//"),
    UserText("Hi"),
    UserAudio(b"/3//"),
    SystemText("It is noon."),
    AssistantText("Hello.", item_id="mine_2"),
    ToolCall("call_1", "look_up", '{"a":1}'),
    ToolOutput("call_1", '{"a":1}'),
    CreateResponse(),
    CreateResponse("greeting"),
    CreateResponse("priming", priming=True),
    AskAside("Summarise the call.", "summary"),
    CancelResponse(),
    CancelResponse("resp_1"),
    Truncate("item_1", 740),
    DeleteItem("item_1"),
    ClearInput(),
    CommitInput(),
]


def wire(message: ModelMessage, dialect: Dialect) -> dict[str, Any]:
    """The message as the server reads it."""
    event: dict[str, Any] = json.loads(encode(message, dialect))
    return event


def names(*parts: object) -> str:
    """A readable test id."""
    return " ".join(str(part) for part in parts)


def test_every_kind_of_message_stands_in_the_list_below() -> None:
    assert {type(message) for message in MESSAGES} | {Speak} == set(get_args(ModelMessage))


def test_what_is_of_gpt_live_alone_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="Speak"):
        encode(Speak("Greet the caller.", "greeting"), Dialect.GA)
    with pytest.raises(LocalProtocolError, match="live"):
        encode(CreateResponse(), Dialect.LIVE)


def test_no_setting_of_the_realtime_api_offers_gpt_live() -> None:
    assert set(get_args(DialectChoice)) == {"auto", *(dialect.value for dialect in (FLAT, GA))}
    assert {*REALTIME_DIALECTS, Dialect.LIVE} == set(Dialect)


@pytest.mark.parametrize("dialect", [FLAT, GA])
@pytest.mark.parametrize("message", MESSAGES, ids=repr)
def test_the_official_package_knows_every_message_and_every_key(
    message: ModelMessage, dialect: Dialect
) -> None:
    event = client_events(dialect.value).validate_json(encode(message, dialect))
    assert stray_keys(event) == []
    assert event.model_dump(mode="json", exclude_unset=True) == wire(message, dialect)


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
def test_xai_gets_what_ga_gets_but_for_the_session(message: ModelMessage) -> None:
    alike = encode(message, Dialect.XAI) == encode(message, GA)
    assert alike is not isinstance(message, UpdateSession)


SESSIONS = st.fixed_dictionaries(
    {},
    optional={
        "modalities": st.sampled_from([["text", "audio"], ["audio", "text"], ["text"]]),
        "voice": st.sampled_from(["cedar", "marin"]),
        "input_audio_format": st.sampled_from(["g711_ulaw", "g711_alaw", "pcm16"]),
        "output_audio_format": st.sampled_from(["g711_ulaw", "g711_alaw", "pcm16"]),
        "turn_detection": st.none() | st.just(SEMANTIC) | st.just({"type": "server_vad", "threshold": 0.4}),
        "instructions": st.text(max_size=20),
        "tools": st.just([TOOL]),
        "tool_choice": st.sampled_from(["auto", "none", "required"]),
        "input_audio_noise_reduction": st.none() | st.just({"type": "far_field"}),
        "input_audio_transcription": st.none() | st.just({"model": "whisper-1"}),
        "max_response_output_tokens": st.integers(1, 4096) | st.just("inf"),
        "speed": st.floats(0.25, 1.5),
        "truncation": st.just("auto"),
        "tracing": st.just("auto"),
        "temperature": st.just(0.8),
        "prompt_cache_key": st.just("k"),
    },
)


@pytest.fixture(scope="module")
def ga_events() -> TypeAdapter[Any]:
    """Loaded before Hypothesis times an example."""
    return client_events(GA.value)


@settings(max_examples=60)
@given(session=SESSIONS)
def test_any_flat_session_is_a_clean_ga_session_of_the_same_size(
    ga_events: TypeAdapter[Any], session: dict[str, Any]
) -> None:
    event = ga_events.validate_json(encode(UpdateSession(session), GA))
    assert stray_keys(event) == []
    nested = wire(UpdateSession(session), GA)["session"]
    assert nested.pop("type") == "realtime"
    assert len(session) - len(unsupported_keys(session, GA)) == leaves(nested)


def leaves(nested: dict[str, Any]) -> int:
    """How many settings a GA session holds."""
    audio = nested.get("audio", {})
    return len(nested) - ("audio" in nested) + sum(len(way) for way in audio.values())


def test_the_flat_session_goes_out_under_exactly_its_own_names() -> None:
    session = {**BOTH, "prompt_cache_key": "k", "temperature": 0.8}
    assert wire(UpdateSession(session), FLAT) == {"type": "session.update", "session": session}
    assert unsupported_keys(session, FLAT) == []


def test_the_ga_session_is_nested_and_leaves_out_what_has_no_place() -> None:
    session = {**BOTH, "prompt_cache_key": "k", "temperature": 0.8}
    assert unsupported_keys(session, GA) == ["prompt_cache_key", "temperature"]
    assert wire(UpdateSession(session, "e1"), GA) == {
        "type": "session.update",
        "event_id": "e1",
        "session": {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": "Be kind.",
            "tools": [TOOL],
            "tool_choice": "auto",
            "max_output_tokens": 300,
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "turn_detection": SEMANTIC,
                    "noise_reduction": {"type": "near_field"},
                    "transcription": {"model": "gpt-4o-transcribe"},
                },
                "output": {"format": {"type": "audio/pcmu"}, "voice": "cedar", "speed": 1.1},
            },
        },
    }


def test_every_ga_update_says_its_type_even_when_it_changes_one_key() -> None:
    assert wire(UpdateSession({"turn_detection": None}), GA)["session"] == {
        "type": "realtime",
        "audio": {"input": {"turn_detection": None}},
    }


def test_a_format_we_do_not_know_is_left_to_the_server_to_refuse() -> None:
    session = wire(UpdateSession({"input_audio_format": "opus"}), GA)["session"]
    assert session["audio"]["input"]["format"] == {"type": "opus"}


@pytest.mark.parametrize("dialect", REALTIME_DIALECTS)
@pytest.mark.parametrize("session", [{"audio": {}}, {"type": "realtime"}])
def test_nested_settings_above_the_dialect_are_our_bug(session: dict[str, Any], dialect: Dialect) -> None:
    with pytest.raises(LocalProtocolError):
        encode(UpdateSession(session), dialect)


def test_only_the_flat_dialect_sends_the_beta_header() -> None:
    assert connect_headers(FLAT) == (("OpenAI-Beta", "realtime=v1"),)
    assert connect_headers(GA) == ()


@pytest.mark.parametrize("dialect", REALTIME_DIALECTS)
def test_audio_is_spliced_untouched(dialect: Dialect) -> None:
    payload = b"//+/AA=="
    expected = b'{"type":"input_audio_buffer.append","audio":"//+/AA=="}'
    assert append_audio(payload) == encode(AppendAudio(payload), dialect) == expected
    assert expected.startswith(append_prefix)


def test_an_answer_of_the_agents_past_is_text_in_the_dialects_own_word() -> None:
    parts = [wire(AssistantText("Hello."), d)["item"]["content"] for d in (FLAT, GA)]
    assert parts == [[{"type": "text", "text": "Hello."}], [{"type": "output_text", "text": "Hello."}]]


@pytest.mark.parametrize("dialect", REALTIME_DIALECTS)
def test_a_plain_response_is_asked_for_without_any_setting(dialect: Dialect) -> None:
    assert encode(CreateResponse(), dialect) == b'{"type":"response.create"}'
    marked = {"type": "response.create", "response": {"metadata": {"llcphone": "greeting"}}}
    assert wire(CreateResponse("greeting"), dialect) == marked


@pytest.mark.parametrize(
    ("dialect", "modalities", "limit"),
    [(FLAT, "modalities", "max_response_output_tokens"), (GA, "output_modalities", "max_output_tokens")],
)
def test_priming_is_text_out_of_band_and_marked(dialect: Dialect, modalities: str, limit: str) -> None:
    expected = {
        "conversation": "none",
        modalities: ["text"],
        limit: 16,
        "input": [],
        "metadata": {"llcphone": "priming"},
    }
    assert wire(CreateResponse(priming=True), dialect)["response"] == expected
    assert wire(CreateResponse("priming", priming=True), dialect)["response"] == expected


@pytest.mark.parametrize("dialect", REALTIME_DIALECTS)
@pytest.mark.parametrize(
    "message", [CreateResponse(), CreateResponse("a"), CreateResponse(priming=True)], ids=repr
)
def test_a_response_is_never_asked_for_with_instructions(message: CreateResponse, dialect: Dialect) -> None:
    assert b"instructions" not in encode(message, dialect)


def test_what_is_no_message_is_our_bug() -> None:
    with pytest.raises(LocalProtocolError):
        encode("hello", GA)  # type: ignore[arg-type]
