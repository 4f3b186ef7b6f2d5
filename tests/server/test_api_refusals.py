"""Every way the API says no: status, code, and a Retry-After where waiting helps."""

import json

import httpx
import pytest
import trio

from llcphone.dial_guard import guard
from llcphone.dial_guard.guard import WHY, WHY_NO_TEXT
from llcphone.phone.phone import Phone
from llcphone.sim.twilio import Callee
from tests.server.api_stage import BUSY, KEY, TO, code_of, open_api
from tests.server.support import make_config, open_server, status_of


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer wrong", KEY, f"Basic {KEY}", f"Bearer {KEY}x", "Bearer é"]
)
async def test_only_the_key_opens_the_api(given, autojump_clock):
    async with open_api() as api, httpx.AsyncClient(base_url=api.client.base_url, verify=False) as stranger:
        headers = {} if given is None else {"Authorization": given.encode("latin-1", "replace")}
        if given == "Bearer é":  # the listener refuses such a head
            assert (await stranger.get("/calls", headers=headers)).status_code == 400
            return
        for method, path in [
            ("GET", "/calls"),
            ("POST", "/calls"),
            ("POST", "/outbound-call"),
            ("GET", "/logs"),
        ]:
            answer = await stranger.request(method, path, headers=headers)
            assert (answer.status_code, code_of(answer)) == (401, "unauthorized")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert api.stage.phone.live_calls == 0


async def test_the_scheme_may_be_spelled_in_any_case_and_no_answer_is_cached(autojump_clock):
    async with open_api() as api:
        answer = await api.get("/calls", headers={"Authorization": f"bearer {KEY}"})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        answer = await api.get("/calls/nobody")
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/calls", "/outbound-call"])
async def test_what_cannot_be_read_is_named_by_its_field(path, autojump_clock):
    async with open_api() as api:
        for body in (b"", b"{", b'{"to": "\xff"}', b"\xff\xfe"):
            answer = await api.client.post(path, content=body)
            assert (answer.status_code, code_of(answer)) == (400, "not_json"), body[:20]
        for body, field in [
            ({}, "to"),
            ({"to": 1}, "$.to"),
            ({"to": "1555"}, "$.to"),
            ({"to": None}, "$.to"),
            ([], "object"),
        ]:
            answer = await api.post(path, body)
            assert (answer.status_code, code_of(answer)) == (422, "bad_field")
            assert field in answer.json()["detail"]
        assert api.stage.phone.live_calls == 0


async def test_no_nesting_is_too_deep_for_an_answer(autojump_clock):
    async with open_api() as api:
        answer = await api.client.post("/outbound-call", content=b'{"ignored":' + b"[" * 60_000)
        assert (answer.status_code, code_of(answer)) == (400, "not_json")
        answer = await api.client.post("/calls", content=b'{"unknown":' + b"[" * 60_000)
        assert (answer.status_code, code_of(answer)) == (422, "bad_field")


async def test_a_field_that_is_unknown_too_long_or_of_another_type_is_named(autojump_clock):
    async with open_api() as api:
        for extra, named in [
            ({"when": "now"}, "when"),
            ({"context": "x" * 8_001}, "$.context"),
            ({"context": ["x"]}, "$.context"),
            ({"caller_id": "me"}, "$.caller_id"),
        ]:
            answer = await api.post("/calls", {"to": TO, **extra})
            assert (answer.status_code, code_of(answer)) == (422, "bad_field")
            assert named in answer.json()["detail"]
        answer = await api.post("/calls", {"to": TO, "agent": "nobody"})
        assert (answer.status_code, code_of(answer)) == (422, "unknown_agent")
        answer = await api.post("/outbound-call", {"to": TO, "purpose": "x" * 8_001})
        assert code_of(answer) == "bad_field"
        assert api.stage.phone.live_calls == 0


async def test_a_key_of_idempotency_that_is_none_is_refused(autojump_clock):
    async with open_api() as api:
        for key in ("k" * 129, "two words"):
            answer = await api.post("/calls", {"to": TO}, key)
            assert (answer.status_code, code_of(answer)) == (422, "bad_header")


async def test_a_body_of_more_than_64_kib_is_too_large(autojump_clock, monkeypatch):
    for place in ("listener", "app"):
        monkeypatch.setattr(f"llcphone.server.{place}.BODY_LIMIT", 100_000)
    async with open_api() as api:
        body = b'{"to": "' + b"1" * 65_536 + b'"}'
        answer = await api.client.post("/calls", content=body)
        assert (answer.status_code, code_of(answer)) == (413, "too_large")
        answer = await api.client.post("/calls", content=b" " * 100_001)  # the listener's own limit
        assert answer.status_code == 413


async def test_parameters_are_checked(autojump_clock):
    async with open_api() as api:
        for path in (
            "/calls?numbers=yes",
            "/calls?limit=0",
            "/calls?limit=1001",
            "/calls?limit=1&limit=2",
            "/logs?words=2",
        ):
            answer = await api.get(path)
            assert (answer.status_code, code_of(answer)) == (422, "bad_parameter"), path


async def test_what_is_not_there_or_takes_another_method_is_said_in_json(autojump_clock):
    async with open_api() as api:
        assert code_of(await api.get("/calls/nobody")) == "no_such_call"
        assert code_of(await api.post("/calls/nobody/hangup")) == "no_such_call"
        answer = await api.get("/calls/a/b/c")
        assert (answer.status_code, code_of(answer)) == (404, "not_found")
        answer = await api.client.delete("/calls")
        assert (answer.status_code, code_of(answer)) == (405, "method_not_allowed")
        assert "POST" in answer.headers["Allow"]
        assert (await api.get("/nowhere")).text == "Not Found\n"


@pytest.mark.parametrize(
    ("to", "extra", "code"),
    [
        ("+19005550123", {}, "premium"),
        ("+442079460000", {}, "country_not_allowed"),
        ("+15551230002", {}, "own_number"),
        (TO, {"caller_id": "+15551230005"}, "caller_id_not_ours"),
        ("+999999", {}, "impossible_number"),
    ],
)
async def test_the_guards_refusals_are_forbidden(to, extra, code, autojump_clock):
    async with open_api() as api:
        for path in ("/calls", "/outbound-call"):
            if extra and path != "/calls":
                continue
            answer = await api.post(path, {"to": to, **extra})
            assert (answer.status_code, code_of(answer)) == (403, code)
            assert "Retry-After" not in answer.headers
            assert to not in answer.text
        assert api.stage.twilio.calls == []


async def test_a_number_is_not_rung_twice_in_a_minute(autojump_clock):
    async with open_api(callee=BUSY) as api:
        await api.ended(await api.place())
        answer = await api.post("/calls", {"to": TO})
        assert (answer.status_code, code_of(answer)) == (429, "rate_number")
        wait_s = int(answer.headers["Retry-After"])
        assert 50 <= wait_s <= 60


async def test_as_many_calls_as_may_be_live_are_a_reason_to_wait(autojump_clock):
    async with open_api(callee=Callee(ring_s=20), outbound={"max_concurrent": 1}) as api:
        await api.place()
        answer = await api.post("/calls", {"to": "+15551239998"})
        assert (answer.status_code, code_of(answer)) == (429, "too_many_now")
        assert int(answer.headers["Retry-After"]) > 0


async def test_only_so_many_calls_are_asked_for_in_a_minute_refused_ones_included(autojump_clock):
    async with open_api(callee=BUSY, outbound={"calls_per_minute": 1}) as api:
        assert code_of(await api.post("/calls", {"to": "+19005550123"})) == "premium"
        assert code_of(await api.post("/calls", {"to": "+19005550123"})) == "premium"
        answer = await api.post("/outbound-call", {"to": TO})
        assert (answer.status_code, code_of(answer)) == (429, "api_rate")
        await trio.sleep(int(answer.headers["Retry-After"]))
        await api.place()


async def test_a_phone_that_takes_no_call_now_says_when_to_come_back(autojump_clock):
    async with open_api(callee=Callee(ring_s=20), server={"max_calls": 1}) as api:
        await api.place()
        for reason in ("at server.max_calls", "draining"):
            api.stage.phone.admission.draining = reason == "draining"
            answer = await api.post("/calls", {"to": "+15551239998"})
            assert (answer.status_code, code_of(answer)) == (503, "not_admitted")
            assert reason in answer.json()["detail"]
            assert int(answer.headers["Retry-After"]) > 0


async def test_a_server_without_an_account_says_which_setting_is_missing(autojump_clock):
    async with open_api(callee=None) as api:
        answer = await api.post("/calls", {"to": TO})
        assert (answer.status_code, code_of(answer)) == (503, "not_configured")
        assert "TWILIO_ACCOUNT_SID" in answer.json()["fix"]


async def test_a_fault_of_ours_is_a_500_without_its_text(autojump_clock, monkeypatch, caplog):
    async def order_call(self, to, *args, **kwargs):
        raise LookupError(to)

    async with open_api() as api:
        monkeypatch.setattr(Phone, "order_call", order_call)
        answer = await api.post("/calls", {"to": TO})
        assert (answer.status_code, code_of(answer)) == (500, "internal_server_error")
        assert TO not in answer.text
    assert TO not in caplog.text
    assert "LookupError at " in caplog.text


@pytest.mark.parametrize("code", WHY | WHY_NO_TEXT)
def test_every_refusal_of_the_guard_has_a_fix(code):
    assert guard.refused(code).fix


async def test_a_phone_without_the_api_needs_nothing_of_it(autojump_clock):
    async with open_server(make_config()) as server:  # its phone knows neither calls nor observers
        body = json.dumps({"to": TO}).encode()
        head = f"POST /calls HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        assert status_of(await server.ask(head + body)) == 404
