"""Searching calls in the console: pages, tables, trends, and what a session may see of them."""

from __future__ import annotations

import csv
import io
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from llcphone.console import search
from llcphone.errors import StoreUnavailable
from llcphone.sim import voices
from llcphone.store.history import History
from tests.console.browser import READ_KEY, Browser, console_of
from tests.store.store_kit import ADA, BORN_AT, record, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llcphone.store import Store

OWN = "+15551230002"
FIELDS = (
    "id direction from to agent reason answered born_at ended_at duration_s turns barge_ins "
    "slowest_ms cost_usd failure attention run_number resumed_from"
)


@asynccontextmanager
async def searched(folder: Path, *, key: str = "", **settings: Any) -> AsyncIterator[tuple[Browser, Store]]:
    """A console over a store with three calls; c2 is the newest."""
    store = {"url": f"sqlite:///{folder / 'phone.db'}"}
    async with console_of(rehearse={"store": store}, **settings) as (console, browser, stage):
        kept = stage.phone.store
        assert kept is not None
        for number in range(3):
            fields = {"born_at": BORN_AT + number, "agent": "sales" if number else "desk", "cost_usd": 0.5}
            kept.put_call(record(f"c{number}", **fields), caller=ADA, dialled=OWN, context="=about bread")
        await written(kept)
        await browser.enter(console, **({"key": key} if key else {}))
        yield browser, kept


async def found(browser: Browser, **body: Any) -> list[str]:
    answer = await browser.ask("POST", "/api/calls/search", body)
    assert answer.status == 200, answer
    return [call["id"] for call in answer.json["calls"]]


async def test_a_call_is_found_by_what_was_said_in_it_as_soon_as_it_has_ended(tmp_path: Path) -> None:
    store = {"url": f"sqlite:///{tmp_path / 'phone.db'}"}
    stage_of = {"store": store, "script": ["Hello.", "Your table is booked."]}
    async with console_of(rehearse=stage_of) as (console, browser, stage):
        await browser.enter(console)
        caller = await stage.ring(from_=ADA)
        (call,) = stage.phone.calls()
        await caller.hears(0.2)
        await caller.speak(voices.load("yes_please"))
        await caller.hears_out(0.9, 500)
        assert await found(browser) == []
        caller.hang_up()
        await call
        assert await found(browser, text="table is BOOKED", number=ADA, slower_than_ms=0) == [call.call_id]
        row = (await browser.ask("POST", "/api/calls/search", {})).json["calls"][0]
        assert (row["from"], row["turns"], row["reason"]) == ("…01", 2, "caller hung up")
        assert row["slowest_ms"] > 0
        days = (await browser.get("/api/trends?by=day")).json["buckets"]
        assert (days[-1]["calls"], days[-1]["gap_p50_ms"]) == (1, row["slowest_ms"] // 10 * 10)


async def test_pages_of_calls_with_masked_numbers(tmp_path: Path) -> None:
    async with searched(tmp_path, key=READ_KEY) as (browser, _):
        answer = await browser.ask("POST", "/api/calls/search", {"limit": 2})
        first, page = answer.json["calls"][0], answer.json
        assert list(first) == FIELDS.split()
        assert (first["id"], first["from"], first["to"], first["reason"]) == (
            "c2",
            "…01",
            "…02",
            "caller hung up",
        )
        assert page["complete"]
        assert await found(browser, limit=2, cursor=page["next"]) == ["c0"]
        last = await browser.ask("POST", "/api/calls/search", {"cursor": page["next"]})
        assert last.json["next"] is None
        assert b"bread" not in answer.body  # what the call was about


async def test_filters_and_numbers_as_people_write_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "llcphone")
    async with searched(tmp_path) as (browser, _):
        assert await found(browser, agent="sales", to=BORN_AT + 14) == ["c1"]
        assert await found(browser, number="+1 (555) 123-0001", dearer_than_usd=0.4) == ["c2", "c1", "c0"]
        assert await found(browser, number="+15551239999") == []
        assert await found(browser, text="rye") == []
        assert await found(browser, text="Bread, please", attention=False) == ["c2", "c1", "c0"]
    told = [(line.words, line.number) for line in caplog.records if line.event == "console: searched"]
    assert told == [(False, "…01"), (False, "…99"), (True, ""), (True, "")]
    assert "please" not in caplog.text
    assert ADA not in caplog.text


async def test_numbers_are_whole_where_the_console_shows_them(tmp_path: Path) -> None:
    async with searched(tmp_path, numbers="show") as (browser, _):
        answer = await browser.ask("POST", "/api/calls/search", {})
        assert {call["from"] for call in answer.json["calls"]} == {ADA}


async def test_who_never_sees_words_cannot_guess_them_by_searching(tmp_path: Path) -> None:
    async with searched(tmp_path, words="never") as (browser, _):
        answer = await browser.ask("POST", "/api/calls/search", {"text": "bread"})
        assert (answer.status, answer.json["code"]) == (403, "never_shown")


async def test_a_table_has_all_pages_and_no_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_ROWS", 2)
    async with searched(tmp_path, words="show") as (browser, _):
        answer = await browser.ask("POST", "/api/calls/export", {})
        assert answer.headers["content-type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
        assert [(row["id"], row["caller"], row["context"]) for row in rows] == [
            (call, "…01", "'=about bread") for call in ("c2", "c1", "c0")
        ]
        monkeypatch.setattr(search, "EXPORTED", 1)
        few = await browser.ask("POST", "/api/calls/export", {"agent": "sales"})
        assert few.body.count(b"\n") == 3


async def test_trends_by_hour_and_day(tmp_path: Path) -> None:
    async with searched(tmp_path) as (browser, kept):
        turn = {"index": 1, "asked": "caller", "ear_gap_ms": 640, "tools": []}
        kept.put_call(record("now", born_at=time.time() - 20, turns=(turn,), cost_usd=0.25))
        days = (await browser.get("/api/trends?by=day")).json["buckets"]
        assert list(days[-1]) == ["at", "calls", "gap_p50_ms", "gap_p95_ms", "usd"]
        assert (len(days), sum(day["calls"] for day in days)) == (30, 4)
        assert sum(day["usd"] for day in days) == 1.75
        hours = (await browser.get("/api/trends")).json["buckets"]
        assert [hour["gap_p95_ms"] for hour in hours if hour["gap_p95_ms"]] == [640]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"limit": 0}, 422, "bad_field"),
        ({"limit": 201}, 422, "bad_field"),
        ({"colour": "red"}, 422, "bad_field"),
        ({"direction": "up"}, 422, "bad_field"),
        ({"from": -1}, 422, "bad_field"),
        ({"from": "today"}, 422, "bad_field"),
        ({"text": "x" * 201}, 422, "bad_field"),
        ({"slower_than_ms": 10**30}, 422, "bad_field"),
        ({"cursor": "x"}, 422, "bad_parameter"),
        ({"cursor": "live~1.0~c1"}, 422, "bad_parameter"),
    ],
)
async def test_what_makes_no_sense_is_refused(tmp_path: Path, body: Any, status: int, code: str) -> None:
    async with searched(tmp_path) as (browser, _):
        answer = await browser.ask("POST", "/api/calls/search", body)
        assert (answer.status, answer.json["code"]) == (status, code)
        assert (await browser.get("/api/trends?by=year")).status == 422


async def test_a_store_that_is_missing_or_gives_no_answer_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console_of() as (console, browser, _):
        await browser.enter(console)
        for answer in (
            await browser.ask("POST", "/api/calls/search", {}),
            await browser.ask("POST", "/api/calls/export", {}),
            await browser.get("/api/trends"),
        ):
            assert (answer.status, answer.json["code"]) == (404, "no_store")
    async with searched(tmp_path) as (browser, _):

        async def unreachable(*_: Any, **__: Any) -> None:
            raise StoreUnavailable("locked")

        monkeypatch.setattr(History, "find", unreachable)
        for route in ("search", "export"):
            answer = await browser.ask("POST", f"/api/calls/{route}", {})
            assert (answer.status, answer.json["code"]) == (503, "store_unavailable")
            assert int(answer.headers["retry-after"]) > 0
