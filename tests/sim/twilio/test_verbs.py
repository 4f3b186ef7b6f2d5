"""The simulated Twilio follows TwiML, and says in its own codes what is wrong."""

from __future__ import annotations

import pytest
import trio

from llcphone.sim.twilio import CallFaults, DialOutcome, EndedBy, open_twilio
from tests.sim.twilio.server import TOKEN, Reply, listening, open_server, served

SPEECH = b"\x20" * 8000


def document(inside):
    return f"<Response>{inside}</Response>"


async def record_of(twiml, *, answers=None, dial=DialOutcome(), act=None, **options):  # noqa: B008
    """Run one document in a call of its own; returns the record and the server."""
    async with served(dial_outcome=dial, **options) as (server, twilio):
        server.answers |= {"/twiml": twiml, **(answers or {})}
        call = await twilio.ring()
        if act is not None:
            await act(call)
        return await call.ended(), server


async def test_verbs_take_their_time_and_the_end_of_twiml_ends_the_call(autojump_clock):
    verbs = '<Say>five words are said now</Say><Pause length="3"/><Play digits="1w2"/><Play>/a.mp3</Play>'
    record, _ = await record_of(document(verbs))
    assert record.ended_by is EndedBy.END_OF_TWIML
    assert record.duration_ms == 2000 + 3000 + 1000 + 2000
    assert record.errors == []


async def test_hangup_and_reject_end_the_call_at_once(autojump_clock):
    record, _ = await record_of(document("<Hangup/><Pause/>"))
    assert (record.ended_by, record.verbs) == (EndedBy.HANGUP_VERB, ["Hangup"])
    record, _ = await record_of(document('<Reject reason="busy"/>'))
    assert record.ended_by is EndedBy.REJECT_VERB


async def test_redirects_are_followed_with_their_method_and_signed(autojump_clock):
    record, server = await record_of(
        document('<Redirect method="GET">next?step=2</Redirect>'), answers={"/next": document("<Hangup/>")}
    )
    assert record.ended_by is EndedBy.HANGUP_VERB
    assert server.requests[1].method == "GET"
    assert server.requests[1].path.startswith("/next?step=2&AccountSid=")


async def test_documents_that_redirect_to_each_other_end_as_an_application_error(autojump_clock):
    record, server = await record_of(document("<Redirect>/twiml</Redirect>"))
    assert record.ended_by is EndedBy.APPLICATION_ERROR
    assert len(server.requests) == 201


@pytest.mark.parametrize(
    ("outcome", "attributes", "expected", "lasted_ms"),
    [
        (DialOutcome(ring_s=2, talk_s=60), "", ("completed", "60", "true"), 62_000),
        (DialOutcome(ring_s=2, talk_s=60), ' timeLimit="10"', ("completed", "10", "true"), 12_000),
        (DialOutcome(ring_s=99), ' timeout="20"', ("no-answer", None, "false"), 20_000),
        (DialOutcome("busy", ring_s=1), "", ("busy", None, "false"), 1000),
    ],
)
async def test_dial_tells_its_action_url_what_became_of_it(
    autojump_clock, outcome, attributes, expected, lasted_ms
):
    record, server = await record_of(
        document(f'<Dial action="/dialled"{attributes}>+15550007</Dial><Say>unreachable</Say>'),
        answers={"/dialled": document("<Hangup/>")},
        dial=outcome,
    )
    fields = server.requests[-1].fields
    assert (fields["DialCallStatus"], fields.get("DialCallDuration"), fields["DialBridged"]) == expected
    assert record.duration_ms == lasted_ms
    assert record.dialled == ["+15550007"]


async def test_a_whisper_is_fetched_for_the_dialled_party_before_it_is_connected(autojump_clock):
    record, server = await record_of(
        document('<Dial><Number url="/whisper">+15550007</Number></Dial><Hangup/>'),
        answers={"/whisper": document("<Say>a caller from the bot</Say>")},
    )
    whisper = server.requests[1]
    assert whisper.path == "/whisper"
    assert whisper.fields["To"] == "+15550007"
    assert whisper.fields["ParentCallSid"] == record.call_sid != whisper.fields["CallSid"]
    assert record.verbs == ["Dial", "Hangup"]


async def test_a_voicemail_is_recorded_until_the_caller_falls_silent(autojump_clock):
    async def leave_message(call):
        call.speak_nowait(SPEECH * 3)

    record, server = await record_of(
        document('<Record action="/recorded" timeout="4" maxLength="30"/>'),
        answers={"/recorded": document("<Hangup/>")},
        act=leave_message,
    )
    fields = server.requests[-1].fields
    assert fields["RecordingDuration"] == "7"
    assert fields["RecordingSid"].startswith("RE")
    assert record.ended_by is EndedBy.HANGUP_VERB


async def test_a_silent_voicemail_goes_on_with_the_next_verb_and_a_key_ends_one(autojump_clock):
    record, _ = await record_of(document('<Record action="/recorded"/><Pause/>'))
    assert record.verbs == ["Record", "Pause"]
    assert record.duration_ms == 6000

    async def press(call):
        await call.speak(SPEECH)
        call.press("#")

    record, server = await record_of(
        document('<Record action="/recorded"/>'), answers={"/recorded": document("<Hangup/>")}, act=press
    )
    assert server.requests[-1].fields["Digits"] == "#"
    assert record.duration_ms < 1200


async def test_a_caller_may_hang_up_anywhere(autojump_clock):
    async def hang_up(call):
        await trio.sleep(5)
        call.hang_up()

    for verb in ('<Play loop="0">/hold.mp3</Play>', '<Pause length="600"/>', "<Dial>+1555</Dial>"):
        record, _ = await record_of(document(verb), act=hang_up)
        assert (record.ended_by, record.duration_ms) == (EndedBy.CALLER, 5000)


async def test_rest_completes_a_call_with_a_stop(autojump_clock):
    async with served() as (server, twilio):
        call = await twilio.ring()
        await call.stream_started()
        call.complete()
        record = await call.ended()
        assert record.ended_by is EndedBy.REST
        assert server.streams[0].of("stop")


async def test_rest_updates_a_call_to_other_twiml_and_the_stream_stops_without_its_action(autojump_clock):
    async with served() as (server, twilio):
        server.answers["/twiml"] = server.connect(attributes=' action="/after"', after="<Say>never</Say>")
        server.answers["/transfer"] = document("<Dial>+15550009</Dial>")
        call = await twilio.ring()
        await call.stream_started()
        call.update(url=f"{server.url}/transfer")
        record = await call.ended()
        assert server.streams[0].of("stop")
        assert server.paths() == ["/twiml", "/transfer"]
        assert record.verbs == ["Connect", "Dial"]
        assert record.dialled == ["+15550009"]


async def test_an_update_can_open_a_second_stream(autojump_clock):
    async with served() as (server, twilio):
        call = await twilio.ring()
        await call.stream_started()
        call.update(twiml=server.connect())
        await call.stream_started(2)
        await trio.sleep(1)
        first, second = server.streams
        assert first.sid != second.sid
        assert second.of("media")[0]["media"]["chunk"] == "1"
        await second.say(SPEECH, "m")
        await second.until(lambda s: s.marks == ["m"])


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        (Reply("<Response/>", status=500), [11200]),
        (Reply("<Response/>", status=403), [11200]),
        (Reply("{}", content_type="application/json"), [12300]),
        ("not TwiML", [12100]),
        (Reply("x" * 70_000), [11750]),
    ],
)
async def test_a_webhook_without_a_usable_answer_is_an_application_error(autojump_clock, answer, codes):
    record, _ = await record_of(answer)
    assert record.error_codes == codes
    assert record.ended_by is EndedBy.APPLICATION_ERROR


async def test_the_fallback_url_is_asked_when_the_webhook_fails(autojump_clock):
    async with open_server() as server:
        server.answers |= {"/twiml": Reply("", status=502), "/fallback": document("<Say>Sorry</Say>")}
        async with open_twilio(
            webhook_url=f"{server.url}/twiml", auth_token=TOKEN, fallback_url=f"{server.url}/fallback"
        ) as twilio:
            record = await (await twilio.ring()).ended()
    assert record.error_codes == [11200]
    assert record.verbs == ["Say"]


async def test_a_webhook_that_is_not_answered_within_15_seconds_has_failed(autojump_clock):
    async with (
        listening(lambda stream: trio.sleep_forever()) as port,  # noqa: ASYNC105
        open_twilio(webhook_url=f"http://127.0.0.1:{port}/", auth_token=TOKEN) as twilio,
    ):
        record = await (await twilio.ring()).ended()
    assert record.duration_ms == 15_000
    assert record.error_codes == [11200]


async def test_a_webhook_where_nobody_listens_is_tried_twice_and_has_failed(autojump_clock):
    with trio.socket.socket() as taken:
        await taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        async with open_twilio(webhook_url=url, auth_token=TOKEN) as twilio:
            record = await (await twilio.ring()).ended()
    assert record.error_codes == [11205]


@pytest.mark.parametrize("url", ["http://[", "mailto:x", "ftp://127.0.0.1/"])
async def test_a_webhook_url_that_is_none_is_an_error_of_the_call_only(autojump_clock, url):
    record, _ = await record_of(document(f"<Redirect>{url}</Redirect>"))
    assert record.error_codes == [11100]


async def test_the_query_string_of_a_stream_url_never_arrives(autojump_clock):
    async with served() as (server, twilio):
        server.answers["/twiml"] = server.connect().replace("/media/token", "/media/token?callId=1&amp;b=2")
        call = await twilio.ring()
        await call.stream_started()
        assert server.streams[0].path == "/media/token"
        assert call.record.streams[0].stripped_query == "callId=1&b=2"
        assert call.record.notes == ["the query string of the stream URL was stripped"]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://127.0.0.1/x", 31922),
        ("ws://phone.example.test/x", 31922),
        ("wss://", 31923),
        ("wss://[x", 31923),
        ("wss://127.0.0.1:99999/x", 31923),
        ("wss://127.0.0.1/a b", 31923),
        ("ws://127.0.0.1:1/x", 31902),
    ],
)
async def test_a_stream_url_twilio_refuses_leads_to_the_next_verb(autojump_clock, url, code):
    record, _ = await record_of(document(f'<Connect><Stream url="{url}"/></Connect><Hangup/>'))
    assert record.error_codes == [code]
    assert record.ended_by is EndedBy.HANGUP_VERB


async def test_tls_on_a_plain_port_is_a_tls_error(autojump_clock):
    async def answer_in_plain(stream):
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.aclose()

    async with listening(answer_in_plain) as port:
        stream = f'<Stream url="wss://127.0.0.1:{port}/x"/>'
        record, _ = await record_of(document(f"<Connect>{stream}</Connect><Hangup/>"))
    assert record.error_codes == [31910]
    assert record.ended_by is EndedBy.HANGUP_VERB


async def test_an_upgrade_that_is_refused_is_a_handshake_error(autojump_clock):
    async with served() as (server, twilio):
        server.refuse_upgrade = 403
        record = await (await twilio.ring()).ended()
        assert record.error_codes == [31920]
        assert "403" in record.errors[0].text
        assert record.ended_by is EndedBy.END_OF_TWIML


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        b"\0" * 400,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
)
async def test_an_upgrade_answered_with_anything_else_is_a_handshake_error(autojump_clock, answer):
    async with served() as (server, twilio):
        server.upgrade_answer = answer
        record = await (await twilio.ring()).ended()
        assert record.error_codes == [31920]


async def test_a_stream_for_the_outbound_track_is_refused(autojump_clock):
    stream = '<Stream url="wss://127.0.0.1/x" track="both_tracks"/>'
    record, _ = await record_of(document(f"<Connect>{stream}</Connect>"))
    assert record.error_codes == [31941]


async def test_what_is_not_simulated_is_noted_and_passed_over(autojump_clock):
    started = '<Start><Stream url="wss://127.0.0.1/x"/></Start>'
    record, _ = await record_of(document(f"{started}<Enqueue/><Connect><Room/></Connect><Nonsense/>"))
    assert len(record.notes) == 3
    assert record.error_codes == [12200]


async def test_the_callbacks_of_stream_and_call_are_made(autojump_clock):
    async with open_server() as server:
        callback = f'<Stream statusCallback="{server.url}/stream-status" '
        server.answers["/twiml"] = server.connect().replace("<Stream ", callback)
        server.answers |= dict.fromkeys(("/stream-status", "/status"), Reply("", status=204))
        url = f"{server.url}/status"
        async with open_twilio(
            webhook_url=f"{server.url}/twiml", auth_token=TOKEN, status_callback_url=url
        ) as twilio:
            call = await twilio.ring()
            await call.stream_started()
            await trio.sleep(2.5)
            call.hang_up()
            await call.ended()
            await trio.sleep(1)
        events = [r.fields["StreamEvent"] for r in server.requests if r.path == "/stream-status"]
        assert events == ["stream-started", "stream-stopped"]
        fields = server.requests[-1].fields
        assert server.requests[-1].path == "/status"
        assert (fields["CallStatus"], fields["CallDuration"], fields["Duration"]) == ("completed", "3", "1")


async def test_a_long_parameter_is_dropped_with_an_error(autojump_clock):
    async with served() as (server, twilio):
        inside = f'<Parameter name="a" value="{"x" * 499}"/><Parameter name="b" value="1"/>'
        server.answers["/twiml"] = server.connect(inside=inside)
        call = await twilio.ring(faults=CallFaults())
        await call.stream_started()
        assert (await server.stream()).of("start")[0]["start"]["customParameters"] == {"b": "1"}
        assert call.record.error_codes == [12200]
