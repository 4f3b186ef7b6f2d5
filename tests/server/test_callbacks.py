"""What Twilio tells of our calls: only Twilio is believed, and only about calls of ours."""

import base64
import hashlib
import hmac

import pytest
import trio

from llcphone.sim.twilio import Callee
from llcphone.testing import AUTH_TOKEN
from tests.server.api_stage import TO, open_api
from tests.server.support import FakePhone, body_of, open_server, status_of, webhook_request


@pytest.mark.parametrize("path", ["/status/t", "/amd/t", "/twiml/t"])
async def test_an_unsigned_callback_is_forbidden(path, autojump_clock):
    async with open_server() as server:
        for signature in ("", "AAAA"):
            answer = await server.ask(webhook_request(signature=signature, path=path))
            assert status_of(answer) == 403


class NoDialler(FakePhone):
    """A phone that places no calls."""

    dialler = None


@pytest.mark.parametrize("path", ["/status/t", "/amd/t", "/twiml/t"])
async def test_a_callback_of_no_call_of_ours_is_not_found_with_or_without_an_account(path, autojump_clock):
    async with open_server(phone_type=NoDialler) as server:
        answer = await server.ask(webhook_request(path=path))
        assert (status_of(answer), body_of(answer)) == (404, b"Not Found\n")
    async with open_api() as api:
        form = {"CallSid": "CA1", "CallStatus": "completed"}
        url = api.stage.config.server.public_url + path
        signed = {"X-Twilio-Signature": signature_of(url, form)}
        answer = await api.client.post(path, data=form, headers=signed)
        assert (answer.status_code, answer.text) == (404, "Not Found\n")


async def test_callbacks_are_answered_at_once_and_a_late_one_too(autojump_clock):
    async with open_api(callee=Callee(outcome="busy", ring_s=1)) as api:
        call = api.stage.phone.place_call(TO)
        await api.stage.twilio.outbound(1)
        await call
        path = f"/status/{call.status_token}"
        form = {"CallSid": call.call_sid, "CallStatus": "completed", "SequenceNumber": "9"}
        url = api.stage.config.server.public_url + path
        start = trio.current_time()
        for _ in range(2):
            headers = {"X-Twilio-Signature": signature_of(url, form)}
            answer = await api.client.post(path, data=form, headers=headers)
            assert (answer.status_code, answer.content) == (204, b"")
        assert trio.current_time() - start < 0.1


@pytest.mark.parametrize(
    ("who", "reason"), [("human", "caller hung up"), ("machine_start", "a machine answered")]
)
async def test_synchronous_detection_asks_for_the_twiml_with_its_verdict(who, reason, autojump_clock):
    callee = Callee(answered_by=who, detection_s=2.0)
    async with open_api(callee=callee, outbound={"amd": "sync"}) as api:
        call = api.stage.phone.place_call(TO)
        person = await api.stage.twilio.outbound(1)
        if who == "human":
            await person.stream_started()
            person.hang_up()
        record = await call
        assert record.reason.value == reason
        await person.ended()


def signature_of(url, form):
    """Twilio's, for the stage's token."""
    text = url + "".join(name + value for name, value in sorted(form.items()))
    return base64.b64encode(hmac.new(AUTH_TOKEN.encode(), text.encode(), hashlib.sha1).digest()).decode()
