"""The simulated Twilio as a whole: webhook, stream, speech, hang-up."""

from __future__ import annotations

import base64
import re

import trio
import trio.testing
from twilio.request_validator import RequestValidator

from llcphone.sim.twilio import CallFaults, EndedBy, Signature, open_twilio, sign
from tests.sim.twilio.server import TOKEN, open_server, served


async def test_a_call_is_announced_by_a_signed_form_post_as_twilio_sends_it(autojump_clock):
    async with served() as (server, twilio):
        forwarded = {"ForwardedFrom": "+15551230008"}
        call = await twilio.ring(from_="anonymous", to="+15551230009", fields=forwarded)
        request = server.requests[0]
        assert request.method == "POST"
        assert request.headers["user-agent"] == "TwilioProxy/1.1"
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert re.fullmatch(r"[0-9a-f-]{36}", request.headers["i-twilio-idempotency-token"])
        assert "cookie" not in request.headers
        fields = request.fields
        assert fields["From"] == fields["Caller"] == "anonymous"
        assert fields["To"] == fields["Called"] == "+15551230009"
        assert (fields["Direction"], fields["CallStatus"]) == ("inbound", "ringing")
        assert fields["FromCity"] == ""
        assert fields["CallSid"] == call.sid
        assert re.fullmatch(r"CA[0-9a-f]{32}", call.sid)
        judge = RequestValidator(TOKEN)
        assert judge.validate(f"{server.url}/twiml", fields, request.headers["x-twilio-signature"])


def test_the_published_signature_vector_comes_out():
    form = {"CallSid": "CA1234567890ABCDE", "Caller": "+14158675310", "Digits": "1234"}
    form |= {"From": "+14158675310", "To": "+18005551212"}
    assert sign("12345", "https://example.com/myapp.php?foo=1&bar=2", form) == "L/OH5YylLD5NRKLltdqwSvS0BnU="


async def test_the_upgrade_looks_as_it_was_captured_and_is_signed_in_the_wss_form(autojump_clock):
    async with served() as (server, twilio):
        await (await twilio.ring()).stream_started()
        stream = await server.stream()
        headers = {name.lower(): value for name, value in stream.headers}
        assert headers["user-agent"] == "Twilio.TmeWs/1.0"
        assert headers["host"] == f"127.0.0.1:{server.port}"
        assert not {"origin", "sec-websocket-extensions", "sec-websocket-protocol"} & set(headers)
        signed = f"wss://127.0.0.1:{server.port}/media/token"
        assert ("x-twilio-signature", sign(TOKEN, signed)) in stream.headers
        assert RequestValidator(TOKEN).validate(signed, {}, headers["x-twilio-signature"])


async def test_the_stream_opens_with_connected_and_start_in_twilios_spelling(autojump_clock):
    async with served() as (server, twilio):
        server.answers["/twiml"] = server.connect(inside='<Parameter name="who" value="a &amp; b"/>')
        call = await twilio.ring()
        await call.speak(b"\x11" * 160)
        stream = await server.stream()
        await stream.until(lambda s: len(s.texts) > 4)
        assert stream.texts[0] == '{"event":"connected","protocol":"Call","version":"1.0.0"}'
        account, sid = twilio.exchange.account_sid, stream.sid
        assert stream.texts[1] == (
            f'{{"event":"start","sequenceNumber":"1","start":{{"accountSid":"{account}","streamSid":"{sid}",'
            f'"callSid":"{call.sid}","tracks":["inbound"],"mediaFormat":{{"encoding":"audio/x-mulaw",'
            f'"sampleRate":8000,"channels":1}},"customParameters":{{"who":"a & b"}}}},"streamSid":"{sid}"}}'
        )
        payload = stream.messages[2]["media"]["payload"]
        assert stream.texts[2] == (
            '{"event":"media","sequenceNumber":"2","media":{"track":"inbound","chunk":"1","timestamp":"155",'
            f'"payload":"{payload}"}},"streamSid":"{sid}"}}'
        )
        assert [m["media"]["timestamp"] for m in stream.of("media")[:3]] == ["155", "175", "195"]


async def test_frames_come_every_20_ms_for_the_whole_call_and_speech_rides_on_them(autojump_clock):
    async with served() as (server, twilio):
        call = await twilio.ring()
        await call.stream_started()
        began = trio.current_time()
        await call.speak(b"\x22" * 400)  # two and a half frames
        assert abs(trio.current_time() - began - 0.06) < 0.03
        await trio.sleep(0.99 - (trio.current_time() - began))
        stream = await server.stream()
        assert len(stream.of("media")) == 49
        frames = [base64.b64decode(m["media"]["payload"]) for m in stream.of("media")]
        assert all(len(frame) == 160 for frame in frames)
        assert b"".join(frames).strip(b"\xff") == b"\x22" * 400
        assert call.said[0][1].startswith(b"\x22" * 400)
        assert call.record.streams[0].frames_sent == 49


async def test_a_hang_up_sends_stop_and_closes_and_the_call_is_over(autojump_clock):
    async with served() as (server, twilio):
        call = await twilio.ring()
        await call.stream_started()
        call.press("1#")
        await trio.sleep(0.5)
        assert (twilio.live_calls, twilio.open_streams) == (1, 1)
        call.hang_up()
        call.hang_up()
        record = await call.ended()
        stream = server.streams[0]
        assert stream.texts[-1].startswith('{"event":"stop","sequenceNumber":"')
        ids = {"accountSid": twilio.exchange.account_sid, "callSid": call.sid}
        assert stream.messages[-1]["stop"] == ids
        assert [m["dtmf"] for m in stream.of("dtmf")] == [
            {"track": "inbound_track", "digit": digit} for digit in "1#"
        ]
        numbers = [int(m["sequenceNumber"]) for m in stream.messages[1:]]
        assert numbers == list(range(1, len(numbers) + 1))
        await stream.closed.wait()
        assert stream.close_code == 1000
        assert record.ended_by is EndedBy.CALLER
        assert record.errors == []
        assert (twilio.live_calls, twilio.open_streams) == (0, 0)


async def test_a_thirty_minute_call_passes_quickly_in_virtual_time(autojump_clock):
    async with served() as (_, twilio):
        call = await twilio.ring(faults=CallFaults(frame_ms=4000))
        await trio.sleep(1800)
        call.hang_up()
        record = await call.ended()
        assert record.streams[0].frames_sent in (449, 450)
        assert record.duration_ms == 1_800_000


async def test_a_late_mouth_catches_up_in_a_burst_and_loses_no_frame(mock_clock):
    async with served() as (server, twilio):
        call = await twilio.ring()
        await call.stream_started()
        mock_clock.jump(1.0)  # the process slept for a second
        stream = server.streams[0]
        with trio.testing.assert_checkpoints():
            while len(stream.of("media")) < 50:
                await trio.testing.wait_all_tasks_blocked()
        assert [int(m["media"]["chunk"]) for m in stream.of("media")] == list(range(1, 51))
        mock_clock.autojump_threshold = 0


async def test_behind_a_tunnel_the_public_urls_are_signed_and_the_local_port_is_reached(autojump_clock):
    async with open_server() as server:
        public = "https://phone.example.test"
        server.answers["/twiml"] = server.connect().replace(
            server.stream_url, "wss://phone.example.test/media/token"
        )
        async with open_twilio(
            webhook_url="/twiml", auth_token=TOKEN, public_url=public, connect_to=("127.0.0.1", server.port)
        ) as twilio:
            await (await twilio.ring()).stream_started()
            webhook, stream = server.requests[0], server.streams[0]
            assert webhook.headers["host"] == "phone.example.test"
            assert webhook.headers["x-forwarded-proto"] == "https"
            judge = RequestValidator(TOKEN)
            assert judge.validate(f"{public}/twiml", webhook.fields, webhook.headers["x-twilio-signature"])
            headers = dict(stream.headers)
            assert headers["Host"] == "phone.example.test"
            assert judge.validate("wss://phone.example.test/media/token", {}, headers["x-twilio-signature"])


async def test_signatures_can_be_wrong_or_missing(autojump_clock):
    async with served() as (server, twilio):
        await twilio.ring(faults=CallFaults(webhook_signature=Signature.MISSING))
        await twilio.ring(faults=CallFaults(webhook_signature=Signature.WRONG))
        missing, wrong = server.requests
        assert "x-twilio-signature" not in missing.headers
        judge = RequestValidator(TOKEN)
        assert not judge.validate(f"{server.url}/twiml", wrong.fields, wrong.headers["x-twilio-signature"])
        call = await twilio.ring(faults=CallFaults(stream_signature=Signature.MISSING))
        await call.stream_started()
        assert "x-twilio-signature" not in dict(server.streams[-1].headers)


async def test_a_webhook_can_come_twice_with_the_same_call_and_token(autojump_clock):
    async with served() as (server, twilio):
        await twilio.ring(faults=CallFaults(repeat_webhook=True))
        first, second = server.requests
        assert first.fields == second.fields
        tokens = {request.headers["i-twilio-idempotency-token"] for request in server.requests}
        assert len(tokens) == 1


async def test_leaving_the_simulator_hangs_up_and_leaves_no_task(autojump_clock):
    async with open_server() as server:
        await trio.testing.wait_all_tasks_blocked()
        before = trio.lowlevel.current_statistics().tasks_living
        async with open_twilio(webhook_url=f"{server.url}/twiml", auth_token=TOKEN) as twilio:
            calls = [await twilio.ring() for _ in range(3)]
            for call in calls:
                await call.stream_started()
        assert {call.record.ended_by for call in calls} == {EndedBy.CALLER}
        for stream in server.streams:
            await stream.closed.wait()
        await trio.testing.wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living == before
