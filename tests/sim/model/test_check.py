"""Whatever JSON a client sends, the answer is acceptance or a refusal, never a crash of the simulator."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llcphone.sim.model.check import Refused
from llcphone.sim.model.schema import EVENTS, Dialect, check_event
from tests.official_types import client_events
from tests.sim.model.client import ga_session

NAMES = """
type session audio input output format turn_detection tools item content role id response event_id call_id
metadata input_audio_format modalities voice truncation tool_choice name instructions
"""
KEYS = st.sampled_from(NAMES.split())
WORDS = st.sampled_from(
    [*EVENTS[Dialect.GA], "message", "user", "function", "realtime", "audio/pcmu", "none"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
EVENT = st.dictionaries(KEYS, JSON, max_size=4).flatmap(
    lambda event: WORDS.map(lambda kind: event | {"type": kind})
)


@given(event=JSON | EVENT, dialect=st.sampled_from(Dialect))
def test_any_json_is_accepted_or_refused(event, dialect):
    try:
        check_event(event, dialect)
    except Refused as refusal:
        error = refusal.as_error(None)["error"]
        assert error["message"]
        assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("kind", list(EVENTS[Dialect.GA]))
def test_every_event_names_its_missing_parameter(kind):
    optional = ("session.close", "input_audio_buffer.commit", "input_audio_buffer.clear")
    if kind in (*optional, "response.create", "response.cancel"):
        check_event({"type": kind}, Dialect.GA)
        return
    with pytest.raises(Refused) as refused:
        check_event({"type": kind}, Dialect.GA)
    assert refused.value.code == "missing_required_parameter"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "session.update", "session": ga_session()},
        {"type": "session.update", "session": {"type": "realtime", "truncation": "auto", "tracing": None}},
        {
            "type": "session.update",
            "session": {
                "type": "realtime",
                "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
                "tool_choice": {"type": "function", "name": "f"},
                "reasoning": {"effort": "low"},
                "parallel_tool_calls": True,
                "max_output_tokens": "inf",
                "audio": {
                    "input": {
                        "noise_reduction": {"type": "near_field"},
                        "transcription": {"model": "gpt-transcribe", "language": "en"},
                        "turn_detection": {"type": "server_vad", "idle_timeout_ms": 6000},
                    },
                    "output": {"voice": "cedar", "speed": 1.2},
                },
            },
        },
        {
            "type": "response.create",
            "response": {"conversation": "none", "input": [], "metadata": {"a": "b"}},
        },
        {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 5},
        {"type": "input_audio_buffer.append", "audio": "AAAA", "event_id": "e"},
    ],
)
def test_what_openais_types_accept_is_accepted(event):
    client_events("ga").validate_python(event)
    check_event(event, Dialect.GA)
