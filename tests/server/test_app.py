"""The routes, asked through the door; the same app served by hypercorn alone is in test_embedded.py."""

import json

import pytest
import trio
from quart.routing import QuartMap, QuartRule
from quart_trio import QuartTrio

from llcphone.server.app import make_app
from tests.server.support import (
    PUBLIC,
    TWIML,
    FakePhone,
    body_of,
    get,
    make_config,
    open_server,
    sign,
    status_of,
    webhook_request,
)


async def test_a_signed_webhook_is_answered_with_twiml(autojump_clock):
    async with open_server() as server:
        answer = await server.ask(webhook_request())
        assert (status_of(answer), body_of(answer)) == (200, TWIML.encode())
        assert b"content-type: text/xml" in answer.lower()
        assert server.phone.forms == [{"CallSid": "CA1", "From": "+15551230001"}]


@pytest.mark.parametrize(
    "body",
    [
        b"CallSid=CA1&Empty=&CallerName=O%27Brien+%26+S%C3%B6hne",
        b"CallSid=CA1&Twice=b&Twice=a",
        b"CallSid=CA1&NewParameter=x",
    ],
)
async def test_every_field_is_signed_blank_unknown_and_repeated_ones_too(autojump_clock, body):
    async with open_server() as server:
        form = {
            b"CallSid=CA1&Twice=b&Twice=a": [("CallSid", "CA1"), ("Twice", "a"), ("Twice", "b")],
        }.get(body)
        signature = sign(f"{PUBLIC}/twiml", form) if form else None
        assert status_of(await server.ask(webhook_request(body, signature=signature))) == 200


async def test_the_query_of_a_webhook_is_signed_with_it(autojump_clock):
    async with open_server() as server:
        path = "/twiml?agent=front%20desk&x"
        assert status_of(await server.ask(webhook_request(path=path))) == 200
        signature = sign(f"{PUBLIC}/twiml", [("CallSid", "CA1")])
        assert (
            status_of(await server.ask(webhook_request(b"CallSid=CA1", path=path, signature=signature)))
            == 403
        )


@pytest.mark.parametrize(
    "signature",
    ["", "AAAA", sign(f"{PUBLIC}/twiml"), sign("http://phone.example.test/twiml", [("CallSid", "CA1")])],
)
async def test_a_webhook_with_another_signature_is_forbidden_and_has_no_effect(
    autojump_clock, caplog, signature
):
    async with open_server() as server:
        assert status_of(await server.ask(webhook_request(b"CallSid=CA1", signature=signature))) == 403
        assert server.phone.forms == []
    if signature:
        for cause in ("server.public_url", "twilio.auth_token", "region", "quotes"):
            assert cause in caplog.text


async def test_what_is_no_form_is_a_bad_request_not_a_fault(autojump_clock):
    async with open_server() as server:
        for body in (b"\xff\xfe=1", b"&".join(b"a=1" for _ in range(600))):
            assert status_of(await server.ask(webhook_request(body, signature="x"))) == 400
        assert server.phone.forms == []


async def test_an_unsigned_webhook_is_taken_when_signatures_are_off(autojump_clock):
    config = make_config(public_url="http://127.0.0.1:8081", check_signatures=False)
    async with open_server(config) as server:
        assert status_of(await server.ask(webhook_request(signature=""))) == 200


async def test_a_webhook_by_get_is_told_to_use_post(autojump_clock):
    async with open_server() as server:
        answer = await server.ask(get("/twiml?CallSid=CA1"))
        assert status_of(answer) == 405
        assert b"POST" in body_of(answer)
        assert server.phone.forms == []


async def test_health_says_alive_and_readiness_says_why_not(autojump_clock):
    async with open_server() as server:
        assert json.loads(body_of(await server.ask(get("/healthz")))) == {"alive": True, "reasons": []}
        assert json.loads(body_of(await server.ask(get("/readyz")))) == {"ready": True, "reasons": []}
        server.phone.reasons.append("draining")
        answer = await server.ask(get("/readyz"))
        assert status_of(answer) == 503
        assert json.loads(body_of(answer)) == {"ready": False, "reasons": ["draining"]}
        assert status_of(await server.ask(get("/healthz"))) == 200
        server.phone.loop_monitor.orphans = 1
        answer = await server.ask(get("/healthz"))
        assert status_of(answer) == 503
        why = "calls that have ended do not close"
        assert json.loads(body_of(answer)) == {"alive": False, "reasons": [why]}


async def test_a_stream_that_lost_its_upgrade_header_in_a_proxy_is_told_so(autojump_clock):
    async with open_server() as server:
        answer = await server.ask(get("/media/token"))
        assert status_of(answer) == 426
        assert b"proxy" in body_of(answer)


async def test_everything_else_is_small(autojump_clock):
    async with open_server() as server:
        assert status_of(await server.ask(get("/"))) == 200
        for path in ("/nowhere", "/static/x", "/%ff%00"):
            answer = await server.ask(get(path))
            assert (status_of(answer), body_of(answer)) == (404, b"Not Found\n")
            assert b"hypercorn" not in answer.lower()


async def test_a_fault_in_a_route_is_a_small_500_and_its_text_is_not_told(
    autojump_clock, monkeypatch, caplog
):
    def answer(self, form):
        raise LookupError(form["From"])

    async with open_server() as server:
        monkeypatch.setattr(FakePhone, "answer", answer)
        answer = await server.ask(webhook_request())
        assert (status_of(answer), body_of(answer)) == (500, b"Internal Server Error\n")
        assert server.phone.connections["failed"] == 0
    assert "LookupError at " in caplog.text
    assert "test_app.py" in caplog.text
    assert "15551230001" not in caplog.text


async def test_two_apps_of_two_phones_share_nothing(autojump_clock):
    async with trio.open_nursery() as nursery:
        first, second = (FakePhone(make_config(), nursery) for _ in range(2))
        apps = make_app(first), make_app(second)
        assert all(isinstance(app, QuartTrio) for app in apps)
        second.reasons.append("draining")
        assert (await apps[0].test_client().get("/readyz")).status_code == 200
        assert (await apps[1].test_client().get("/readyz")).status_code == 503


@pytest.mark.parametrize(
    ("public_url", "asked"),
    [
        (PUBLIC, "https://Phone.Example.Test/twiml"),
        ("https://Phone.Example.Test", f"{PUBLIC}/twiml"),
        (PUBLIC, "HTTPS://phone.example.test/twiml"),
        (PUBLIC, "https://phone.example.test./twiml"),
        (PUBLIC, f"{PUBLIC}/twiml/"),
    ],
)
async def test_a_voice_webhook_is_answered_however_its_address_is_written(autojump_clock, public_url, asked):
    async with open_server(make_config(public_url=public_url)) as server:
        path = "/twiml/" if asked.endswith("/") else "/twiml"
        signature = sign(asked, [("CallSid", "CA1")])
        answer = await server.ask(webhook_request(b"CallSid=CA1", path=path, signature=signature))
        assert status_of(answer) == 200
        assert server.phone.forms == [{"CallSid": "CA1"}]


async def test_a_webhook_for_another_path_or_host_stays_forbidden(autojump_clock):
    async with open_server() as server:
        for asked in ("https://phone.example.test/Twiml", "https://other.example.test/twiml"):
            signature = sign(asked, [("CallSid", "CA1")])
            assert status_of(await server.ask(webhook_request(b"CallSid=CA1", signature=signature))) == 403
        assert server.phone.forms == []


async def test_a_webhook_that_names_no_call_begins_none(autojump_clock):
    async with open_server() as server:
        answer = await server.ask(webhook_request(b"From=%2B15551230001"))
        assert (status_of(answer), server.phone.forms) == (200, [])
        assert b"<Response />" in body_of(answer)


async def test_an_app_compiles_nothing_that_only_an_address_asked_for_needs(autojump_clock, monkeypatch):
    compiled = []
    compile_builder = QuartRule._compile_builder
    monkeypatch.setattr(
        QuartRule,
        "_compile_builder",
        lambda rule, append_unknown=True: compiled.append(rule.rule) or compile_builder(rule, append_unknown),
    )
    async with trio.open_nursery() as nursery:
        rules = list(make_app(FakePhone(make_config(), nursery)).url_map.iter_rules())
    assert compiled == []
    plain = QuartMap([QuartRule(rule.rule, endpoint=rule.endpoint) for rule in rules])
    compiled.clear()
    for rule, ordinary in zip(rules, list(plain.iter_rules()), strict=True):
        values = dict.fromkeys(rule.arguments, 7)
        for unknown in (True, False):
            more = {"asked": "a b"} if unknown else {}
            for _ in range(2):
                assert rule.build(values | more, unknown) == ordinary.build(values | more, unknown)
    assert sorted(compiled) == sorted(2 * [rule.rule for rule in rules])
