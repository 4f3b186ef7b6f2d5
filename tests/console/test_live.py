"""The live socket and the routes about calls: whole calls, seen by pages at a real port."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from llcphone import Agent
from llcphone.console import table as table_module
from llcphone.console.app import LOOKING, make_console_app
from llcphone.console.live import MOST_WATCHED
from llcphone.errors import LegClosed
from llcphone.sim.model import CallTool, Say
from llcphone.sim.twilio import Callee
from llcphone.wire import websocket
from tests.calls.stage import QUESTION, nothing_left
from tests.console.browser import KEY, READ_KEY, Browser, console_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llcphone.console.console import Console
    from llcphone.testing import Rehearsal

CALLER = "+15551230001"
TURNS = 5
LIMIT_S = 120
"""A test that waits for what never comes ends after this, virtual time."""
LONG = "From Tuesday to Thursday we open at noon, and on Fridays we open at nine in the morning."


@attrs.define(eq=False)
class Viewer:
    """A page at the live socket: what it was sent, and the table that it keeps of it."""

    leg: websocket.WebSocketLeg
    got: list[dict[str, Any]] = attrs.field(factory=list)
    rows: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    reads: bool = True

    def send(self, event: str, **fields: Any) -> None:
        self.leg.send_nowait(json.dumps({"event": event, **fields}).encode())

    def of(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        return [each for each in self.got if each["event"] == event and fields.items() <= each.items()]

    async def until(self, event: str, **fields: Any) -> dict[str, Any]:
        while not (found := self.of(event, **fields)):
            await self.news.park()
        return found[0]

    async def row(self, **fields: Any) -> dict[str, Any]:
        """Wait for a row with these fields."""
        while True:
            for row in self.rows.values():
                if fields.items() <= row.items():
                    return row
            await self.news.park()

    async def read(self) -> None:
        try:
            while self.reads:
                for message in await self.leg.receive():
                    self._take(json.loads(message))
                self.news.unpark_all()
        except LegClosed:
            self.got.append({"event": "closed"})
            self.news.unpark_all()

    def _take(self, message: dict[str, Any]) -> None:
        self.got.append(message)
        if message["event"] == "rows":
            if message.get("whole"):
                self.rows.clear()
            self.rows |= {row["id"]: row for row in message["set"]}
            for call_id in message["gone"]:
                del self.rows[call_id]


@asynccontextmanager
async def viewing(console: Console, browser: Browser) -> AsyncIterator[Viewer]:
    ticket = await browser.ticket("live")
    url = f"ws://127.0.0.1:{console.port}/live/{ticket}"
    origin = [("Origin", f"http://127.0.0.1:{console.port}")]
    leg = await websocket.connect(url, headers=origin, tls=None, timeout_s=5)
    async with trio.open_nursery() as nursery:
        leg.attach(nursery.start_soon, lambda lost: None)
        viewer = Viewer(leg)
        nursery.start_soon(viewer.read)
        try:
            yield viewer
        finally:
            viewer.reads = False
            await leg.aclose()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def staged(
    key: str = KEY, script: Any = None, agent: Any = None, stage: Any = None, **settings: Any
) -> AsyncIterator[tuple[Console, Browser, Rehearsal]]:
    on_stage = {"script": script or [Say("Hello.", 1_500), Say(LONG, 6_000)], "agent": agent, **(stage or {})}
    async with console_of(sockets={}, rehearse=on_stage, **settings) as (console, browser, rehearsal):
        await browser.enter(console, key)
        with trio.fail_after(LIMIT_S):
            yield console, browser, rehearsal


async def test_a_call_is_a_row_from_its_ringing_to_its_end(autojump_clock):
    async with staged() as (console, browser, stage), viewing(console, browser) as viewer:
        hello = await viewer.until("hello")
        assert (await viewer.until("rows", whole=True))["set"] == []
        call = await stage.ring()
        row = await viewer.row(state="talking", floor="agent")
        assert (row["direction"], row["from"], row["agent"]) == ("inbound", "…01", "agent")
        assert CALLER not in json.dumps(viewer.got)
        await call.hears_out(0.3, 300)
        await viewer.row(floor="nobody")
        await call.speak(QUESTION)
        await viewer.row(floor="agent")
        await call.hears_out(0.3, 1_000)
        (row,) = viewer.rows.values()
        assert row["worst"]
        assert row["gap_ms"] > 0
        assert 2 < row["since_s"] < 30
        call.hang_up()
        await stage.record()
        await trio.sleep(1)
        assert viewer.rows == {}
        numbers = [each["seq"] for each in viewer.of("rows")]
        assert numbers == sorted(set(numbers))
        assert numbers[0] == hello["seq"]


async def test_time_alone_sends_nothing(autojump_clock):
    async with staged() as (console, browser, stage), viewing(console, browser) as viewer:
        call = await stage.ring()
        await call.hears_out(0.3, 2_000)
        await trio.sleep(1)
        seen = len(viewer.of("rows"))
        await trio.sleep(10)
        assert len(viewer.of("rows")) == seen
        call.hang_up()


async def test_a_row_is_sent_whenever_it_changes_and_read_for_its_figures(autojump_clock, monkeypatch):
    real, reads = table_module.row_of, []

    def counted(*args, **fields):
        reads.append(1)
        return real(*args, **fields)

    async with staged() as (console, browser, stage), viewing(console, browser) as viewer:
        call = await stage.ring()
        await call.hears_out(0.3, 2_000)
        await trio.sleep(5)
        monkeypatch.setattr(table_module, "row_of", counted)
        sent = len(viewer.of("rows"))
        for _ in range(TURNS):
            await call.speak(QUESTION)
            await call.hears_out(1.0, 3_000)
        await trio.sleep(3)
        sent = len(viewer.of("rows")) - sent
        assert sent >= 4 * TURNS, "the floor moves to the caller, the model, the agent and nobody"
        assert TURNS <= len(reads) <= 3 * TURNS, "for figures alone"
        (row,) = viewer.rows.values()
        (state,) = (await browser.get("/api/state")).json["calls"]
        assert {**row, "since_s": 0} == {**state, "since_s": 0}
        call.hang_up()


async def test_who_comes_later_or_fetches_the_snapshot_has_the_same_table(autojump_clock):
    async with staged() as (console, browser, stage):
        state = (await browser.get("/api/state")).json
        assert (state["calls"], state["health"]["live"]) == ([], 0)
        call = await stage.ring()
        await call.hears_out(0.3, 1_000)
        state = (await browser.get("/api/state")).json
        async with viewing(console, browser) as first, viewing(console, browser) as second:
            hello = await second.until("rows", whole=True)
            (row,) = hello["set"]
            assert hello["seq"] == state["seq"]
            assert {**row, "since_s": 0} == {**state["calls"][0], "since_s": 0}
            await first.row(id=row["id"])
            call.hang_up()
            await stage.record()
            await trio.sleep(1)
            assert first.rows == second.rows == {}
            assert (await browser.get("/api/state")).json["seq"] == first.of("rows")[-1]["seq"]


async def test_a_watched_call_tells_its_notes_turns_and_words(autojump_clock):
    async with staged(words="show") as (console, browser, stage), viewing(console, browser) as viewer:
        call = await stage.ring()
        row = await viewer.row(state="talking")
        viewer.send("watch", call=row["id"], words=True)
        await call.hears_out(0.3, 300)
        await call.speak(QUESTION)
        await call.hears(2.0)
        part = next(each for each in viewer.of("heard", by="agent") if 0 < each["heard"] < len(each["text"]))
        assert LONG.startswith(part["text"][: part["heard"]])
        await call.speak(QUESTION)  # a barge-in
        await call.hears(0.2)
        cut = viewer.of("heard", cut=True)[-1]
        assert cut["item"] == part["item"]
        assert 0 < cut["heard"] < len(cut["text"]) == len(LONG)
        kinds = [each["kind"] for each in viewer.of("note")]
        assert {"floor", "agent speaks", "barge-in"} <= set(kinds)
        assert viewer.of("turn")[0]["turn"]["index"] == 1
        assert {each["call"] for each in viewer.of("turn")} == {row["id"]}
        call.hang_up()
        record = await stage.record()
        ended = await viewer.until("note", kind="ended")
        assert ended["fields"]["reason"] == "caller hung up"
        numbers = [each["seq"] for each in viewer.got if "seq" in each]
        assert numbers[1:] == sorted(set(numbers))
        answer = (await browser.get(f"/api/calls/{row['id']}")).json
        assert answer["record"]["barge_ins"] == record.barge_ins == 1
        last = {each["turn"]["index"]: each["turn"] for each in viewer.of("turn")}
        assert [last[turn["index"]]["heard_ms"] for turn in record.turns] == [
            turn["heard_ms"] for turn in record.turns
        ]


async def test_words_are_seen_after_they_were_revealed_and_for_a_minute(autojump_clock, caplog):
    caplog.set_level("INFO", logger="llcphone")
    async with staged() as (console, browser, stage), viewing(console, browser) as viewer:
        call = await stage.ring()
        row = await viewer.row(state="talking")
        viewer.send("watch", call=row["id"], words=True)
        await call.hears_out(0.3, 500)
        assert viewer.of("note") != []
        assert viewer.of("heard") == []
        path = f"/api/calls/{row['id']}"
        assert (await browser.ask("POST", f"{path}/reveal", {"what": "words"})).json == {"until_s": 60}
        assert [entry for entry in caplog.records if getattr(entry, "event", "") == "console: revealed"]
        assert (await viewer.until("heard"))["text"] == "Hello."
        assert (await browser.get(path)).json["call"]["from"] == "…01"
        await browser.ask("POST", f"{path}/reveal", {"what": "numbers"})
        assert (await browser.get(path)).json["call"]["from"] == CALLER
        await trio.sleep(60)
        assert (await browser.get(path)).json["call"]["from"] == "…01"
        seen = len(viewer.of("heard"))
        await call.speak(QUESTION)
        await call.hears_out(1.0, 500)
        assert len(viewer.of("heard")) == seen
        call.hang_up()


async def test_what_is_never_shown_cannot_be_revealed(autojump_clock):
    async with staged(words="never") as (console, browser, stage), viewing(console, browser) as viewer:
        call = await stage.ring()
        row = await viewer.row(state="talking")
        answer = await browser.ask("POST", f"/api/calls/{row['id']}/reveal", {"what": "words"})
        assert (answer.status, answer.json["code"]) == (403, "never_shown")
        answer = await browser.ask("POST", "/api/calls/nobody/reveal", {"what": "numbers"})
        assert (answer.status, answer.json["code"]) == (404, "no_such_call")
        call.hang_up()


async def test_a_console_acts_as_the_api_does(autojump_clock, caplog):
    caplog.set_level("INFO", logger="llcphone")
    async with staged() as (console, browser, stage), viewing(console, browser) as viewer:
        call = await stage.ring()
        row = await viewer.row(state="talking")
        await call.hears_out(0.3, 300)
        path = f"/api/calls/{row['id']}"
        answer = await browser.ask("POST", f"{path}/tell", {"text": "Be kind."}, {"Idempotency-Key": "k1"})
        assert (answer.status, answer.json["from"]) == (202, "…01")
        again = await browser.ask("POST", f"{path}/tell", {"text": "Be kind."}, {"Idempotency-Key": "k1"})
        assert again.body == answer.body
        assert (await browser.ask("POST", f"{path}/say", {"text": ""})).status == 422
        assert (await browser.ask("POST", f"{path}/hangup")).status == 202
        record = await stage.record()
        assert [line["text"] for line in record.transcript if line["speaker"] == "operator"] == ["Be kind."]
        acts = [entry.act for entry in caplog.records if getattr(entry, "event", "") == "call acted upon"]
        assert acts == ["tell", "hangup"]


async def test_who_may_only_look_cannot_act_or_reveal(autojump_clock):
    async with staged(READ_KEY) as (console, browser, stage), viewing(console, browser) as viewer:
        call = await stage.ring()
        row = await viewer.row(state="talking")
        path = f"/api/calls/{row['id']}"
        acts = {
            (method, rule.rule.replace("<call_id>", row["id"]))
            for rule in make_console_app(console).url_map.iter_rules()
            for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
            if rule.rule not in LOOKING
        }
        assert {("POST", f"{path}/{act}") for act in ("say", "tell", "transfer", "reveal")} < acts
        for method, route in acts:
            answer = await browser.ask(method, route, {})
            assert (answer.status, answer.json["code"]) == (403, "read_only"), route
        assert (await browser.get(path)).status == 200
        call.hang_up()
        await stage.record()


async def test_a_person_sees_what_waits_and_approves_it(autojump_clock):
    agent = Agent("Be brief.")

    @agent.tool(lean=True, irreversible=True, approve="operator", approve_timeout_s=60)
    async def pay(euros: int) -> str:
        "Pay."
        return "paid"

    script = ["Hello.", [CallTool("pay", {"euros": 5})], "It is paid."]
    for words, text in (("ask", "pay"), ("show", 'pay {"euros":5}')):
        async with (
            staged(script=script, agent=agent, words=words) as (console, browser, stage),
            viewing(console, browser) as viewer,
        ):
            call = await stage.ring()
            await call.hears_out(0.3, 300)
            await call.speak(QUESTION)
            row = await viewer.row(tools=["pay"])
            (waiting,) = row["approvals"]
            assert waiting["text"] == text
            verdict = {"approval": waiting["id"], "allow": True}
            answer = await browser.ask("POST", f"/api/calls/{row['id']}/approve", verdict)
            assert answer.status == 202
            await viewer.row(approvals=[], tools=[])
            call.hang_up()
            await stage.record()


async def test_before_a_call_is_placed_the_guard_is_asked(autojump_clock):
    async with staged(stage={"callee": Callee(ring_s=20)}) as (_, browser, stage):
        for body, status, allowed in (
            ({"to": "+15551239999"}, 200, True),
            ({"to": "+19005550123"}, 200, False),
            ({"to": "+15551239999", "agent": "nobody"}, 422, None),
            ({"to": "1"}, 422, None),
        ):
            answer = await browser.ask("POST", "/api/calls/check", body)
            assert (answer.status, answer.json.get("allowed")) == (status, allowed), body
            assert bool(answer.json.get("fix")) is (allowed is not True)
        assert stage.twilio.calls == []
        answer = await browser.ask("POST", "/api/calls", {"to": "+15551239999"})
        assert answer.status == 202
        assert answer.json["to"] == "…99"
        call_id = answer.json["id"]
        await stage.twilio.outbound(1)
        assert (await browser.ask("POST", f"/api/calls/{call_id}/hangup")).status == 202
        await stage.record()
    async with staged() as (_, browser, _):
        answer = await browser.ask("POST", "/api/calls/check", {"to": "+15551239999"})
        assert not answer.json["allowed"]
        assert "twilio.account_sid" in answer.json["why"]


async def test_odd_messages_and_unknown_calls_do_no_harm(autojump_clock):
    async with staged() as (console, browser, stage), viewing(console, browser) as viewer:
        for odd in (
            b"",
            b"{",
            b"[]",
            b'{"event":"watch"}',
            b'{"event":"dance","call":"a"}',
            b"[" * 9_999,
        ):
            viewer.leg.send_nowait(odd)
        viewer.send("watch", call="nobody", words=True)
        viewer.send("unwatch", call="nobody")
        call = await stage.ring()
        row = await viewer.row(state="talking")
        viewer.send("watch", call=row["id"])
        await viewer.until("note")
        await call.silence_for(500)
        viewer.send("unwatch", call=row["id"])
        await trio.sleep(1)
        seen = len(viewer.of("note"))
        await call.speak(QUESTION)
        await call.hears(0.2)
        assert len(viewer.of("note")) == seen
        call.hang_up()


async def test_one_page_watches_so_many_calls_and_no_more(autojump_clock):
    async with staged() as (console, browser, stage), viewing(console, browser) as viewer:
        calls = [await stage.ring() for _ in range(MOST_WATCHED + 1)]
        while len(viewer.rows) <= MOST_WATCHED:
            await viewer.news.park()
        for call_id in viewer.rows:
            viewer.send("watch", call=call_id)
        await trio.sleep(0.5)
        (seen,) = console.live._viewers
        assert list(seen.watches) == list(viewer.rows)[1:]
        for call in calls:
            call.hang_up()


async def test_nobody_looking_costs_nothing_and_nothing_is_left(autojump_clock, monkeypatch):
    read = []
    monkeypatch.setattr(
        table_module, "row_of", lambda *_, **__: read.append(1) or pytest.fail("nobody looks")
    )
    async with staged() as (console, browser, stage):
        observers, on_end = len(stage.phone.observers), len(stage.phone.on_end)
        call = await stage.ring()
        await call.hears_out(0.3, 5_000)
        assert read == []
        monkeypatch.undo()
        async with nothing_left():
            for _ in range(3):
                async with viewing(console, browser) as viewer:
                    row = await viewer.row(state="talking")
                    viewer.send("watch", call=row["id"])
                    await viewer.until("turn")
                    assert len(stage.phone.observers) == observers + 1
                await trio.sleep(1)
        assert (len(stage.phone.observers), len(stage.phone.on_end)) == (observers, on_end)
        assert console.live._viewers == []
        call.hang_up()
    assert len(stage.phone.on_end) == on_end - 1, "the console's own index is gone"


async def test_a_call_that_cannot_be_read_hides_no_other(autojump_clock, monkeypatch):
    real = table_module.row_of

    def broken(call, config, now_ms, **before):
        if call.call_id == broken.call_id:
            raise RuntimeError("an engine that broke")
        return real(call, config, now_ms, **before)

    async with staged() as (console, browser, stage), viewing(console, browser) as viewer:
        first = await stage.ring()
        broken.call_id = (await viewer.row(state="talking"))["id"]
        monkeypatch.setattr(table_module, "row_of", broken)
        second = await stage.ring()
        while list(viewer.rows) in ([], [broken.call_id]) or broken.call_id in viewer.rows:
            await viewer.news.park()
        assert len(viewer.rows) == 1
        first.hang_up()
        second.hang_up()


async def test_a_viewer_that_does_not_read_is_dropped_and_disturbs_nobody(autojump_clock):
    async with staged() as (console, browser, stage), viewing(console, browser) as viewer:
        ticket = await browser.ticket("live")
        status, stream = await browser.upgrade(f"/live/{ticket}")
        assert status == 101
        while len(console.live._viewers) < 2:  # noqa: ASYNC110 (no event tells the test)
            await trio.sleep(0.1)
        (slow,) = [each for each in console.live._viewers if each.leg is not console.live._viewers[0].leg]
        slow.leg.send_many_nowait([b"x" * 60_000] * 200)
        while len(console.live._viewers) > 1:  # noqa: ASYNC110
            await trio.sleep(0.1)
        call = await stage.ring()
        await viewer.row(state="talking")
        call.hang_up()
        stream.socket.close()
