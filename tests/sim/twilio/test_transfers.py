"""The simulated Twilio where callers are put through: dialled parties, rooms, recordings, text messages."""

from __future__ import annotations

import pytest
import trio

from llcphone.sim.twilio import DialOutcome, EndedBy, open_twilio
from tests.sim.twilio.server import TOKEN, open_server, served
from tests.sim.twilio.test_verbs import SPEECH, document, record_of

SCREEN = '<Gather numDigits="1" action="/accept" timeout="4"><Say>press a key</Say></Gather><Hangup/>'


def ask(number="+15550007"):
    return document(f'<Dial action="/after"><Number url="/whisper">{number}</Number></Dial>')


@pytest.mark.parametrize(
    ("presses", "accept", "joined"),
    [("17", document(""), ["+15550007"]), ("17", document("<Hangup/>"), []), ("", document(""), [])],
)
async def test_a_dialled_party_is_joined_only_by_a_document_that_ends(
    autojump_clock, presses, accept, joined
):
    answers = {"/whisper": document(SCREEN), "/accept": accept, "/after": document("<Hangup/>")}
    record, server = await record_of(ask(), answers=answers, dial=DialOutcome(presses=presses))
    assert record.joined == joined
    digits = [request.fields["Digits"] for request in server.requests if request.path == "/accept"]
    assert digits == (["1"] if presses else [])
    after = next(request for request in server.requests if request.path == "/after")
    assert after.fields["DialBridged"] == ("true" if joined else "false")
    assert after.fields["DialCallStatus"] == "completed"


async def test_what_is_said_of_a_party_that_was_not_joined_can_be_chosen(autojump_clock):
    answers = {"/whisper": document("<Hangup/>"), "/after": document("<Hangup/>")}
    record, server = await record_of(ask(), answers=answers, dial=DialOutcome(unjoined="no-answer"))
    assert server.requests[-1].fields["DialCallStatus"] == "no-answer"
    assert record.joined == []


async def test_a_whisper_may_not_dial(autojump_clock):
    answers = {"/whisper": document("<Dial>+15550008</Dial>"), "/after": document("<Hangup/>")}
    record, _ = await record_of(ask(), answers=answers)
    assert (record.error_codes, record.dialled) == ([13201], ["+15550007"])


@pytest.mark.parametrize(
    ("attributes", "number", "code"),
    [
        ('callerId="+15559999999"', "+15550007", 13214),
        ("", "5550007", 13223),
        ('timeout="700"', "+15550007", 13212),
    ],
)
async def test_a_dial_that_twilio_refuses_fails(autojump_clock, attributes, number, code):
    twiml = document(f'<Dial action="/after" {attributes}>{number}</Dial>')
    record, server = await record_of(twiml, answers={"/after": document("<Hangup/>")})
    assert (record.error_codes, record.joined) == ([code], [])
    assert server.requests[-1].fields["DialCallStatus"] == "failed"


async def test_a_call_may_show_our_number_or_the_callers(autojump_clock):
    for number in ("+15551230001", "+15551230002"):
        record, _ = await record_of(document(f'<Dial callerId="{number}">+15550007</Dial>'))
        assert record.joined == ["+15550007"]


@pytest.mark.parametrize("from_", ["client:anna", "sip:anna@a.example", "anonymous", "", "+266696687"])
async def test_a_telephone_is_not_dialled_for_a_caller_who_has_no_number(autojump_clock, from_):
    async with open_server() as server, open_twilio(webhook_url=server.url, auth_token=TOKEN) as twilio:
        for dial in ("+15550007", "<Number>+15550007</Number>"):
            call = await twilio.ring(from_=from_, twiml=document(f"<Dial>{dial}</Dial>"))
            assert ((await call.ended()).error_codes, call.record.joined) == ([13214], [])
        ours, sip = (
            '<Dial callerId="+15551230002">+15550007</Dial>',
            "<Dial><Sip>sip:a@b.example</Sip></Dial>",
        )
        for dial in (ours, sip):
            call = await twilio.ring(from_=from_, twiml=document(dial))
            assert ((await call.ended()).error_codes, len(call.record.joined)) == ([], 1)


async def test_a_caller_who_hangs_up_while_it_rings_is_told_to_the_action_url(autojump_clock):
    async def leave(call):
        await trio.sleep(1)
        call.hang_up()

    twiml = document('<Dial action="/after">+15550007</Dial>')
    record, server = await record_of(twiml, answers={"/after": document("<Say>never heard</Say>")}, act=leave)
    assert (record.ended_by, record.joined) == (EndedBy.CALLER, [])
    assert server.requests[-1].fields["CallStatus"] == "completed"
    assert len(record.documents) == 1


# -- rooms --------------------------------------------------------------------------------------


def room(*, start="true", end="false", name="r", events=""):
    tells = f'statusCallback="/events" statusCallbackEvent="{events}"' if events else ""
    seat = f'startConferenceOnEnter="{start}" endConferenceOnExit="{end}" {tells}'
    return document(f'<Dial action="/after"><Conference {seat}>{name}</Conference></Dial>')


async def two(server, twilio, first, second):
    server.answers |= {"/after": document("<Hangup/>"), "/events": document("")}
    one = await twilio.ring(twiml=first)
    await trio.sleep(3)
    other = await twilio.ring(twiml=second)
    await trio.sleep(2)
    return one, other


async def test_music_plays_until_somebody_begins_the_room_and_who_ends_it_ends_it_for_all(autojump_clock):
    async with served() as (server, twilio):
        waiting, host = await two(server, twilio, room(start="false", end="true"), room(end="true"))
        assert (waiting.record.on_hold_ms, host.record.on_hold_ms) == (3_000, 0)
        (only,) = twilio.exchange.rooms.values()
        assert list(only.inside) == [waiting.sid, host.sid]
        host.hang_up()
        assert (await waiting.ended()).ended_by is EndedBy.HANGUP_VERB
        assert twilio.exchange.rooms == {}
        after = [request.fields for request in server.requests if request.path == "/after"]
        outcomes = {each["CallStatus"]: each["DialCallStatus"] for each in after}
        assert outcomes.keys() == {"in-progress", "completed"}
        assert outcomes["in-progress"] == "answered"


async def test_a_room_goes_on_when_somebody_leaves_who_does_not_end_it(autojump_clock):
    async with served() as (server, twilio):
        one, other = await two(server, twilio, room(), room())
        one.hang_up()
        await trio.sleep(5)
        assert not other.over
        other.hang_up()
        await other.ended()
        assert twilio.exchange.rooms == {}


async def test_who_asked_for_events_is_told_who_enters_and_leaves(autojump_clock):
    async with served() as (server, twilio):
        told = room(start="false", end="true", events="join leave end")
        caller, other = await two(server, twilio, told, room())
        caller.hang_up()
        await other.ended()
        await trio.sleep(1)
        events = [request.fields for request in server.requests if request.path == "/events"]
        names = [each["StatusCallbackEvent"] for each in events]
        assert sorted(names) == ["conference-end", *["participant-join"] * 2, *["participant-leave"] * 2]
        left = [each["CallSid"] for each in events if each["StatusCallbackEvent"] == "participant-leave"]
        assert sorted(left) == sorted([caller.sid, other.sid])
        assert all(each["ConferenceSid"].startswith("CF") for each in events)


async def test_a_call_that_is_redirected_leaves_its_room(autojump_clock):
    async with served() as (server, twilio):
        server.answers |= {"/back": document("<Hangup/>"), "/after": document("<Say>not asked</Say>")}
        call = await twilio.ring(twiml=room(start="false"))
        await trio.sleep(1)
        call.update(url=f"{server.url}/back")
        assert (await call.ended()).ended_by is EndedBy.HANGUP_VERB
        assert [request.path for request in server.requests] == ["/back"]
        assert twilio.exchange.rooms == {}


async def test_a_room_needs_a_name(autojump_clock):
    record, _ = await record_of(room(name=""), answers={"/after": document("<Hangup/>")})
    assert record.error_codes == [13232]


# -- recordings ---------------------------------------------------------------------------------


async def test_a_message_is_told_to_the_action_url_and_to_the_recording_callback(autojump_clock):
    async def speak(call):
        await trio.sleep(0.1)
        await call.speak(SPEECH)

    twiml = document('<Record action="/after" timeout="2" recordingStatusCallback="/ready"/><Hangup/>')
    record, server = await record_of(
        twiml, answers={"/after": document("<Hangup/>"), "/ready": document("")}, act=speak
    )
    paths = {request.path: request.fields for request in server.requests}
    assert paths["/ready"]["RecordingStatus"] == "completed"
    assert paths["/ready"]["RecordingSid"] == paths["/after"]["RecordingSid"]
    assert record.ended_by is EndedBy.HANGUP_VERB


async def test_who_hangs_up_has_left_a_message_too(autojump_clock):
    async def speak(call):
        await trio.sleep(0.1)
        await call.speak(SPEECH)
        call.hang_up()

    twiml = document('<Record action="/after" recordingStatusCallback="/ready"/>')
    answers = {"/after": document("<Hangup/>"), "/ready": document("")}
    _, server = await record_of(twiml, answers=answers, act=speak)
    fields = {request.path: request.fields for request in server.requests}
    assert fields["/after"]["Digits"] == "hangup"
    assert fields["/after"]["CallStatus"] == "completed"
    assert "/ready" in fields


async def test_a_whole_call_is_recorded_from_start_to_end(autojump_clock):
    start = '<Start><Recording channels="dual" recordingStatusCallback="/ready"/></Start>'
    twiml = document(f'<Pause length="2"/>{start}<Pause length="5"/>')
    record, server = await record_of(twiml, answers={"/ready": document("")})
    assert server.requests[-1].fields["RecordingDuration"] == "5"
    assert server.requests[-1].fields["CallSid"] == record.call_sid
    assert record.errors == []
