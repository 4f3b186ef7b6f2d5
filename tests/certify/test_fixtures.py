"""What is replaced in the events that are kept, and what stays."""

from __future__ import annotations

import base64
import json

import pytest

from llcphone.certify.fixtures import LIMIT, Pseudonyms, Recording, lines
from llcphone.config import Config
from llcphone.live.decode import decode as decode_live
from llcphone.live.decode import quiet_bytes
from llcphone.twilio.media import decode as decode_twilio

SID = "CA" + "0123456789abcdef" * 2
CONFIG = Config.from_dict(
    {
        "realtime": {"api_key": "sk-canary-0123456789", "project": "proj_canary1"},
        "server": {"public_url": "https://canary.example.org:8443/base"},
        "twilio": {"auth_token": "canary0123", "phone_number": "+12025550199"},
    }
)


@pytest.fixture
def pseudonyms() -> Pseudonyms:
    return Pseudonyms.of(CONFIG)


@pytest.mark.parametrize(
    "event",
    [
        {
            "form": {
                "CallerName": "Canary",
                "FromCity": "CANARY",
                "CallToken": "canary",
                "ForwardedFrom": "+49301234567",
            }
        },
        {"headers": {"x-twilio-signature": "canary=", "host": "canary.example.org:8443"}},
        {"request": "https://canary.example.org:8443/base/media/0123456789abcdefcanary"},
        {"type": "response.output_audio_transcript.delta", "delta": "Canary"},
        {"type": "response.output_audio_transcript.delta", "delta": "canaries"},
        {"type": "session.commentary.append", "content": "Say exactly: canary"},
        {"type": "session.updated", "session": {"instructions": "canary", "tools": [{"description": "x"}]}},
        {"error": {"message": "Limit of org-canary12, proj_canary1, sk-canary-0123456789"}},
        {"item": {"content": [{"type": "output_audio", "transcript": "the canary"}]}},
        "canary0123",
    ],
    ids=lambda event: "-".join(str(event).split()[:2])[:24],
)
def test_what_belongs_to_somebody_is_gone(event: object, pseudonyms: Pseudonyms) -> None:
    told = json.dumps(pseudonyms.event(event)).lower()
    assert "canary" not in told
    assert "canaries" not in told
    assert "49301234567" not in told


def test_shapes_codes_and_times_stay(pseudonyms: Pseudonyms) -> None:
    event = {
        "type": "error",
        "event_id": "event_abc123",
        "error": {"code": "invalid_value", "param": "audio_end_ms", "message": "Expected a value <= 3600"},
        "rate_limits": [{"name": "tokens", "limit": 200_000, "remaining": 199_950, "reset_seconds": 0.5}],
        "expires_at": 1_795_999_999,
    }
    told = pseudonyms.event(event)
    assert told == event | {"event_id": "event_0001"}


def test_the_same_is_replaced_by_the_same(pseudonyms: Pseudonyms) -> None:
    first = pseudonyms.event({"CallSid": SID, "From": "+12025550199", "To": "+12025550100"})
    again = pseudonyms.event({"parent": SID, "Called": "+12025550100", "Caller": "%2B12025550199"})
    assert first["CallSid"] == again["parent"] != SID
    assert first["To"] == again["Called"] != first["From"]
    assert again["Caller"] == first["From"].replace("+", "%2B")


def test_audio_becomes_silence_of_the_same_size(pseudonyms: Pseudonyms) -> None:
    audio = base64.b64encode(bytes(range(160))).decode()
    for event in ({"type": "session.output_audio.delta", "delta": audio}, {"media": {"payload": audio}}):
        told = json.dumps(pseudonyms.event(event))
        assert base64.b64encode(b"\xff" * 160).decode() in told
        assert audio not in told


def test_what_was_received_decodes_as_before(pseudonyms: Pseudonyms) -> None:
    payload = base64.b64encode(b"\x10" * 160).decode()
    start = {
        "accountSid": "AC" + "1" * 32,
        "streamSid": "MZ" + "2" * 32,
        "callSid": SID,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {},
    }
    twilio = [
        {"event": "start", "sequenceNumber": "1", "start": start, "streamSid": "MZ" + "2" * 32},
        {
            "event": "media",
            "streamSid": "MZ" + "2" * 32,
            "media": {"track": "inbound", "chunk": "1", "timestamp": "155", "payload": payload},
        },
        {"event": "mark", "sequenceNumber": "4", "streamSid": "MZ" + "2" * 32, "mark": {"name": "m1"}},
    ]
    live = [
        {"type": "session.output_audio.delta", "delta": payload},
        {
            "type": "session.input_transcript.delta",
            "event_id": "e1",
            "delta": "What is",
            "start_ms": 1,
            "end_ms": 2,
        },
        {
            "type": "session.closed",
            "event_id": "e2",
            "reason": "expired",
            "session": {"id": "live_1234"},
            "usage": {"seconds": 3},
        },
    ]
    for events, decode in ((twilio, decode_twilio), (live, lambda text: decode_live(text, quiet_bytes(3)))):
        for event in events:
            before = decode(json.dumps(event).encode())
            after = decode(json.dumps(pseudonyms.event(event)).encode())
            assert type(after) is type(before)


async def test_a_recording_has_a_limit_and_says_what_it_lost(autojump_clock, pseudonyms: Pseudonyms) -> None:
    recording = Recording()
    recording.begin()
    for _ in range(LIMIT + 2):
        recording.received("model", b"{}")
    recording.sent("model", b"\xff")
    kept = lines(recording, pseudonyms).splitlines()
    assert len(kept) == LIMIT + 1
    assert json.loads(kept[-1]) == {"lost": 3}
    recording.begin()
    recording.sent("model", b"\xff")
    assert json.loads(lines(recording, pseudonyms))["event"] == "«not JSON»"
