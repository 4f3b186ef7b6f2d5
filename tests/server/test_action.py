"""``/resume/<run_number>``: Twilio asks what next when a media stream has ended, asked through the door."""

import attrs
import pytest

from tests.server.support import (
    PUBLIC,
    FakePhone,
    body_of,
    get,
    open_server,
    sign,
    status_of,
    webhook_request,
)

BODY = b"CallSid=CA1&CallStatus=in-progress&From=anonymous"
FORM = {"CallSid": "CA1", "CallStatus": "in-progress", "From": "anonymous"}


@attrs.define(eq=False)
class ResumingPhone(FakePhone):
    """Answers every such question alike."""

    asked: list[tuple[dict[str, str], int, str]] = attrs.field(factory=list)

    async def after_stream(self, form, run_number: int, *, node: str) -> str:
        self.asked.append((dict(form), run_number, node))
        return "<Response/>"


async def test_a_signed_question_is_answered_with_twiml(autojump_clock):
    async with open_server(phone_type=ResumingPhone) as server:
        answer = await server.ask(webhook_request(BODY, path="/resume/2"))
        assert (status_of(answer), body_of(answer)) == (200, b"<Response/>")
        assert b"content-type: text/xml" in answer.lower()
        assert server.phone.asked == [(FORM, 2, "")]


@pytest.mark.parametrize(
    "signature", ["", "AAAA", sign(f"{PUBLIC}/resume/2", [("CallSid", "CA1")]), sign(f"{PUBLIC}/resume/1")]
)
async def test_whoever_is_not_twilio_is_forbidden_and_has_no_effect(autojump_clock, signature):
    async with open_server(phone_type=ResumingPhone) as server:
        answer = await server.ask(webhook_request(BODY, path="/resume/2", signature=signature))
        assert status_of(answer) == 403
        assert server.phone.asked == []


async def test_the_fragment_for_twilio_is_no_part_of_what_it_signs(autojump_clock):
    async with open_server(phone_type=ResumingPhone) as server:
        form = list(FORM.items())
        signature = sign(f"{PUBLIC}/resume/0", form)
        assert (
            status_of(await server.ask(webhook_request(BODY, path="/resume/0", signature=signature))) == 200
        )


@pytest.mark.parametrize("path", ["/resume/x", "/resume/-1", "/resume/", "/resume/1/n1/2"])
async def test_what_is_no_generation_is_not_found(autojump_clock, path):
    async with open_server(phone_type=ResumingPhone) as server:
        assert status_of(await server.ask(webhook_request(BODY, path=path))) == 404
        assert server.phone.asked == []


async def test_it_is_asked_by_post(autojump_clock):
    async with open_server(phone_type=ResumingPhone) as server:
        assert status_of(await server.ask(get("/resume/0"))) == 405
