"""Server events of both dialects become the same facts."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.errors import RemoteProtocolError
from llcphone.realtime.decode import audio_delta_fast, decode
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import (
    AudioDelta,
    ResponseDone,
    ResponseStatus,
    SessionUpdated,
    SpeechStarted,
    UnknownModelEvent,
)
from tests.official_types import server_event_types, server_events
from tests.realtime.sample_parts import GA_SESSION, events, response
from tests.realtime.samples import SAMPLES
from tests.realtime.spelling import spelled

EVERY = [
    pytest.param(d, *sample, id=f"{d.value} {sample[0]['type']}")
    for d, samples in SAMPLES.items()
    for sample in samples
]
DELTAS = ["response.output_audio.delta", "response.audio.delta"]


def sent(event: Any) -> bytes:
    """The compact spelling of the live endpoint."""
    return json.dumps(event, separators=(",", ":")).encode()


def delta(kind: str, payload: Any) -> dict[str, Any]:
    """A piece of speech as the live endpoint orders it."""
    ids = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
    return events(kind, **ids, delta=payload)


@pytest.mark.parametrize(("dialect", "event", "fact"), EVERY)
def test_every_event_is_read_as_the_fact_it_tells(
    dialect: Dialect, event: dict[str, Any], fact: object
) -> None:
    assert decode(sent(event)) == (fact if fact is not None else UnknownModelEvent(event["type"]))


@pytest.mark.parametrize(("dialect", "event", "fact"), EVERY)
def test_the_official_types_agree_that_this_is_such_an_event(
    dialect: Dialect, event: dict[str, Any], fact: object
) -> None:
    server_events(dialect.value).validate_python(event)


def test_the_samples_hold_every_event_of_the_official_union() -> None:
    assert server_event_types() <= {event["type"] for event, _ in SAMPLES[Dialect.GA]}


def test_an_event_that_openai_may_add_is_counted_not_refused() -> None:
    assert decode(b'{"type":"weather.changed","temperature":[1,{"a":2}]}') == UnknownModelEvent(
        "weather.changed"
    )


def test_keys_that_openai_may_add_change_nothing() -> None:
    for event, fact in SAMPLES[Dialect.GA]:
        if fact is not None:
            assert decode(sent(event | {"brand_new": {"deep": [None]}})) == fact


def test_a_status_that_openai_may_add_still_ends_the_response() -> None:
    event = events("response.done", response=response("superseded"))
    assert decode(sent(event)) == ResponseDone("resp_1", ResponseStatus.INCOMPLETE, "superseded")


def test_milliseconds_may_come_as_floats_from_other_servers() -> None:
    text = b'{"type":"input_audio_buffer.speech_started","item_id":"i","audio_start_ms":1236.7}'
    assert decode(text) == SpeechStarted("i", 1236)


@pytest.mark.parametrize(
    ("session", "formats"),
    [
        ({}, ("", "")),
        ({"audio": None, "input_audio_format": "pcm16"}, ("pcm16", "")),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}}}, ("pcm16", "")),
        (
            {"audio": {"input": {"format": {"type": "audio/pcma"}}, "output": {"format": "g711_ulaw"}}},
            ("g711_alaw", "g711_ulaw"),
        ),
        ({"audio": {"input": {"format": {"type": "audio/pcmu", "rate": 8000}}}}, ("g711_ulaw", "")),
        (
            {"audio": {"input": {"format": {"type": "audio/pcmu", "rate": 16000}}}},
            ("audio/pcmu;rate=16000", ""),
        ),
        (
            {"audio": {"input": {"format": {"type": "audio/opus"}}, "output": {"format": 7}}},
            ("audio/opus", ""),
        ),
        ({"input_audio_format": "g711_ulaw", "output_audio_format": "g711_ulaw"}, ("g711_ulaw", "g711_ulaw")),
    ],
)
def test_the_formats_of_a_session_are_told_in_flat_words(
    session: dict[str, Any], formats: tuple[str, str]
) -> None:
    event = decode(sent(events("session.updated", session=session)))
    assert event == SessionUpdated(*formats)
    assert isinstance(event, SessionUpdated)
    assert event.session == session


def test_a_custom_voice_is_told_by_its_id() -> None:
    output = GA_SESSION["audio"]["output"] | {"voice": {"id": "voice_7"}}  # type: ignore[index]
    session = GA_SESSION | {"audio": {"output": output}}
    event = decode(sent(events("session.updated", session=session)))
    assert isinstance(event, SessionUpdated)
    assert event.voice == "voice_7"


BROKEN = [
    b"",
    b"hello",
    b"[]",
    b"{}",
    b'{"type":7}',
    b'{"type":null}',
    b'{"type":"session.updated"}',
    b'{"type":"input_audio_buffer.committed"}',
    b'{"type":"conversation.item.added","item":{"type":"message"}}',
    b'{"type":"conversation.item.deleted","item_id":null}',
    b'{"type":"conversation.item.input_audio_transcription.completed","item_id":"i"}',
    b'{"type":"response.created","response":{}}',
    b'{"type":"response.done","response":{"id":7,"status":"completed"}}',
    b'{"type":"response.done","response":[]}',
    b'{"type":"response.done","response":{"status":"completed"}}',
    b'{"type":"response.output_item.done","item":{"id":"i","type":"message"}}',
    b'{"type":"response.output_audio.delta","response_id":"r","item_id":"i"}',
    b'{"type":"response.output_audio.delta","item_id":"i","delta":"AAAA"}',
    b'{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":7}',
    b'{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"AA\\"A"}',
    b'{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"AA\xff"}',
    b'{"type":"response.output_audio_transcript.delta","response_id":"r","item_id":"i"}',
    b'{"type":"error","error":' + b'{"type":' * 60_000,
    b'{"x":' + b"[" * 60_000,
]


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: repr(text[:70]))
def test_a_broken_event_is_the_far_sides_fault_and_is_not_quoted(text: bytes) -> None:
    assert audio_delta_fast(text) is None
    with pytest.raises(RemoteProtocolError) as caught:
        decode(text)
    assert str(caught.value).startswith("model leg: ")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@settings(max_examples=40)
@given(
    st.tuples(st.sampled_from(DELTAS), st.binary(max_size=300)).flatmap(
        lambda each: spelled(delta(each[0], base64.b64encode(each[1]).decode()))
    )
)
def test_speech_is_found_fast_in_every_spelling(text: bytes) -> None:
    event = AudioDelta("resp_1", "item_1", json.loads(text)["delta"].encode())
    assert audio_delta_fast(text) == decode(text) == event


VALUES = st.none() | st.integers(-2, 9) | st.sampled_from([*DELTAS, "error", "A+/=", 'A"', "é", "\\", ""])


@settings(max_examples=60)
@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(DELTAS)},
        optional=dict.fromkeys(("response_id", "item_id", "delta", "content_index", "event_id"), VALUES),
    ).flatmap(spelled)
)
def test_the_fast_way_decides_as_the_general_way_whatever_comes(text: bytes) -> None:
    try:
        general = decode(text)
    except RemoteProtocolError:
        general = None
    assert audio_delta_fast(text) == general


def test_equal_keys_are_judged_alike_by_both_ways() -> None:
    text = b'{"type":"response.audio.delta","response_id":"r","item_id":"i","delta":7,"delta":"AAAA"}'
    assert audio_delta_fast(text) is None
    with pytest.raises(RemoteProtocolError):
        decode(text)
    text = text.replace(b":7,", b':"A",')
    assert audio_delta_fast(text) == decode(text) == AudioDelta("r", "i", b"AAAA")


@settings(max_examples=40)
@given(
    st.sampled_from([sample for samples in SAMPLES.values() for sample in samples]).flatmap(
        lambda sample: st.tuples(spelled(sample[0]), st.just(sample))
    )
)
def test_no_event_depends_on_its_spelling(case: tuple[bytes, tuple[dict[str, Any], object]]) -> None:
    text, (event, fact) = case
    assert decode(text) == (fact if fact is not None else UnknownModelEvent(event["type"]))


@settings(max_examples=80)
@given(st.sampled_from([sent(e) for e, _ in SAMPLES[Dialect.GA]]), st.integers(0, 400), st.binary(max_size=4))
def test_no_damage_to_an_event_can_raise_anything_else(text: bytes, place: int, damage: bytes) -> None:
    place %= len(text)
    try:
        decode(text[:place] + damage + text[place + len(damage) :])
    except RemoteProtocolError as error:
        assert str(error).startswith("model leg: ")  # noqa: PT017
