"""The simulated REST API when it is busy, slow, lying or cut off, judged by the twilio package."""

from __future__ import annotations

import base64
import inspect
import math
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import trio
import trio.testing
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.rest.api.v2010.account.call import CallList

from llcphone.sim.twilio import CallbackFaults, Callee, CallFaults, EndedBy, open_twilio
from llcphone.sim.twilio.rest_calls import CREATE_FIELDS
from llcphone.sim.twilio.rest_faults import RestFault, too_many_requests, unavailable
from llcphone.sim.twilio.run import run_rest
from tests.sim.twilio.server import TOKEN, Reply, open_server
from tests.sim.twilio.test_rest import FROM, TO, TrioHttp, dial, office, statuses


async def refusal(asked):
    with pytest.raises(TwilioRestException) as refused:
        await asked
    return refused.value.status, refused.value.code


# -- orders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"to": ""}, 21201),
        ({"from_": ""}, 21213),
        ({"from_": "+15551239999"}, 21210),
        ({"url": "phone"}, 21205),
        ({"application_sid": "AP1"}, 21218),
        ({"status_callback": "nowhere"}, 21609),
        ({"timeout": 601}, 20001),
        ({"machine_detection": "enable"}, 20001),
        ({"async_amd": "yes"}, 20001),
        ({"send_digits": "12;3"}, 20001),
        ({"twiml": "x" * 4001}, 21620),
    ],
)
async def test_an_order_that_is_wrong_is_refused_with_its_code(autojump_clock, options, code):
    async with office() as (_, twilio, client):
        order = {"to": TO, "from_": FROM, "url": "http://127.0.0.1/"} | options
        assert await refusal(client.calls.create_async(**order)) == (400, code)
        assert twilio.rest.creates == []


async def test_a_number_that_cannot_be_called_is_refused(autojump_clock):
    async with office(callee=Callee(refused=21215)) as (server, twilio, client):
        assert await refusal(dial(client, server)) == (400, 21215)
        assert twilio.rest.creates == twilio.calls == []


async def test_fields_that_twilio_does_not_know_are_ignored_and_told(autojump_clock):
    async with office() as (server, twilio, _), httpx.AsyncClient(trust_env=False) as http:
        path = f"/2010-04-01/Accounts/{twilio.exchange.account_sid}/Calls.json"
        form = {"To": TO, "From": FROM, "Url": f"{server.url}/twiml", "StatusCallbackEvents": "ringing"}
        answer = await http.post(twilio.api_url + path, data=form, auth=(twilio.exchange.account_sid, TOKEN))
        assert answer.status_code == 201
        assert twilio.rest.ignored == ["StatusCallbackEvents"]


def test_all_that_the_package_can_send_is_known():
    names = set(inspect.signature(CallList.create).parameters) - {"self"}
    camel = {"".join(part.title() for part in name.strip("_").split("_")) for name in names}
    assert camel == CREATE_FIELDS


async def test_a_call_is_shown_with_every_field_the_package_reads(autojump_clock):
    async with office() as (server, twilio, client):
        call = await dial(client, server)
        ours = {name for name in vars(call) if not name.startswith("_")} - {"sid"}
        async with httpx.AsyncClient(trust_env=False) as http:
            path = f"/2010-04-01/Accounts/{call.account_sid}/Calls/{call.sid}.json"
            shown = (await http.get(twilio.api_url + path, auth=(call.account_sid, TOKEN))).json()
        assert ours <= shown.keys()
        assert call._from == FROM


async def test_a_calls_times_and_verdict_can_be_read_afterwards(autojump_clock):
    callee = Callee(answered_by="machine_end_beep", hangs_up_after_s=7.5)
    async with office(callee=callee) as (server, twilio, client):
        await dial(client, server, machine_detection="DetectMessageEnd", async_amd="true")
        record = await (await twilio.outbound()).ended()
        assert record.ended_by is EndedBy.CALLER
        call = await client.calls(record.call_sid).fetch_async()
        assert call.duration == "8"
        assert call.end_time - call.start_time in (timedelta(seconds=9), timedelta(seconds=10))
        assert call.date_created <= call.start_time


# -- finding ----------------------------------------------------------------------------------------


async def test_calls_are_found_by_number_status_and_time_the_newest_first(autojump_clock):
    other = "+15557650000"
    people = {TO: Callee(ring_s=30), other: Callee("busy")}
    async with office(callee=people.__getitem__) as (server, _, client):
        first = await dial(client, server)
        await trio.sleep(10)
        busy = await client.calls.create_async(to=other, from_=FROM, url=f"{server.url}/twiml")
        second = await dial(client, server)
        await trio.sleep(3)

        async def found(**filters):
            return [call.sid for call in await client.calls.list_async(**filters)]

        assert await found() == [second.sid, busy.sid, first.sid]
        assert await found(to=TO) == [second.sid, first.sid]
        assert await found(status="busy") == [busy.sid]
        assert await found(from_="+15550000000") == []
        later = first.date_created + timedelta(seconds=5)
        assert await found(to=TO, start_time_after=later) == [second.sid]
        assert await found(to=TO, start_time_before=later) == [first.sid]
        assert await found(end_time_after=later) == [busy.sid]


async def test_a_long_list_comes_in_pages(autojump_clock):
    async with office(callee=Callee(ring_s=30)) as (server, _, client):
        placed = [(await dial(client, server)).sid for _ in range(5)]
        assert [call.sid for call in await client.calls.list_async(page_size=2)] == placed[::-1]
        page = await client.calls.page_async(page_size=2, page_number=1)
        assert len(list(page)) == 2
        query = parse_qs(urlsplit(page.next_page_url).query)
        assert query["Page"] == ["2"]
        assert page.previous_page_url is not None


async def test_a_queued_call_has_no_start_time_and_waits_its_turn(autojump_clock):
    async with office(callee=Callee("busy", ring_s=1)) as (server, twilio, client):
        twilio.rest.cps = 0.5
        placed = [await dial(client, server) for _ in range(3)]
        await trio.sleep(1.5)
        states = [await client.calls(each.sid).fetch_async() for each in placed]
        assert [state.status for state in states] == ["busy", "queued", "queued"]
        assert states[0].queue_time == "0"
        assert states[1].start_time is None
        assert await client.calls.list_async(start_time_after=states[0].date_created, status="queued") == []
        await trio.sleep(5)
        assert (await client.calls(placed[2].sid).fetch_async()).queue_time == "4000"


async def test_a_call_canceled_in_the_queue_tells_nobody(autojump_clock):
    async with office() as (server, twilio, client):
        twilio.rest.cps = 0.1
        await dial(client, server)
        queued = await dial(client, server)
        await client.calls(queued.sid).update_async(status="canceled")
        await trio.sleep(0.5)
        assert (await client.calls(queued.sid).fetch_async()).status == "canceled"
        assert {r.fields["CallSid"] for r in server.requests} == {twilio.calls[0].sid}


# -- who asks ---------------------------------------------------------------------------------------


async def test_an_api_key_is_as_good_as_the_token(autojump_clock):
    async with office() as (server, twilio, _), httpx.AsyncClient(trust_env=False) as http:
        twilio.rest.api_keys["SK" + "1" * 32] = "secret"
        account = twilio.exchange.account_sid
        client = Client("SK" + "1" * 32, "secret", account, http_client=TrioHttp(http, twilio.api_url))
        assert (await dial(client, server)).status == "queued"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"from_": "+15005550001"}, 21212),
        ({"from_": FROM}, 21210),
        ({"to": "+15005550001"}, 21217),
        ({"to": "+15005550002"}, 21214),
        ({"to": "+15005550003"}, 21215),
        ({"to": "+15005550004"}, 21216),
    ],
)
async def test_the_magic_numbers_of_test_credentials_are_refused(autojump_clock, changes, code):
    async with office() as (_, twilio, client):
        twilio.rest.test_credentials = True
        order = {"to": TO, "from_": "+15005550006", "twiml": "<Response/>"} | changes
        assert await refusal(client.calls.create_async(**order)) == (400, code)


async def test_test_credentials_place_no_call_and_look_at_none(autojump_clock):
    async with office() as (_, twilio, client):
        twilio.rest.test_credentials = True
        placed = await client.calls.create_async(to=TO, from_="+15005550006", twiml="<Response/>")
        assert placed.status == "queued"
        assert twilio.calls == twilio.rest.creates == []
        assert await refusal(client.calls(placed.sid).fetch_async()) == (403, 20008)


# -- faults -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("refuse", [too_many_requests(), unavailable()])
async def test_a_refusal_may_be_a_lie(autojump_clock, refuse, done):
    async with office() as (server, twilio, client):
        twilio.rest.faults.plant(on="create", refuse=refuse, done=done)
        status, _ = await refusal(dial(client, server))
        assert status == refuse.reply[0]
        assert len(twilio.rest.creates) == len(twilio.calls) == done
        await dial(client, server)
        assert len(twilio.rest.creates) == 1 + done


async def test_the_answer_may_never_come_or_the_connection_be_reset(autojump_clock):
    async with office() as (server, twilio, client):
        twilio.rest.faults.plant(on="create", hang=True, done=True)
        with trio.move_on_after(5) as patience:
            await dial(client, server)
        assert patience.cancelled_caught
        twilio.rest.faults.plant(on="create", reset=True, done=True)
        with pytest.raises(httpx.ReadError):
            await dial(client, server)
        assert len(twilio.rest.creates) == 2


async def test_a_fault_meets_what_it_was_planted_for(autojump_clock):
    async with office() as (server, twilio, client):
        twilio.rest.faults.plant(on="update", refuse=unavailable(), times=2)
        twilio.rest.faults.plant(on="create", to="+15550000000", hang=True)
        placed = await dial(client, server)
        for _ in range(2):
            assert (await refusal(client.calls(placed.sid).update_async(status="completed")))[0] == 503
        assert (await client.calls(placed.sid).update_async(status="completed")).sid == placed.sid
        with pytest.raises(ValueError, match="no operation"):
            RestFault(on="creation")


async def test_latency_and_retry_after_are_as_planted(autojump_clock):
    async with office() as (_, twilio, _), httpx.AsyncClient(trust_env=False) as http:
        twilio.rest.faults.plant(refuse=too_many_requests(), retry_after_s=7, delay_s=3, times=math.inf)
        url = f"{twilio.api_url}/2010-04-01/Accounts/{twilio.exchange.account_sid}/Calls.json"
        began = trio.current_time()
        answer = await http.get(url, auth=(twilio.exchange.account_sid, TOKEN))
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert trio.current_time() - began == pytest.approx(3, abs=0.1)


# -- callbacks --------------------------------------------------------------------------------------


@asynccontextmanager
async def busy_callee(**how):
    faults = CallFaults(callbacks=CallbackFaults(**how))
    async with office(callee=Callee("busy", faults=faults)) as (server, twilio, client):
        await dial(client, server)
        await (await twilio.outbound()).ended()
        await trio.sleep(0.1)
        yield server


async def test_callbacks_may_be_lost(autojump_clock):
    async with busy_callee(lost=frozenset({"initiated", "completed"})) as server:
        assert statuses(server) == ["ringing"]


async def test_callbacks_may_come_thrice_late_and_in_any_order(autojump_clock):
    orders = set()
    for seed in range(3):
        async with busy_callee(copies=3, delay_s=1, scatter_s=20, seed=seed) as server:
            assert statuses(server) == []
            await trio.sleep(21)
            told = [(r.fields["SequenceNumber"], r.fields["CallStatus"]) for r in server.requests]
            assert sorted(told) == sorted([("0", "initiated"), ("1", "ringing"), ("2", "busy")] * 3)
            orders.add(tuple(told))
    assert len(orders) == 3


# -- people -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "answered_by", "verdict"),
    [
        ("Enable", "machine_end_beep", "machine_start"),
        ("DetectMessageEnd", "machine_end_beep", "machine_end_beep"),
        ("DetectMessageEnd", "machine_start", "machine_end_other"),
        ("Enable", "human", "human"),
        ("Enable", "fax", "fax"),
    ],
)
async def test_each_mode_of_detection_has_verdicts_of_its_own(autojump_clock, mode, answered_by, verdict):
    async with office(callee=Callee(answered_by=answered_by)) as (server, twilio, client):
        await dial(client, server, machine_detection=mode)
        call = await twilio.outbound()
        await call.stream_started()
        voice = next(r for r in server.requests if r.path == "/twiml")
        assert voice.fields["AnsweredBy"] == call.answered_by == verdict


async def test_detection_gives_up_at_its_time_limit(autojump_clock):
    async with office(callee=Callee(answered_by="human", detection_s=40)) as (server, twilio, client):
        await dial(client, server, machine_detection="Enable", machine_detection_timeout=10)
        call = await twilio.outbound()
        await call.stream_started()
        assert (call.answered_by, call.log.now_ms) == ("unknown", 12_000)


async def test_a_callee_says_hello_and_hangs_up_by_itself(autojump_clock):
    hello = bytes(range(0x20, 0x70)) * 200  # two seconds of something
    async with office(callee=Callee(says=hello, hangs_up_after_s=5)) as (server, twilio, client):
        await dial(client, server)
        call = await twilio.outbound()
        record = await call.ended()
        assert record.ended_by is EndedBy.CALLER
        assert record.duration_ms == 7000
        heard = b"".join(base64.b64decode(m["media"]["payload"]) for m in server.streams[0].of("media"))
        assert hello[-8000:] in heard


async def test_a_server_without_status_callbacks_is_left_in_peace(autojump_clock):
    async with open_server() as server, httpx.AsyncClient(trust_env=False) as http:
        server.answers["/twiml"] = Reply("<Response><Hangup/></Response>")
        async with open_twilio(webhook_url=f"{server.url}/twiml", auth_token=TOKEN) as twilio:
            client = Client(twilio.exchange.account_sid, TOKEN, http_client=TrioHttp(http, twilio.api_url))
            await client.calls.create_async(to=TO, from_=FROM, url=f"{server.url}/twiml")
            await (await twilio.outbound()).ended()
        assert server.paths() == ["/twiml"]


async def test_a_twilio_for_a_running_server_says_where_it_is_and_what_happens(autojump_clock):
    lines: list[str] = []
    async with (
        open_server() as server,
        httpx.AsyncClient(trust_env=False) as http,
        trio.open_nursery() as nursery,
    ):
        rest = partial(run_rest, callee=Callee("busy"), printer=lines.append)
        nursery.start_soon(rest, f"{server.url}/twiml", TOKEN)
        await trio.testing.wait_all_tasks_blocked()
        url = lines[1].partition("=")[2]
        client = Client("AC" + "0" * 32, TOKEN, http_client=TrioHttp(http, url))
        await client.calls.create_async(to=TO, from_=FROM, url=f"{server.url}/twiml")
        await trio.sleep(3)
        assert lines[2:] == ["   2.000 s  call over: not answered"]
        nursery.cancel_scope.cancel()


async def test_the_account_and_its_number_are_the_settings_own(autojump_clock):
    lines: list[str] = []
    sid, number = "AC" + "1" * 32, "+12025550100"
    async with httpx.AsyncClient(trust_env=False) as http, trio.open_nursery() as nursery:
        rest = partial(run_rest, account_sid=sid, numbers=[number], printer=lines.append)
        nursery.start_soon(rest, "http://127.0.0.1:9/twiml", TOKEN)
        await trio.testing.wait_all_tasks_blocked()
        client = Client(sid, TOKEN, http_client=TrioHttp(http, lines[1].partition("=")[2]))
        found = await client.incoming_phone_numbers.list_async(phone_number=number)
        assert [each.phone_number for each in found] == [number]
        nursery.cancel_scope.cancel()
