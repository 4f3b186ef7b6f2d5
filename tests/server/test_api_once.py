"""Idempotency: one key, one call."""

import trio

from llcphone.server.api import call_requests
from llcphone.sim.twilio import Callbacks, Callee, CallFaults
from tests.server.api_stage import BUSY, TO, code_of, open_api

DAY_S = 86_400


async def test_the_same_request_again_gets_the_same_answer_and_rings_nobody(autojump_clock):
    async with open_api(callee=BUSY) as api:
        first = await api.post("/calls", {"to": TO}, "k1")
        await api.ended(first.json()["id"])
        again = await api.post("/calls", {"to": TO}, "k1")
        assert (again.status_code, again.content) == (202, first.content)
        assert again.headers["Location"] == first.headers["Location"]
        assert len(api.stage.twilio.calls) == 1


async def test_requests_at_once_share_one_call(autojump_clock):
    for path in ("/calls", "/outbound-call"):
        async with open_api() as api:
            answers = []

            async def ask(api=api, answers=answers, path=path):
                answers.append(await api.post(path, {"to": TO}, "k1"))

            async with trio.open_nursery() as nursery:
                for _ in range(4):
                    nursery.start_soon(ask)
            assert {answer.status_code for answer in answers} == {202 if path == "/calls" else 200}
            assert len({answer.content for answer in answers}) == 1
            await api.stage.twilio.outbound(1)
            assert len(api.stage.twilio.calls) == 1


async def test_another_request_under_the_key_is_a_conflict(autojump_clock):
    async with open_api(callee=BUSY) as api:
        await api.post("/calls", {"to": TO}, "k1")
        for path, body in [
            ("/calls", {"to": "+15551239998"}),
            ("/calls", {"to": TO, "context": "More."}),
            ("/outbound-call", {"to": TO}),
        ]:
            answer = await api.post(path, body, "k1")
            assert (answer.status_code, code_of(answer)) == (409, "idempotency_conflict")


async def test_what_was_refused_may_be_asked_again_under_its_key(autojump_clock):
    async with open_api(callee=BUSY) as api:
        await api.ended(await api.place())
        answer = await api.post("/calls", {"to": TO}, "k1")
        assert code_of(answer) == "rate_number"
        await trio.sleep(int(answer.headers["Retry-After"]))
        api.stage.phone.dialler._wall_clock = later(60)
        assert (await api.post("/calls", {"to": TO}, "k1")).status_code == 202


async def test_a_remembered_answer_is_given_beyond_the_rate(autojump_clock):
    async with open_api(callee=BUSY, outbound={"calls_per_minute": 1}) as api:
        first = await api.post("/calls", {"to": TO}, "k1")
        assert (await api.post("/calls", {"to": TO}, "k1")).content == first.content
        assert code_of(await api.post("/calls", {"to": "+19005550123"}, "k2")) == "premium"
        assert code_of(await api.post("/calls", {"to": TO}, "k3")) == "api_rate"


async def test_a_key_is_remembered_for_a_day_and_no_longer(autojump_clock):
    requests = call_requests.CallRequests(100)
    calls = []

    async def place():
        calls.append(Named(f"c{len(calls)}"))
        return calls[-1]

    request = call_requests.CallRequest("/calls", b"{}", "k1")
    assert await requests.place(request, place) is await requests.place(request, place)
    await trio.sleep(DAY_S - 1)
    assert (await requests.place(request, place)).call_id == "c0"
    await trio.sleep(1)
    assert (await requests.place(request, place)).call_id == "c1"


async def test_only_so_many_keys_are_remembered_the_oldest_goes_first(autojump_clock, monkeypatch):
    monkeypatch.setattr(call_requests, "KEPT", 2)
    requests = call_requests.CallRequests(100)
    ids = iter("abcdef")
    all_requests = [call_requests.CallRequest("/calls", b"{}", f"k{n}") for n in range(4)]
    for request in all_requests:
        await requests.place(request, named(next(ids)))
    assert (await requests.place(all_requests[3], named("new"))).call_id == "d"
    assert (await requests.place(all_requests[2], named("new"))).call_id == "c"
    assert (await requests.place(all_requests[0], named("new"))).call_id == "new"


async def test_a_client_that_left_while_waiting_finds_its_call_again(autojump_clock):
    silent = CallFaults(status_callbacks=Callbacks.REVERSED)  # none before the end
    async with open_api(callee=Callee(ring_s=5, faults=silent)) as api:
        api.stage.twilio.rest.answer_delay_s = 3.0
        with trio.move_on_after(0.5) as left:
            await api.post("/outbound-call", {"to": TO}, "k1")
        assert left.cancelled_caught
        answer = await api.post("/outbound-call", {"to": TO}, "k1")
        callee = await api.stage.twilio.outbound(1)
        assert answer.json()["call_sid"] == callee.sid
        assert len(api.stage.twilio.calls) == 1


class Named:
    """As much of a call as is looked at."""

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id


def named(call_id: str):
    async def place():
        return Named(call_id)

    return place


def later(seconds: float):
    import time

    return lambda: time.time() + seconds
