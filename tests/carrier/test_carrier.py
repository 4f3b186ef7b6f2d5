"""The carrier at a desk that misbehaves: never two creates, never a wait without end."""

from __future__ import annotations

import pytest
import trio

from llcphone.carrier.orders import Amd, CarrierError, CreateRefused, CreateUnknown
from llcphone.carrier.rest import open_carrier
from llcphone.config import Config
from llcphone.errors import ConfigError, LocalProtocolError
from tests.carrier.carrier_desk import (
    ACCOUNT,
    CREATED,
    FOUR_EVENTS,
    FROM,
    SID,
    TO,
    TOO_MANY,
    answer,
    config_for,
    error,
    office,
    order,
)

DONE = answer(200, {"sid": SID, "status": "completed", "duration": "7", "answered_by": "human"})


# -- what is sent -------------------------------------------------------------------------------


async def test_an_order_reaches_twilio_whole(autojump_clock):
    async with office(CREATED) as (desk, carrier):
        amd = Amd("async", 25, "https://a.test/amd/t", message_end=True)
        sid = await carrier.dial(order(amd=amd, ring_timeout_s=30, time_limit_s=900, send_digits="ww1#"))
        assert sid == SID
        request = desk.asked[0]
        assert (request.method, request.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json")
        assert request.headers["connection"] == "close"
        assert request.values("StatusCallbackEvent") == FOUR_EVENTS  # repeated fields
        assert {key: value for key, value in request.form if key != "StatusCallbackEvent"} == {
            "To": TO,
            "From": FROM,
            "Twiml": "<Response/>",
            "StatusCallback": "https://a.test/status/t0ken",
            "Timeout": "30",
            "TimeLimit": "900",
            "SendDigits": "ww1#",
            "MachineDetection": "DetectMessageEnd",
            "MachineDetectionTimeout": "25",
            "AsyncAmd": "true",
            "AsyncAmdStatusCallback": "https://a.test/amd/t",
        }


async def test_synchronous_detection_says_nothing_of_a_callback(autojump_clock):
    async with office(CREATED) as (desk, carrier):
        await carrier.dial(order(twiml=None, url="https://a.test/twiml", amd=Amd("sync", 30)))
        names = {name for name, _ in desk.asked[0].form}
        assert "MachineDetection" in names
        assert "Url" in names
        assert not names & {"AsyncAmd", "AsyncAmdStatusCallback", "Twiml", "TimeLimit", "SendDigits"}


@pytest.mark.parametrize(
    "contradiction",
    [
        {"twiml": None},
        {"url": "https://a.test/twiml"},
        {"amd": Amd("sync", 30)},
        {"amd": Amd("async", 30)},
    ],
)
def test_an_order_that_contradicts_itself_is_our_bug(contradiction):
    with pytest.raises(LocalProtocolError):
        order(**contradiction)


# -- creates: once, or certainly not ------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "code", "within_s"),
    [
        ("silence", "no_answer", 10),
        ("drip", "no_answer", 10),
        ("reset", "no_answer", 0.1),
        ("close", "no_answer", 0.1),
        ("reset on accept", "no_answer", 0.1),
        (b"HTTP/1.1 201 X\r\nContent-Length: 99\r\n\r\n{", "no_answer", 0.1),
        (b"SSH-2.0-Open\r\n", "no_answer", 0.1),
        (answer(503, b"<html>"), "http_503", 0.1),
        (error(500, 20500), "20500", 0.1),
        (answer(408, b""), "http_408", 0.1),
        (answer(201, b""), "unreadable", 0.1),
        (answer(201, b"[]"), "unreadable", 0.1),
        (answer(201, b"\xff{"), "unreadable", 0.1),
        (answer(201, b"[" * 100_000), "unreadable", 0.1),
        (answer(201, {"sid": SID, "padding": "x" * 1_100_000}), "unreadable", 0.1),
        (answer(201, {}), "unreadable", 0.1),
        (answer(201, {"sid": 7}), "unreadable", 0.1),
        (answer(201, {"sid": SID, "date_created": 5}), "unreadable", 0.1),
    ],
)
async def test_a_create_whose_fate_is_unknown_is_not_repeated(autojump_clock, behaviour, code, within_s):
    async with office(behaviour) as (desk, carrier):
        began = trio.current_time()
        with pytest.raises(CreateUnknown) as caught:
            await carrier.dial(order())
        assert caught.value.code == code
        assert trio.current_time() - began <= within_s + 0.01
        assert (desk.accepted, len(desk.asked)) == (1, 1)
        await trio.sleep(1.5)  # a drip notices late
        assert desk.open == 0


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (error(400, 21211), "21211"),
        (error(401, 20003), "20003"),
        (answer(400, b"<html>"), "http_400"),
        (answer(400, {"code": "21211"}), "http_400"),
        (answer(404, {"code": True}), "http_404"),
        (answer(302, b"", "Location: http://127.0.0.1:1/"), "http_302"),
        (answer(400, {"type": "about:x", "title": "t", "status": 400, "code": 21215}), "21215"),
    ],
)
async def test_a_clear_no_is_final(autojump_clock, behaviour, code):
    async with office(behaviour) as (desk, carrier):
        with pytest.raises(CreateRefused) as caught:
            await carrier.dial(order())
        assert (caught.value.code, caught.value.retryable) == (code, False)
        assert desk.accepted == 1


async def test_too_many_requests_is_repeated_after_what_twilio_asks_for(autojump_clock):
    async with office(error(429, 20429, "Retry-After: 7"), answer(429, b"busy"), CREATED) as (desk, carrier):
        assert await carrier.dial(order()) == SID
        first, second, third = (each.at for each in desk.creates)
        assert 7 <= second - first < 7.1
        assert 1 <= third - second <= 2.1


async def test_too_many_requests_is_given_up_after_three_tries(autojump_clock):
    async with office(TOO_MANY) as (desk, carrier):
        with pytest.raises(CreateRefused) as caught:
            await carrier.dial(order())
        assert (caught.value.code, caught.value.retryable) == ("20429", True)
        assert len(desk.creates) == 3


async def test_whoever_dials_is_told_when_twilio_wants_a_long_pause(autojump_clock):
    async with office(error(429, 20429, "Retry-After: 3600")) as (desk, carrier):
        began = trio.current_time()
        with pytest.raises(CreateRefused) as caught:
            await carrier.dial(order())
        assert caught.value.retryable
        assert trio.current_time() - began < 0.1
        assert len(desk.creates) == 1


async def test_pauses_are_not_the_same_for_everybody(autojump_clock):
    pauses = set()
    async with office(TOO_MANY) as (desk, carrier):
        for _ in range(5):
            desk.asked.clear()
            with pytest.raises(CreateRefused):
                await carrier.dial(order())
            pauses.add(round(desk.creates[1].at - desk.creates[0].at, 3))
    assert len(pauses) > 1
    assert min(pauses) >= 0.25
    assert max(pauses) <= 0.6


async def test_where_nobody_listens_nothing_was_dialled(autojump_clock):
    async with office("close") as (desk, _):
        url = desk.url
    async with open_carrier(config_for(url)) as carrier:
        with pytest.raises(CreateRefused) as caught:
            await carrier.dial(order())
    assert (caught.value.code, caught.value.retryable) == ("no_connection", True)


async def test_a_connection_that_never_comes_about_is_bounded_and_nothing_was_dialled(
    autojump_clock, monkeypatch
):
    async def hangs(*_):
        await trio.sleep_forever()

    monkeypatch.setattr(trio, "open_tcp_stream", hangs)
    async with open_carrier(config_for("http://127.0.0.1:1"), calls_per_second=1000) as carrier:
        began = trio.current_time()
        with pytest.raises(CreateRefused) as caught:
            await carrier.dial(order())
        assert caught.value.code == "no_connection"
        assert 30 <= trio.current_time() - began <= 33


# -- what may be asked twice --------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", [answer(503, b""), "reset", TOO_MANY, answer(200, b"?"), "reset on accept"]
)
async def test_looking_up_is_tried_three_times(autojump_clock, trouble):
    async with office(trouble, trouble, DONE) as (desk, carrier):
        state = await carrier.fetch(SID)
        assert (state.status, state.answered_by, state.duration_s, state.over) == (
            "completed",
            "human",
            7,
            True,
        )
        assert len(desk.asked) == 3


async def test_looking_up_in_vain_ends_within_its_limit(autojump_clock):
    async with office("silence") as (desk, carrier):
        began = trio.current_time()
        with pytest.raises(CarrierError) as caught:
            await carrier.fetch(SID)
        assert caught.value.code == "no_answer"
        assert trio.current_time() - began <= 20.01
        await trio.sleep(0.01)
        assert desk.open == 0


async def test_a_clear_no_to_a_question_is_not_asked_again(autojump_clock):
    async with office(error(401, 20003)) as (desk, carrier):
        with pytest.raises(CarrierError, match="20003"):
            await carrier.fetch(SID)
        assert len(desk.asked) == 1


@pytest.mark.parametrize(
    "page",
    [b"{}", b'{"calls": [5]}', b'{"calls": 5}', b'{"calls": [{"date_created": 5}]}', b'{"a":[],"b":[]}'],
)
async def test_a_page_that_is_none_is_an_error_of_ours(autojump_clock, page):
    async with office(answer(200, page)) as (_, carrier):
        with pytest.raises(CarrierError) as caught:
            await carrier.find(order(), 0)
        assert caught.value.code == "unreadable"


@pytest.mark.parametrize("gone", [answer(404, b""), error(404, 20404), error(400, 21220)])
async def test_hanging_up_what_is_over_is_no_error(autojump_clock, gone):
    async with office(gone) as (desk, carrier):
        await carrier.hang_up(SID)
        assert desk.asked[0].path.endswith(f"/Calls/{SID}.json")
        assert desk.asked[0].form == [("Status", "completed")]
        assert len(desk.asked) == 1


async def test_a_call_is_sent_elsewhere_and_one_that_is_over_is_told_so(autojump_clock):
    async with office(DONE, error(400, 21220)) as (desk, carrier):
        assert await carrier.redirect(SID, "https://a.test/back?why=busy")
        assert desk.asked[0].path.endswith(f"/Calls/{SID}.json")
        assert sorted(desk.asked[0].form) == [("Method", "POST"), ("Url", "https://a.test/back?why=busy")]
        assert not await carrier.redirect(SID, "https://a.test/back")


async def test_a_redirection_that_has_worked_is_not_repeated_for_want_of_an_answer(autojump_clock):
    async with office("reset", DONE) as (desk, carrier):
        assert await carrier.redirect(SID, "https://a.test/back", lambda: not desk.asked)
        assert len(desk.asked) == 1


async def test_a_redirection_that_fails_is_an_error(autojump_clock):
    async with office(error(400, 21205)) as (_, carrier):
        with pytest.raises(CarrierError) as failed:
            await carrier.redirect(SID, "nowhere")
        assert failed.value.code == "21205"


async def test_hanging_up_is_repeated_until_it_is_certain(autojump_clock):
    async with office("reset", answer(502, b""), error(400, 21220)) as (desk, carrier):
        await carrier.hang_up(SID)
        assert len(desk.asked) == 3


async def test_hanging_up_is_bounded_inside_a_shield(autojump_clock):
    async with office("silence") as (_, carrier):
        began = trio.current_time()
        with trio.CancelScope() as scope:
            scope.cancel()
            with trio.CancelScope(shield=True), pytest.raises(CarrierError):
                await carrier.hang_up(SID)
        assert trio.current_time() - began <= 20.01


@pytest.mark.parametrize(
    ("behaviour", "tries"), [(answer(500, b""), 1), ("reset", 1), (TOO_MANY, 3), (error(400, 21610), 1)]
)
async def test_a_text_message_is_never_sent_twice(autojump_clock, behaviour, tries):
    async with office(behaviour) as (desk, carrier):
        with pytest.raises(CarrierError):
            await carrier.send_sms(TO, FROM, "hello")
        assert len(desk.asked) == tries


# -- looking for a call whose creation was not answered -----------------------------------------


def listed(sid, status, *, created="Fri, 20 Nov 2026 10:00:00 +0000", direction="outbound-api"):
    return {"sid": sid, "status": status, "date_created": created, "direction": direction, "start_time": None}


async def test_find_sees_queued_calls_and_only_our_own_since_then(autojump_clock):
    lists = {
        "queued": [
            listed("CA1", "queued"),
            listed("CA2", "queued", created="Fri, 20 Nov 2026 09:59:00 +0000"),
        ],
        "ringing": [
            listed("CA3", "ringing", direction="outbound-dial"),
            listed("CA4", "ringing", created=None),
        ],
        "in-progress": [listed("CA4", "in-progress"), listed("CA5", "in-progress", direction="inbound")],
    }

    def page(request):
        return answer(200, {"calls": lists[request.query["Status"]], "next_page_uri": None, "page": 0})

    async with office(page) as (desk, carrier):
        assert await carrier.find(order(), 1795168802.0) == [
            "CA1",
            "CA4",
        ]  # two seconds after CA1: clocks differ
        assert [each.query["Status"] for each in desk.asked] == ["queued", "ringing", "in-progress"]
        assert {(each.query["To"], each.query["From"]) for each in desk.asked} == {(TO, FROM)}
        # Twilio filters by StartTime, which a queued call does not have
        assert not any(name.startswith("StartTime") for each in desk.asked for name in each.query)


async def test_find_reads_on_when_there_is_another_page(autojump_clock):
    def page(request):
        more = "/2010-04-01/next.json?Page=1&PageToken=a%2Fb"
        if request.query.get("Status") == "queued":
            return answer(200, {"calls": [listed("CA1", "queued")], "next_page_uri": more})
        second = request.path == "/2010-04-01/next.json" and request.query["PageToken"] == "a/b"
        return answer(200, {"calls": [listed("CA2", "queued")] if second else [], "next_page_uri": None})

    async with office(page) as (_, carrier):
        assert await carrier.find(order(), 0) == ["CA1", "CA2"]


async def test_a_number_is_found_only_by_all_its_digits(autojump_clock):
    entries = [
        {"sid": "PN1", "phone_number": FROM + "9"},
        {"sid": "PN2", "phone_number": FROM, "trunk_sid": "TK1"},
    ]
    async with office(answer(200, {"incoming_phone_numbers": entries})) as (_, carrier):
        settings = await carrier.number(FROM)
        assert settings is not None
        assert (settings.number_sid, settings.voice_url_counts) == ("PN2", False)
        assert await carrier.number(TO) is None


# -- the pace -----------------------------------------------------------------------------------


async def test_creates_leave_in_order_and_not_faster_than_the_account_may(autojump_clock):
    async with office(CREATED, calls_per_second=2) as (desk, carrier), trio.open_nursery() as nursery:
        for n in range(5):
            nursery.start_soon(carrier.dial, order(to=f"+1555000000{n}"))
            await trio.testing.wait_all_tasks_blocked()
    first = desk.creates[0].at
    assert [each.at - first for each in desk.creates] == pytest.approx([0, 0.5, 1.0, 1.5, 2.0], abs=0.01)
    assert [each.values("To")[0][-1] for each in desk.creates] == list("01234")


async def test_who_gives_up_waiting_takes_no_turn_and_moves_nobody(autojump_clock):
    async with office(CREATED, calls_per_second=1) as (desk, carrier), trio.open_nursery() as nursery:
        scopes = [trio.CancelScope() for _ in range(5)]

        async def dial(n: int) -> None:
            with scopes[n]:
                await carrier.dial(order(to=f"+1555000000{n}"))

        for n in range(5):
            nursery.start_soon(dial, n)
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(0.5)
        scopes[1].cancel()  # asleep, next in turn
        scopes[3].cancel()  # in the queue
    first = desk.creates[0].at
    assert [each.at - first for each in desk.creates] == pytest.approx([0, 1, 2], abs=0.01)
    assert [each.values("To")[0][-1] for each in desk.creates] == list("024")


async def test_a_pause_in_dialling_saves_up_no_burst(autojump_clock):
    async with office(CREATED, calls_per_second=1) as (desk, carrier):
        await trio.sleep(60)
        for _ in range(3):
            await carrier.dial(order())
    gaps = [b.at - a.at for a, b in zip(desk.creates, desk.creates[1:], strict=False)]
    assert gaps == pytest.approx([1, 1], abs=0.01)


async def test_a_repeated_create_keeps_the_pace_too(autojump_clock):
    async with office(TOO_MANY, CREATED, calls_per_second=0.2) as (desk, carrier):
        await carrier.dial(order())
    assert desk.creates[1].at - desk.creates[0].at == pytest.approx(5, abs=0.01)


# -- where requests go --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        ({}, "api.twilio.com"),
        ({"edge": "ashburn"}, "api.ashburn.us1.twilio.com"),
        ({"edge": "dublin", "region": "ie1"}, "api.dublin.ie1.twilio.com"),
        ({"api_url": "https://127.0.0.1:4443", "edge": "dublin"}, "127.0.0.1:4443"),
    ],
)
async def test_edge_and_region_name_the_host(autojump_clock, monkeypatch, settings, host):
    hosts = []

    async def refuse(name, port):
        hosts.append(name if port == 443 else f"{name}:{port}")
        raise OSError

    monkeypatch.setattr(trio, "open_tcp_stream", refuse)
    monkeypatch.setenv("TWILIO_REGION", "ie1")  # alone it would lead to a host that is no more
    monkeypatch.setenv("TWILIO_EDGE", "tokyo")
    async with open_carrier(
        config_for(settings.pop("api_url", "https://api.twilio.com"), **settings)
    ) as carrier:
        with pytest.raises(CarrierError, match="no_connection"):
            await carrier.fetch(SID)
    assert set(hosts) == {host}


@pytest.mark.parametrize("missing", ["account_sid", "auth_token"])
async def test_an_account_without_its_token_is_a_missing_setting(missing):
    settings = {"account_sid": "AC1", "auth_token": "t"} | {missing: ""}
    with pytest.raises(ConfigError) as caught:
        async with open_carrier(Config.from_dict({"twilio": settings})):
            pass
    assert caught.value.key == f"twilio.{missing}"
