"""TwiML is read as strictly as Twilio reads it."""

from __future__ import annotations

import pytest
from twilio.twiml.voice_response import Connect, Dial, VoiceResponse

from llcphone.sim.twilio.twiml import BadTwiML, parse


def read(text):
    warnings = []
    verbs = parse(text, lambda code, what: warnings.append((code, what)))
    return verbs, warnings


def test_what_the_twilio_package_writes_is_read_without_a_warning():
    response = VoiceResponse()
    connect = Connect(action="https://example.test/after", method="POST")
    stream = connect.stream(url="wss://example.test/media/x", name="n", track="inbound_track")
    stream.parameter(name="token", value="a&b")
    response.append(connect)
    dial = Dial(timeout=20, caller_id="+15550001", action="/x", answer_on_bridge=True, time_limit=60)
    dial.number("+15551234567", url="/whisper", status_callback="/s", status_callback_event="answered")
    response.append(dial)
    dial = Dial()
    dial.conference(
        "room", end_conference_on_exit=True, start_conference_on_enter=True, wait_url="", beep=False
    )
    response.append(dial)
    response.say("Sorry", voice="Polly.Joanna", language="en-US")
    response.play("https://example.test/a.mp3", digits="1w2", loop=2)
    response.record(
        max_length=60, finish_on_key="#", play_beep=True, timeout=5, recording_status_callback="/r"
    )
    response.redirect("/again", method="GET")
    response.pause(length=3)
    response.reject(reason="busy")
    response.hangup()
    verbs, warnings = read(str(response))
    assert warnings == []
    assert [verb.name for verb in verbs] == (
        ["Connect", "Dial", "Dial", "Say", "Play", "Record", "Redirect", "Pause", "Reject", "Hangup"]
    )
    token = verbs[0].child("Stream").child("Parameter")
    assert (token.get("name"), token.get("value")) == ("token", "a&b")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 12100),
        ("{}", 12100),
        ("<Response>", 12100),
        ("<response/>", 12100),
        ("<html></html>", 12100),
        ("<Response>" + "<Hangup/>" * 201 + "</Response>", 12100),
        ('<!DOCTYPE r [<!ENTITY a "b">]><Response>&a;</Response>', 12100),
        ("<Response><Say>" + "x" * 66_000 + "</Say></Response>", 11750),
    ],
)
def test_a_document_twilio_refuses_is_refused(text, code):
    with pytest.raises(BadTwiML) as caught:
        read(text)
    assert caught.value.code == code


def test_names_are_case_sensitive_and_what_is_unknown_is_passed_over_with_a_warning():
    verbs, warnings = read(
        '<Response><hangup/><Connect edge="x"><Stream url="a" edge="b"><Say/></Stream></Connect></Response>'
    )
    assert [verb.name for verb in verbs] == ["Connect"]
    assert [code for code, _ in warnings] == [12200] * 4
    assert dict(verbs[0].child("Stream").attributes) == {"url": "a"}
