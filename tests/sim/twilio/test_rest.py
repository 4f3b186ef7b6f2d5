"""The simulated REST API, judged by the twilio package."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager

import httpx
import pytest
import trio
from twilio.base.exceptions import TwilioRestException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from llcphone.sim.twilio import Callbacks, Callee, CallFaults, EndedBy
from tests.sim.twilio.server import TOKEN, Reply, served

FROM, TO = "+15551230002", "+15557654321"


class TrioHttp(AsyncHttpClient):
    """Carries the twilio package's requests to the simulator, on Trio."""

    def __init__(self, client, base):
        super().__init__(logging.getLogger("twilio.test"), True, 10.0)
        self.client, self.base = client, httpx.URL(base)

    async def request(self, method, url, params=None, data=None, headers=None, auth=None, **_):
        target = httpx.URL(url).copy_with(scheme="http", host=self.base.host, port=self.base.port)
        answer = await self.client.request(
            method.upper(), target, params=params or None, data=data, headers=headers, auth=auth
        )
        return Response(answer.status_code, answer.text, answer.headers)


@asynccontextmanager
async def office(*, callee=Callee(), token=TOKEN):  # noqa: B008
    """A server, a simulator, and the twilio package's client of it."""
    async with served(callee=callee) as (server, twilio), httpx.AsyncClient(trust_env=False) as http:
        server.answers |= {"/status": Reply("", status=204), "/amd": Reply("", status=204)}
        http_client = TrioHttp(http, twilio.api_url)
        yield server, twilio, Client(twilio.exchange.account_sid, token, http_client=http_client)


def dial(client, server, **options):
    return client.calls.create_async(
        to=TO,
        from_=FROM,
        url=f"{server.url}/twiml",
        status_callback=f"{server.url}/status",
        status_callback_event=["initiated", "ringing", "answered", "completed"],
        **options,
    )


def statuses(server):
    return [r.fields["CallStatus"] for r in server.requests if r.path == "/status"]


async def test_a_call_is_placed_rings_and_opens_its_stream(autojump_clock):
    async with office() as (server, twilio, client):
        placed = await dial(client, server)
        assert placed.status == "queued"
        call = await twilio.outbound()
        assert call.sid == placed.sid
        assert (await client.calls(call.sid).fetch_async()).status == "ringing"
        await call.stream_started()
        assert trio.current_time() == pytest.approx(call.log.born_at + 2)
        voice = next(r for r in server.requests if r.path == "/twiml").fields
        assert (voice["Direction"], voice["CallStatus"]) == ("outbound-api", "in-progress")
        assert (voice["From"], voice["To"]) == (FROM, TO)
        await trio.sleep(3.2)
        call.hang_up()
        await call.ended()
        await trio.sleep(0.1)
        assert statuses(server) == ["initiated", "ringing", "in-progress", "completed"]
        last = server.requests[-1].fields
        assert last["CallDuration"] == "6"
        numbers = [r.fields["SequenceNumber"] for r in server.requests if r.path == "/status"]
        assert numbers == ["0", "1", "2", "3"]
        assert (await client.calls(call.sid).fetch_async()).status == "completed"


@pytest.mark.parametrize(
    ("callee", "status"),
    [(Callee("busy"), "busy"), (Callee("failed", ring_s=0), "failed"), (Callee(ring_s=99), "no-answer")],
)
async def test_a_call_that_is_not_answered_says_why(autojump_clock, callee, status):
    async with office(callee=callee) as (server, twilio, client):
        await dial(client, server, timeout=20)
        record = await (await twilio.outbound()).ended()
        await trio.sleep(0.1)
        assert record.ended_by is EndedBy.NOT_ANSWERED
        assert record.documents == []
        assert statuses(server) == ["initiated", "ringing", status]
        assert record.duration_ms <= 20_000


async def test_status_callbacks_may_come_backwards_or_twice(autojump_clock):
    for order, expected in (
        (Callbacks.REVERSED, ["busy", "ringing", "initiated"]),
        (Callbacks.TWICE, ["initiated", "initiated", "ringing", "ringing", "busy", "busy"]),
    ):
        callee = Callee("busy", faults=CallFaults(status_callbacks=order))
        async with office(callee=callee) as (server, twilio, client):
            await dial(client, server)
            await (await twilio.outbound()).ended()
            await trio.sleep(0.1)
            assert statuses(server) == expected


async def test_asynchronous_detection_reports_while_the_call_goes_on(autojump_clock):
    async with office(callee=Callee(answered_by="machine_start")) as (server, twilio, client):
        amd = {"async_amd": "true", "async_amd_status_callback": f"{server.url}/amd"}
        await dial(client, server, machine_detection="Enable", **amd)
        call = await twilio.outbound()
        await call.stream_started()
        assert call.log.now_ms == 2000
        await trio.sleep(5)
        verdict = server.requests[-1]
        assert verdict.path == "/amd"
        assert verdict.fields["AnsweredBy"] == "machine_start"
        assert verdict.fields["MachineDetectionDuration"] == "4000"


async def test_synchronous_detection_keeps_the_callee_waiting_for_the_verdict(autojump_clock):
    async with office(callee=Callee(answered_by="unknown")) as (server, twilio, client):
        await dial(client, server, machine_detection="DetectMessageEnd")
        call = await twilio.outbound()
        await call.stream_started()
        assert call.log.now_ms == 6000
        voice = next(r for r in server.requests if r.path == "/twiml")
        assert voice.fields["AnsweredBy"] == "unknown"


async def test_a_live_call_is_updated_and_completed_and_then_refuses(autojump_clock):
    async with office() as (server, twilio, client):
        await client.calls.create_async(to=TO, from_=FROM, twiml=server.connect())
        call = await twilio.outbound()
        with pytest.raises(TwilioRestException) as early:
            await client.calls(call.sid).update_async(twiml="<Response/>")
        assert (early.value.status, early.value.code) == (400, 21220)
        await call.stream_started()
        await client.calls(call.sid).update_async(twiml="<Response><Pause length='60'/></Response>")
        await server.streams[0].closed.wait()
        assert server.streams[0].of("stop")
        await trio.sleep(1)
        await client.calls(call.sid).update_async(status="completed")
        record = await call.ended()
        assert record.ended_by is EndedBy.REST
        assert record.verbs == ["Connect", "Pause"]
        with pytest.raises(TwilioRestException) as late:
            await client.calls(call.sid).update_async(status="completed")
        assert late.value.code == 21220


async def test_a_ringing_call_can_be_canceled(autojump_clock):
    async with office() as (server, twilio, client):
        placed = await dial(client, server)
        await client.calls(placed.sid).update_async(status="canceled")
        record = await (await twilio.outbound()).ended()
        await trio.sleep(0.1)
        assert record.ended_by is EndedBy.CANCELED
        assert statuses(server)[-1] == "canceled"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"to": "nobody", "from_": FROM, "url": "http://127.0.0.1/"}, 21211),
        ({"to": TO, "from_": "Bot", "url": "http://127.0.0.1/"}, 21212),
        ({"to": TO, "from_": FROM}, 21205),
    ],
)
async def test_what_twilio_refuses_to_dial_is_refused(autojump_clock, options, code):
    async with office() as (_, twilio, client):
        with pytest.raises(TwilioRestException) as refused:
            await client.calls.create_async(**options)
        assert (refused.value.status, refused.value.code) == (400, code)
        assert twilio.calls == []


async def test_credentials_limits_and_unknown_calls_have_their_codes(autojump_clock):
    async with office(token="wrong") as (_, _, client):
        with pytest.raises(TwilioRestException) as refused:
            await client.calls("CA1").fetch_async()
        assert (refused.value.status, refused.value.code) == (401, 20003)
    async with office() as (_, twilio, client):
        twilio.rest.too_many_requests()
        codes = []
        for _ in range(2):
            with pytest.raises(TwilioRestException) as refused:
                await client.calls("CA1").fetch_async()
            codes.append((refused.value.status, refused.value.code))
        assert codes == [(429, 20429), (404, 20404)]


async def test_the_stream_may_connect_before_the_creation_was_answered(autojump_clock):
    async with office(callee=Callee(ring_s=0)) as (server, twilio, client):
        twilio.rest.answer_delay_s = 3.0
        began = trio.current_time()
        placed = await dial(client, server)
        call = await twilio.outbound()
        assert placed.sid == call.sid
        assert trio.current_time() - began == pytest.approx(3.0)
        assert call.record.streams[0].started_at_ms == 0


async def test_messages_are_kept_and_the_numbers_webhook_is_read_and_set(autojump_clock):
    async with office() as (server, twilio, client):
        await client.messages.create_async(to=TO, from_=FROM, body="see you")
        assert twilio.rest.messages == [{"From": FROM, "To": TO, "Body": "see you"}]
        (number,) = await client.incoming_phone_numbers.list_async(phone_number=FROM, limit=1)
        assert number.voice_url == f"{server.url}/twiml"
        await client.incoming_phone_numbers(number.sid).update_async(voice_url=f"{server.url}/other")
        server.answers["/other"] = "<Response><Hangup/></Response>"
        record = await (await twilio.ring()).ended()
        assert server.requests[-1].path == "/other"
        assert record.ended_by is EndedBy.HANGUP_VERB


@pytest.mark.parametrize(
    ("from_", "body", "code"),
    [("+15550009999", "hello", 21606), (FROM, "", 21602), (FROM, "x" * 1601, 21617)],
)
async def test_a_message_twilio_would_not_send_is_refused(autojump_clock, from_, body, code):
    async with office() as (_, twilio, client):
        with pytest.raises(TwilioRestException) as refused:
            await client.messages.create_async(to=TO, from_=from_, body=body)
        assert refused.value.code == code
        assert twilio.rest.messages == []
