"""Media Streams messages, both ways."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.errors import LocalProtocolError, RemoteProtocolError
from llcphone.twilio import media
from llcphone.twilio.media import (
    CallerAudio,
    Clear,
    Digit,
    Mark,
    MarkEchoed,
    Media,
    MediaEncoder,
    StreamConnected,
    StreamStarted,
    StreamStopped,
    UnknownPhoneMessage,
)
from tests.realtime.spelling import spelled

SID = "MZ11111111111111111111111111111111"
CALL = "CA22222222222222222222222222222222"
ACCOUNT = "AC33333333333333333333333333333333"
FRAME = base64.b64encode(bytes(range(160))).decode()


def caller(payload: Any = FRAME) -> dict[str, Any]:
    """A media message as Twilio writes it."""
    return {
        "event": "media",
        "sequenceNumber": "4",
        "media": {"track": "inbound", "chunk": "2", "timestamp": "5", "payload": payload},
        "streamSid": SID,
    }


def start(**changes: Any) -> dict[str, Any]:
    """A start message as Twilio writes it."""
    body = {
        "accountSid": ACCOUNT,
        "streamSid": SID,
        "callSid": CALL,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"campaign": "spring"},
    }
    body |= changes
    return {"event": "start", "sequenceNumber": "1", "start": body, "streamSid": SID}


def sent(message: Any) -> bytes:
    """Twilio's own compact spelling."""
    return json.dumps(message, separators=(",", ":")).encode()


STOP = {
    "event": "stop",
    "sequenceNumber": "9",
    "stop": {"accountSid": ACCOUNT, "callSid": CALL},
    "streamSid": SID,
}
MESSAGES = [
    ({"event": "connected", "protocol": "Call", "version": "1.0.0"}, StreamConnected()),
    (start(), StreamStarted(SID, CALL, ACCOUNT, custom={"campaign": "spring"})),
    (caller(), CallerAudio(FRAME.encode())),
    ({"event": "dtmf", "streamSid": SID, "dtmf": {"track": "inbound_track", "digit": "#"}}, Digit("#")),
    ({"event": "mark", "streamSid": SID, "mark": {"name": "i1:200"}}, MarkEchoed("i1:200")),
    (STOP, StreamStopped()),
    ({"event": "weather", "streamSid": SID}, UnknownPhoneMessage("weather")),
]


@pytest.mark.parametrize(("message", "event"), MESSAGES, ids=lambda each: type(each).__name__)
def test_each_message_of_a_stream_is_read(message: dict[str, Any], event: object) -> None:
    assert media.decode(sent(message)) == event
    assert media.decode(json.dumps(message).encode()) == event


def test_another_audio_format_is_reported_not_refused() -> None:
    other = {"encoding": "audio/x-alaw", "sampleRate": 16000, "channels": 2}
    event = media.decode(sent(start(mediaFormat=other)))
    assert event == StreamStarted(SID, CALL, ACCOUNT, "audio/x-alaw", 16000, 2, custom={"campaign": "spring"})


def test_a_start_may_lack_all_but_its_two_ids() -> None:
    bare = {"event": "start", "start": {"streamSid": SID, "callSid": CALL}}
    assert media.decode(sent(bare)) == StreamStarted(SID, CALL)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not json",
        b"[]",
        b'"media"',
        b"{}",
        b'{"event":7}',
        b'{"event":"media"}',
        b'{"event":"media","media":[]}',
        b'{"event":"media","media":{"payload":7}}',
        b'{"event":"media","media":{"payload":"AA\\"A"}}',
        b'{"event":"media","media":{"payload":"AAAA"}',
        b'{"event":"media","media":{"payload":"AAAA"}}}',
        b'{"event":"media","media":{"payload":"\xff\xff"}}',
        b'{"event":"mark","mark":{}}',
        b'{"event":"dtmf","dtmf":{"digit":"12"}}',
        b'{"event":"dtmf","dtmf":{"digit":""}}',
        b'{"event":"start","start":{"streamSid":"MZ1"}}',
        b'{"event":"start","start":{"streamSid":"MZ1","callSid":null}}',
        b'{"event":' + b"[" * 60_000,
    ],
    ids=lambda text: repr(text[:40]),
)
def test_a_broken_message_is_the_far_sides_fault_and_is_not_quoted(text: bytes) -> None:
    assert media.caller_audio_fast(text) is None
    with pytest.raises(RemoteProtocolError) as caught:
        media.decode(text)
    assert str(caught.value).startswith("phone leg: ")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@settings(max_examples=40)
@given(st.binary(max_size=160).flatmap(lambda audio: spelled(caller(base64.b64encode(audio).decode()))))
def test_caller_audio_is_found_fast_in_every_spelling(text: bytes) -> None:
    payload = json.loads(text)["media"]["payload"].encode()
    assert media.caller_audio_fast(text) == payload
    assert media.decode(text) == CallerAudio(payload)


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.integers(-5, 5) | st.sampled_from(["media", "mark", "A+/=", 'A"', "é", "\\"]),
        lambda inner: st.dictionaries(st.sampled_from(["event", "media", "payload", "mark", "name"]), inner),
        max_leaves=8,
    ).flatmap(spelled)
)
def test_the_fast_way_decides_as_the_general_way_whatever_comes(text: bytes) -> None:
    fast = media.caller_audio_fast(text)
    try:
        general = media.decode(text)
    except RemoteProtocolError:
        general = None
    assert fast == (general.payload if isinstance(general, CallerAudio) else None)


@given(st.binary(max_size=80))
def test_no_bytes_can_raise_anything_else(text: bytes) -> None:
    try:
        media.decode(text)
    except RemoteProtocolError as error:
        assert str(error).startswith("phone leg: ")  # noqa: PT017


@pytest.mark.parametrize("sid", [SID, 'MZ"},{"event":"clear', "MZ\\\n"])
def test_what_we_say_has_exactly_the_documented_fields(sid: str) -> None:
    say = MediaEncoder(sid)
    assert json.loads(say.media(b"AAAA")) == {
        "event": "media",
        "streamSid": sid,
        "media": {"payload": "AAAA"},
    }
    assert json.loads(say.mark('a "b"\n')) == {"event": "mark", "streamSid": sid, "mark": {"name": 'a "b"\n'}}
    assert json.loads(say.clear()) == {"event": "clear", "streamSid": sid}


def test_a_message_is_encoded_for_its_stream() -> None:
    say = MediaEncoder(SID)
    assert media.encode(Media(b"AAAA"), SID) == say.encode(Media(b"AAAA")) == say.media(b"AAAA")
    assert media.encode(Mark("m1"), SID) == say.encode(Mark("m1")) == say.mark("m1")
    assert media.encode(Clear(), SID) == say.encode(Clear()) == say.clear()


def test_an_event_is_no_message_to_the_phone() -> None:
    with pytest.raises(LocalProtocolError):
        media.encode(CallerAudio(b"AAAA"), SID)  # type: ignore[arg-type]
