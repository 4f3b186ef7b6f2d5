"""Whatever GPT-Live says in whatever order, what the engine is told fits together."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from llcphone.realtime.events import (
    AudioDelta,
    AudioDone,
    BackendDone,
    CallerTranscript,
    CallerWords,
    ModelEvent,
    ResponseCreated,
    ResponseDone,
    SessionClosed,
    TranscriptDelta,
    TranscriptDone,
)
from llcphone.realtime.messages import CancelResponse, ModelMessage, Speak, ToolOutput, UpdateSession
from tests.live_protocol.samples import CALL, SESSION, backend, error, response, sent, usual_codec

MOMENTS = st.none() | st.integers(0, 6_000)
CHUNKS = st.builds(
    lambda byte, ms: {
        "type": "session.output_audio.delta",
        "delta": base64.b64encode(bytes((byte,)) * 8 * ms).decode(),
    },
    st.sampled_from([0xFF, 0xFF, 0x7F, 0x20]),
    st.sampled_from([0, 20, 100, 300, 900]),
)
WORDS = st.builds(
    lambda side, text, start_ms, end_ms: {
        "type": f"session.{side}_transcript.delta",
        "delta": text,
        "start_ms": start_ms,
        "end_ms": end_ms,
    },
    st.sampled_from(["input", "output"]),
    st.sampled_from([" one", "two", ""]),
    MOMENTS,
    MOMENTS,
)
RESPONSES = st.sampled_from(["resp_1", "resp_2", "resp_3"])
CALLS = st.sampled_from(["call_1", "call_2", "call_3"])
BACKEND = st.one_of(
    st.builds(lambda name: backend("response.created", response=response("in_progress", id=name)), RESPONSES),
    st.builds(lambda name: backend("response.output_item.done", item=CALL | {"call_id": name}), CALLS),
    st.builds(
        lambda name, end: backend(f"response.{end}", response=response(end, id=name)),
        RESPONSES,
        st.sampled_from(["completed", "failed"]),
    ),
)
STARTED = {"type": "session.started", "session": SESSION}
SAID = st.one_of(
    CHUNKS,
    CHUNKS,
    CHUNKS,
    WORDS,
    BACKEND,
    st.just(STARTED),
    st.just(error(client_event_id="ask-silence-1")),
)
ENDS = st.just({"type": "session.closed", "reason": "expired", "usage": {"seconds": 9}})
ASKED = st.one_of(
    st.builds(Speak, st.just("Say it."), st.sampled_from(["greeting", "silence"])),
    st.builds(CancelResponse, st.sampled_from(["", "setup-1-u1", "setup-1-u2"])),
    st.builds(ToolOutput, CALLS, st.just("7")),
)
AFTER = st.one_of(st.just([]), st.builds(lambda end, more: [end, *more], ENDS, st.lists(SAID, max_size=4)))
STEPS = st.builds(
    lambda before, steps, after: [*before, *steps, *after],
    st.sampled_from([[STARTED]] * 7 + [[]]),
    # Short lists, which Hypothesis likes best, hold no utterance.
    st.lists(SAID | ASKED, min_size=20, max_size=60),
    AFTER,
)


def told_of(steps: list[dict[str, Any] | ModelMessage]) -> list[ModelEvent]:
    codec = usual_codec()
    codec.encode(UpdateSession({}, "setup-1"))
    told: list[ModelEvent] = []
    for step in steps:
        if isinstance(step, dict):
            told += codec.decode(sent(step))
        else:
            codec.encode(step)
    return told


@settings(max_examples=400)
@given(STEPS)
def test_utterances_are_whole_and_one_at_a_time(steps: list[Any]) -> None:
    told = told_of(steps)
    is_open, texts = "", {}
    begun: list[str] = []
    for each in told:
        match each:
            case ResponseCreated(response_id):
                assert not is_open
                assert response_id not in begun
                begun.append(response_id)
                is_open = response_id
            case AudioDelta(response_id) | AudioDone(response_id):
                assert response_id == is_open
            case TranscriptDelta(response_id, _, text, start_ms):
                assert response_id in begun[-2:]
                assert start_ms is None or start_ms >= 0
                texts[response_id] = texts.get(response_id, "") + text
            case TranscriptDone(response_id, item_id, text):
                assert item_id == response_id + "-item"
                assert text == texts[response_id].strip()
            case ResponseDone(response_id):
                assert response_id == is_open
                is_open = ""
            case SessionClosed():  # what is open is lost with the session
                assert each is told[-1]
            case _:
                pass
    event(f"utterances: {min(len(begun), 4)}")
    ended = [each.response_id for each in told if isinstance(each, ResponseDone)]
    assert ended == begun[: len(ended)]
    assert len(begun) - len(ended) == bool(is_open)


@settings(max_examples=200)
@given(STEPS)
def test_the_callers_turns_are_whole_and_one_at_a_time(steps: list[Any]) -> None:
    told = told_of(steps)
    is_open, texts, over = "", "", []
    for each in told:
        match each:
            case CallerWords(item_id, text):
                assert item_id not in over
                assert is_open in ("", item_id)
                is_open, texts = item_id, texts + text
            case CallerTranscript(item_id, text, final=True):
                assert (item_id, text) == (is_open, texts.strip())
                over.append(item_id)
                is_open, texts = "", ""
            case SessionClosed():
                assert not is_open
            case _:
                pass


@settings(max_examples=200)
@given(STEPS)
def test_each_response_of_the_backend_ends_once(steps: list[Any]) -> None:
    ended = [each.response_id for each in told_of(steps) if isinstance(each, BackendDone)]
    assert len(set(ended)) == len(ended)


@given(STEPS)
def test_the_same_stream_is_told_in_the_same_way(steps: list[Any]) -> None:
    assert told_of(steps) == told_of(steps)
