"""What GPT-Live says becomes facts; what is broken becomes a RemoteProtocolError, and nothing else."""

from __future__ import annotations

import base64
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.errors import RemoteProtocolError
from llcphone.live.decode import decode, quiet_bytes
from llcphone.live.events import BackendCall, Closed, LiveEvent, Voice
from llcphone.realtime.events import ModelError, UnknownModelEvent
from llcphone.realtime.session import confirms_ulaw
from tests.live_protocol.samples import CALL, QUIET, SAMPLES, SESSION, backend, error, sent
from tests.official_types import judge_live_server

SILENCE = quiet_bytes(3)
EVERY = [pytest.param(*sample, id=sample[0]["type"]) for sample in SAMPLES]
NOT_FOR_US = ("transport.", "decision.", "session.input_audio.append")
"""Of sideband connections and of another product."""


@pytest.mark.parametrize(("event", "fact"), EVERY)
def test_every_event_is_read_into_its_fact(event: dict[str, Any], fact: object) -> None:
    assert decode(sent(event), SILENCE) == fact


@pytest.mark.parametrize(("event", "fact"), EVERY)
def test_the_samples_are_what_the_official_package_knows(event: dict[str, Any], fact: object) -> None:
    judge_live_server(event)


def test_every_event_of_the_official_package_has_a_sample() -> None:
    from openai.types.live import ServerEvent

    kinds = {get_args(m.model_fields["type"].annotation)[0] for m in get_args(get_args(ServerEvent)[0])}
    ours = {kind for kind in kinds if not kind.startswith(NOT_FOR_US)}
    assert ours <= {event["type"] for event, _ in SAMPLES}


def test_a_new_event_is_unknown_and_never_an_error() -> None:
    assert decode(b'{"type":"weather.changed","delta":7}', SILENCE) == UnknownModelEvent("weather.changed")
    assert decode(sent(backend("response.weather.changed", item=[1])), SILENCE) is None


# -- loudness -----------------------------------------------------------------------------------


def heard(audio: bytes, steps: int = 3) -> Voice:
    delta = base64.b64encode(audio).decode()
    event = decode(sent({"type": "session.output_audio.delta", "delta": delta}), quiet_bytes(steps))
    assert isinstance(event, Voice)
    return event


@pytest.mark.parametrize("zero", [0xFF, 0x7F])
@pytest.mark.parametrize("steps", [0, 3, 16])
def test_what_is_within_some_steps_of_either_zero_is_quiet(zero: int, steps: int) -> None:
    assert not heard(bytes(zero - step for step in range(steps + 1)) * 100, steps).loud
    assert heard(b"\xff" * 799 + bytes((zero - steps - 1,)), steps).loud


def test_quiet_has_both_signs_and_nothing_else() -> None:
    assert sorted(quiet_bytes(2)) == [0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF]
    assert len(set(quiet_bytes(1_000))) == 256


@given(st.binary(max_size=900))
def test_any_audio_is_counted_and_passed_on_untouched(audio: bytes) -> None:
    voice = heard(audio)
    assert (voice.size, base64.b64decode(voice.payload)) == (len(audio), audio)


def test_audio_that_lost_its_padding_gets_it_back() -> None:
    delta = base64.b64encode(b"\x10\x20").decode().rstrip("=")
    voice = decode(sent({"type": "session.output_audio.delta", "delta": delta}), SILENCE)
    assert voice == Voice(base64.b64encode(b"\x10\x20"), 2, loud=True)


# -- odd and broken -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no JSON",
        b"[]",
        b'{"type":7}',
        b'{"no":"type"}',
        b'{"type":"session.output_audio.delta"}',
        b'{"type":"session.output_audio.delta","delta":null}',
        b'{"type":"session.output_audio.delta","delta":"a\\"b="}',
        b'{"type":"session.output_audio.delta","delta":"aaa aaaa"}',
        b'{"type":"session.output_audio.delta","delta":"\xff"}',
        b'{"type":"session.started"}',
        b'{"type":"session.started","session":[]}',
        b'{"type":"session.input_transcript.delta","start_ms":1}',
        b'{"type":"session.output_transcript.delta","delta":["a"]}',
        b'{"type":"response.event","event":"response.created"}',
        b'{"type":"response.event","event":{}}',
        sent(backend("response.created")),
        sent(backend("response.completed", response={"status": "completed"})),
        sent(backend("response.output_item.done", item={})),
        sent(backend("response.output_item.done", item=CALL | {"call_id": None})),
        sent(backend("response.output_item.done", item=CALL | {"name": ""})),
        b'{"type":"session.usage.updated","usage":{}}',
        b'{"type":"x","deep":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=lambda text: text[:60].decode("utf-8", "replace"),
)
def test_what_is_broken_is_refused_and_never_quoted(text: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(text, SILENCE)
    assert str(caught.value).startswith("model leg: ")
    assert "aaaa" not in str(caught.value)


@pytest.mark.parametrize(
    ("event", "fact"),
    [
        ({"type": "error"}, ModelError("error")),
        ({"type": "error", "error": "No."}, ModelError("error", message="No.")),
        ({"type": "error", "error": {"type": "server_error"}}, ModelError("server_error", "server_error")),
        ({"type": "error", "client_event_id": "e1"}, ModelError("error", event_id="e1")),
        (error(code=7, type=None, message=None), ModelError("7")),
        ({"type": "session.closed"}, Closed("")),
        ({"type": "session.closed", "reason": None, "usage": {"seconds": "?"}}, Closed("")),
        (
            {"type": "session.usage.updated", "usage": {"seconds": -1}},
            None,
        ),
    ],
    ids=str,
)
def test_what_is_odd_costs_only_itself(event: dict[str, Any], fact: object) -> None:
    assert decode(sent(event), SILENCE) == fact


def test_words_without_times_are_words() -> None:
    text = b'{"type":"session.output_transcript.delta","delta":"Hi","start_ms":null,"end_ms":"soon"}'
    event = decode(text, SILENCE)
    assert (event.text, event.start_ms, event.end_ms) == ("Hi", None, None)


def test_arguments_that_are_an_object_become_json_text() -> None:
    event = decode(sent(backend("response.output_item.done", item=CALL | {"arguments": {"a": 1}})), SILENCE)
    assert isinstance(event, BackendCall)
    assert event.item.arguments == '{"a":1}'


@pytest.mark.parametrize(
    ("audio", "confirmed"),
    [
        ({"format": {"type": "audio/pcmu", "rate": 8000}}, True),
        ({"format": {"type": "audio/pcmu"}}, True),
        ({"format": {"type": "audio/pcmu", "rate": 16000}}, False),
        ({"format": {"type": "audio/pcma", "rate": 8000}}, False),
        ({"format": {"type": "audio/pcm", "rate": 24000}}, False),
        ({}, False),
        (None, False),
        ("audio/pcmu", False),
    ],
    ids=str,
)
def test_only_telephone_audio_is_confirmed(audio: Any, confirmed: bool) -> None:
    text = sent({"type": "session.started", "session": SESSION | {"audio": audio}})
    assert confirms_ulaw(decode(text, SILENCE).state) is confirmed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def facts_or_refusal(text: bytes) -> None:
    try:
        event = decode(text, SILENCE)
    except RemoteProtocolError:
        return
    assert event is None or isinstance(event, LiveEvent)


@given(st.binary(max_size=200) | JSON.map(lambda value: sent({"type": value})))
def test_any_bytes_are_an_event_or_refused(text: bytes) -> None:
    facts_or_refusal(text)


@settings(max_examples=300)
@given(st.sampled_from([event for event, _ in SAMPLES]), st.data())
def test_an_event_with_anything_in_any_place_is_an_event_or_refused(
    event: dict[str, Any], data: st.DataObject
) -> None:
    changed = dict(event)
    changed[data.draw(st.sampled_from(sorted(changed)))] = data.draw(JSON)
    if isinstance(inner := changed.get("event"), dict) and inner:
        changed["event"] = inner | {data.draw(st.sampled_from(sorted(inner))): data.draw(JSON)}
    facts_or_refusal(sent(changed))


@given(st.sampled_from([sent(event) for event, _ in SAMPLES]), st.integers(0, 400), st.binary(max_size=4))
def test_an_event_with_any_bytes_in_it_is_an_event_or_refused(text: bytes, at: int, bytes_: bytes) -> None:
    facts_or_refusal(text[:at] + bytes_ + text[at + len(bytes_) :])


def test_silence_of_the_samples_is_silence() -> None:
    assert not heard(base64.b64decode(QUIET)).loud
