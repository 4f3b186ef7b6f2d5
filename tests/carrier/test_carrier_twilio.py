"""The carrier at the simulated Twilio: whole calls, dialled and hung up over REST."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from llcphone.carrier.orders import Amd, CarrierError, CreateRefused
from llcphone.carrier.rest import open_carrier
from llcphone.config import Config
from llcphone.sim.twilio import Callee, open_twilio
from tests.carrier.carrier_desk import FROM, TO, TOKEN, order
from tests.sim.twilio.server import Reply, open_server


@asynccontextmanager
async def line(*, callee=Callee(), token=TOKEN):  # noqa: B008 (frozen)
    """A server, a simulated Twilio that calls it, and our carrier at that Twilio."""
    async with open_server() as server:
        server.answers |= {"/status": Reply("", status=204), "/amd": Reply("", status=204)}
        async with open_twilio(webhook_url=f"{server.url}/twiml", auth_token=TOKEN, callee=callee) as twilio:
            account = {"account_sid": twilio.exchange.account_sid, "auth_token": token}
            config = Config.from_dict({"twilio": {**account, "api_url": twilio.api_url}})
            async with open_carrier(config) as carrier:
                yield server, twilio, carrier


def ring(server, **changes):
    plain = {"twiml": None, "url": f"{server.url}/twiml", "status_callback": f"{server.url}/status"}
    return order(**plain | changes)


async def test_a_call_is_dialled_answered_and_hung_up(autojump_clock):
    async with line() as (server, twilio, carrier):
        sid = await carrier.dial(ring(server))
        call = await twilio.outbound()
        assert call.sid == sid
        assert not (await carrier.fetch(sid)).over
        await call.stream_started()
        assert (await carrier.fetch(sid)).status == "in-progress"
        await carrier.hang_up(sid)
        await call.ended()
        await carrier.hang_up(sid)  # twice does no harm
        await trio.sleep(0.1)
        assert (await carrier.fetch(sid)).over
        told = [request.fields["CallStatus"] for request in server.requests if request.path == "/status"]
        assert told == ["initiated", "ringing", "in-progress", "completed"]


async def test_hanging_up_stops_the_ringing(autojump_clock):
    async with line(callee=Callee(ring_s=20)) as (server, twilio, carrier):
        sid = await carrier.dial(ring(server))
        call = await twilio.outbound()
        await trio.sleep(1)
        await carrier.hang_up(sid)
        await call.ended()
        assert (await carrier.fetch(sid)).status == "canceled"
        assert call.log.now_ms < 1500


async def test_hanging_up_a_call_that_never_was_is_no_error(autojump_clock):
    async with line() as (_, twilio, carrier):
        await carrier.hang_up("CA" + "9" * 32)
        assert len(twilio.rest.requests) == 1


async def test_inline_twiml_needs_no_webhook(autojump_clock):
    async with line() as (server, twilio, carrier):
        await carrier.dial(ring(server, twiml=server.connect(), url=None))
        await (await twilio.outbound()).stream_started()
        assert "/twiml" not in server.paths()


async def test_asynchronous_detection_reports_to_its_callback(autojump_clock):
    async with line(callee=Callee(answered_by="machine_start")) as (server, twilio, carrier):
        await carrier.dial(ring(server, amd=Amd("async", 30, f"{server.url}/amd")))
        await (await twilio.outbound()).stream_started()
        await trio.sleep(5)
        verdict = next(request for request in server.requests if request.path == "/amd")
        assert verdict.fields["AnsweredBy"] == "machine_start"


async def test_an_unanswered_phone_rings_as_long_as_it_was_told(autojump_clock):
    async with line(callee=Callee(ring_s=99)) as (server, twilio, carrier):
        sid = await carrier.dial(ring(server, ring_timeout_s=12))
        record = await (await twilio.outbound()).ended()
        assert record.duration_ms <= 12_000
        assert (await carrier.fetch(sid)).status == "no-answer"


async def test_too_many_requests_costs_a_pause_and_no_second_call(autojump_clock):
    async with line() as (server, twilio, carrier):
        twilio.rest.too_many_requests()
        await carrier.dial(ring(server))
        assert [method for method, _ in twilio.rest.requests] == ["POST", "POST"]
        assert len(twilio.calls) == 1


@pytest.mark.parametrize(("changes", "code"), [({"to": "5551234"}, "21211"), ({"from_": "me"}, "21212")])
async def test_twilios_refusals_come_with_their_number(autojump_clock, changes, code):
    async with line() as (server, twilio, carrier):
        with pytest.raises(CreateRefused) as caught:
            await carrier.dial(ring(server, **changes))
        assert (caught.value.code, caught.value.retryable) == (code, False)
        assert twilio.calls == []


async def test_a_wrong_token_is_refused_at_once(autojump_clock):
    async with line(token="wrong") as (_, _, carrier):
        with pytest.raises(CarrierError, match="20003"):
            await carrier.number(FROM)


async def test_the_webhook_of_our_number_is_read_and_set(autojump_clock):
    async with line() as (_, twilio, carrier):
        assert await carrier.number(TO) is None
        before = await carrier.number(twilio.rest.number)
        assert before is not None
        assert before.voice_url == twilio.webhook_url
        assert before.voice_url_counts
        await carrier.set_webhook(before.number_sid, "https://new.example.test/twiml")
        after = await carrier.number(twilio.rest.number)
        assert after is not None
        assert after.voice_url == "https://new.example.test/twiml"


async def test_a_text_message_is_sent(autojump_clock):
    async with line() as (_, twilio, carrier):
        sid = await carrier.send_sms(TO, FROM, "hello")
        assert sid.startswith("SM")
        assert twilio.rest.messages == [{"From": FROM, "To": TO, "Body": "hello"}]
