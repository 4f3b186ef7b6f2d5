"""The pages of calls, over calls that were rehearsed in virtual time."""

from __future__ import annotations

import json
import re
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock

from tests.browser.made import LONG_NAME, row
from tests.browser.visit import visiting
from tests.console.browser import console_of
from tests.console.test_calls import GREETING, bakery, interrupted_call, page_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route, WebSocketRoute

    from tests.browser.program import Program
    from tests.browser.visit import Visit

NEAR_MS = 50
HOSTILE = "<img src=x onerror=alert(1)> \u202egnirts"
PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """What a page gets of a call with a barge-in and a tool."""

    async def rehearsed() -> dict[str, Any]:
        async with console_of(rehearse=bakery(), words="show", numbers="show") as (console, browser, stage):
            await browser.enter(console)
            return await page_of(browser, await interrupted_call(stage))

    return trio.run(rehearsed, clock=MockClock(autojump_threshold=0))


@contextmanager
def looking(
    browser: Browser, program: Program, viewport: dict[str, int] | None = None
) -> Iterator[tuple[Visit, list[WebSocketRoute]]]:
    """A visit whose live sockets are the test's."""
    live: list[WebSocketRoute] = []
    with visiting(browser, program, **({} if viewport is None else {"viewport": viewport})) as visit:
        visit.context.route("**/api/state", with_live)
        visit.context.route("**/api/ticket", lambda route: route.fulfill(json={"ticket": "one"}))
        visit.context.route_web_socket("**/live/one", lambda socket: live.append(socket))
        yield visit, live


def with_live(route: Route) -> None:
    """The server's state, without its own live calls."""
    answer = route.fetch()
    route.fulfill(response=answer, json={**answer.json(), "live": True, "seq": 0, "calls": []})


def open_call(visit: Visit, shown: dict[str, Any]) -> Page:
    """The page of this call."""
    id_ = shown["call"]["id"]
    visit.page.route(f"**/api/calls/{id_}", lambda route: route.fulfill(json=shown))
    visit.enter(f"#/calls/{id_}")
    visit.page.locator(".picture-lanes").wait_for()
    return visit.page


@pytest.fixture(params=[None, PHONE], ids=["wide", "small"])
def seen(
    browser: Browser, program: Program, shown: dict[str, Any], request: pytest.FixtureRequest
) -> Iterator[Page]:
    """That page, on a desk and on a telephone."""
    with looking(browser, program, request.param) as (visit, _):
        yield open_call(visit, shown)


def model_of(page: Page, shown: dict[str, Any]) -> dict[str, Any]:
    script = "async page => (await import('/web/parts/picture_model.js')).modelOf(page)"
    model: dict[str, Any] = page.evaluate(script, shown)
    return model


def test_parts_of_a_wait_add_up_and_lie_where_the_record_says(seen: Page, shown: dict[str, Any]) -> None:
    turns = shown["record"]["turns"]
    waited = [turn for turn in turns if turn["ear_gap_ms"] is not None]
    model = model_of(seen, shown)
    assert len(waited) >= 2
    assert [(wait["from"], wait["to"]) for wait in model["waits"]] == [
        (turn["spoke_until_ms"], turn["ear_ms"]) for turn in waited
    ]
    for drawn, turn in zip(model["turns"], turns, strict=True):
        assert sum(part["ms"] for part in drawn["parts"]) == sum(turn["parts"].values())
        if turn["ear_gap_ms"] is not None:
            assert sum(part["ms"] for part in drawn["parts"]) == turn["ear_gap_ms"]


def test_a_greeting_waits_for_the_line_not_for_llcphone(visit: Visit) -> None:
    page = visit.enter("#/calls")
    greeting = {"index": 1, "asked": "greeting", "spoke_until_ms": None, "begun_ms": 50, "created_ms": 50}
    greeting |= {"first_delta_ms": 200, "sent_ms": 1_610, "ear_ms": 1_640}
    greeting["parts"] = {"created": 0, "first_delta": 150, "sent": 1_410, "heard": 30}
    record = {"duration_s": 3, "started_after_ms": 1_600, "turns": [greeting], "floor": []}
    (turn,) = model_of(page, {"call": {"state": "ended"}, "record": record})["turns"]
    parts = [(part["whose"], part["ms"]) for part in turn["parts"]]
    assert parts == [("model", 150), ("opening", 1_400), ("ours", 10), ("line", 30)]
    assert (turn["took"]["opening"], turn["took"]["sent"]) == (1_400, 10)  # the record: 1,410 of sending


def test_a_cut_of_a_live_call_is_where_the_agent_fell_silent(visit: Visit) -> None:
    page = visit.enter("#/calls")
    turn = {"index": 1, "asked": "greeting", "spoke_until_ms": None, "begun_ms": 50, "created_ms": 50}
    turn |= {"first_delta_ms": 90, "sent_ms": 90, "ear_ms": 100}
    line = {"item": "i1", "speaker": "agent", "at_ms": 90, "text": "Hello, this is", "heard": "Hello,"}
    record = {"turns": [turn], "floor": [[90, "agent"], [2_000, "caller"], [4_000, "agent"]]}
    model = model_of(page, {"call": {"state": "talking"}, "record": record, "lines": [{**line, "cut": True}]})
    assert [(cut["at"], cut["byEnd"]) for cut in model["cuts"]] == [(2_000, False)]
    assert "heardMs" not in model["cuts"][0]["line"]


def test_a_turn_without_an_end_is_not_a_lost_session(visit: Visit) -> None:
    page = visit.enter("#/calls")
    gaps = [
        {"kind": "lost", "at_ms": 1_000, "cause": "closed_1006", "outcome": "restored", "gap_ms": 300},
        {"kind": "lost", "at_ms": 20_000, "cause": "long turn", "outcome": "restored", "gap_ms": 12},
        {"kind": "planned", "at_ms": 30_000, "cause": "age", "outcome": "renewed", "gap_ms": 0},
    ]
    record = {"duration_s": 40, "turns": [], "floor": [], "gaps": gaps}
    shown = model_of(page, {"call": {"state": "ended"}, "record": record})["trouble"]
    assert [(each["kind"], each["bad"]) for each in shown] == [
        ("session lost", True),
        ("no pause", False),
        ("session renewed", False),
    ]


def test_where_no_calls_are_kept_none_are_asked_for(browser: Browser, program: Program) -> None:
    def without_store(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "store": False})

    with visiting(browser, program) as visit:
        visit.context.route("**/api/state", without_store)
        page = visit.enter("#/calls")
        page.get_by_role("heading", name="No calls are kept").wait_for()
        assert not [each for each in visit.requests if "/api/calls" in each or "/api/trends" in each]


def test_an_outline_is_flat_where_there_is_no_sound(visit: Visit) -> None:
    page = visit.enter("#/calls")
    script = """async () => (await import("/web/parts/wave.js"))
        .outline(new Float32Array([1, 1]), -20, 40, 6, 10, 8)"""
    points = [float(point.split(",")[1]) for point in page.evaluate(script).split(" ")]
    assert points[:6] == [9.5, 9.5, 2.0, 2.0, 9.5, 9.5]


def test_a_recording_becomes_peaks(visit: Visit) -> None:
    page = visit.enter("#/calls")
    script = """async (bytes) => {
        const { peaksOf } = await import("/web/parts/wave.js");
        const { caller, agent, seconds } = peaksOf(new Uint8Array(bytes).buffer);
        return { caller: [...caller], agent: [...agent], seconds };
    }"""
    loud, silent = 0x80, 0xFF  # the largest sample, and none
    sound = bytes([silent, loud] * 80 + [silent, silent] * 80)  # 20 ms: the agent, then nobody
    fields = struct.pack("<HHIIHH", 7, 2, 8_000, 16_000, 2, 8)
    chunks = [b"fmt " + struct.pack("<I", 16) + fields, b"llcp" + struct.pack("<I", 3) + b"odd\0"]
    chunks.append(b"data" + struct.pack("<I", len(sound)) + sound)
    body = b"WAVE" + b"".join(chunks)
    shown = page.evaluate(script, list(b"RIFF" + struct.pack("<I", len(body)) + body))
    assert shown["seconds"] == 0.02
    assert shown["caller"] == [0, 0]
    assert shown["agent"] == [pytest.approx(0.98, abs=0.01), 0]


def test_voices_do_not_overlap_the_waits(seen: Page, shown: dict[str, Any]) -> None:
    model = model_of(seen, shown)
    assert {span["who"] for span in model["floor"]} == {"caller", "agent"}
    for wait in model["waits"]:
        for span in model["floor"]:
            assert span["to"] <= wait["from"] + 1 or span["from"] >= wait["to"] - 1
    tool = shown["record"]["tools"][0]
    assert [(each["from"], each["to"]) for each in model["tools"]] == [
        (tool["at_ms"], tool["at_ms"] + tool["took_ms"])
    ]


def test_a_click_on_a_wait_a_line_or_a_cut_goes_there(seen: Page, shown: dict[str, Any]) -> None:
    model = model_of(seen, shown)
    position = seen.get_by_role("slider")

    def at_ms() -> int:
        return int(position.input_value())

    for wait, number in zip(model["waits"], range(len(model["waits"])), strict=True):
        seen.get_by_role("tab", name="Turns").click()
        row = seen.locator("tbody tr").filter(has=seen.get_by_role("rowheader", name=f"{wait['index']} "))
        row.get_by_role("button").first.click()
        assert abs(at_ms() - wait["from"]) <= NEAR_MS
        seen.get_by_role("slider").press("Home")
        seen.evaluate("document.querySelector('.picture-scroll').scrollLeft = 0")
        seen.get_by_role("button", name="Whole call").click(force=True)
        seen.locator(".picture-lanes .wait").nth(number).click()
        assert abs(at_ms() - wait["from"]) <= NEAR_MS
    (cut, *_) = model["cuts"]
    seen.locator(".picture-lanes .cut text").first.click()
    assert abs(at_ms() - cut["at"]) <= NEAR_MS
    seen.get_by_role("tab", name="Transcript").click()
    line = model["lines"][-1]
    seen.locator(".words li").nth(line["index"]).get_by_role("button").click()
    assert abs(at_ms() - line["from"]) <= NEAR_MS


def test_what_was_cut_off_is_struck(seen: Page) -> None:
    greeting = seen.locator(".words li").first
    struck = greeting.locator("del").evaluate("each => each.lastChild.textContent")
    assert struck
    assert GREETING.endswith(struck)
    assert GREETING.removesuffix(struck).strip() in (greeting.text_content() or "")


def test_hostile_words_stay_words_and_nothing_makes_the_page_wide(
    browser: Browser, program: Program, shown: dict[str, Any]
) -> None:
    odd = json.loads(json.dumps(shown))
    odd["call"]["agent"] = LONG_NAME
    for line in odd["record"]["transcript"]:
        line["text"] = HOSTILE + "x" * 100_000
    with looking(browser, program, PHONE) as (visit, _):
        page = open_call(visit, odd)
        assert HOSTILE in (page.locator(".words li p").first.text_content() or "")
        assert page.locator(".words img").count() == 0
        for name in ("Turns", "Tools", "Money", "Trouble", "Messages", "Record"):
            page.get_by_role("tab", name=name).click()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


@pytest.mark.parametrize("seen", [None], indirect=True)
def test_the_player_is_worked_by_keys(seen: Page, shown: dict[str, Any]) -> None:
    page = seen
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("slider").input_value() == "5000"
    page.keyboard.press("ArrowLeft")
    assert page.get_by_role("slider").input_value() == "0"
    page.keyboard.press(".")
    starts = sorted(turn["at"] for turn in model_of(page, shown)["turns"])
    assert (
        abs(int(page.get_by_role("slider").input_value()) - next(at for at in starts if at > 10)) <= NEAR_MS
    )


def test_the_clock_of_a_live_call_goes_on_while_another_page_is_looked_at(
    browser: Browser, program: Program
) -> None:
    with looking(browser, program) as (visit, live):
        visit.page.clock.install()
        page = visit.enter("#/health")
        page.locator(".state-live").wait_for()
        live[0].send(json.dumps({"event": "rows", "seq": 10**9, "set": [row(1)], "gone": []}))
        page.get_by_text("1 call", exact=True).wait_for()
        page.clock.fast_forward(30_000)
        visit.go("#/live")
        page.locator("tbody td", has_text=re.compile("^1:[3-5][0-9]$")).wait_for()


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["wide", "small"])
def test_live_shows_fifty_calls_and_first_those_that_need_somebody(
    browser: Browser, program: Program, viewport: dict[str, int] | None
) -> None:
    rows = [row(number) for number in range(50)]
    rows[7] |= {"agent": LONG_NAME, "attention": "slow turn 3.1 s (tools)"}
    rows[9] |= {"approvals": [{"id": "a1", "text": HOSTILE}], "tools": ["refund"]}
    with looking(browser, program, viewport) as (visit, live):
        page = visit.enter("#/live")
        page.locator(".state-live").wait_for()
        live[0].send(json.dumps({"event": "rows", "seq": 10**9, "set": rows, "gone": []}))
        heads = page.locator("tbody th a")
        heads.nth(49).wait_for()
        assert [heads.nth(at).get_attribute("href") for at in (0, 1)] == ["#/live/c9", "#/live/c7"]
        assert page.locator("img[src=x]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        sent: list[Any] = []
        page.route(
            "**/api/calls/c9/approve",
            lambda route: (sent.append(route.request), route.fulfill(status=202, json={}))[1],
        )
        page.get_by_role("button", name="Allow").click()
        page.get_by_role("button", name="Allow").wait_for(state="detached")
        assert json.loads(sent[0].post_data) == {"approval": "a1", "allow": True}
        assert len(sent[0].headers["idempotency-key"]) >= 16
        gone = [each["id"] for each in rows]
        live[0].send(json.dumps({"event": "rows", "seq": 10**9 + 1, "set": [], "gone": gone}))
        page.get_by_text("No call at the moment").wait_for()
