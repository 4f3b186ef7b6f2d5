"""One call as a page gets it: what may be seen, and what must be revealed first."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone.agent import Agent
from llcphone.console.access import REVEALED_S
from llcphone.sim.model import CallTool, Say
from llcphone.store import Message
from tests.calls.stage import INTERRUPTION, QUESTION
from tests.console.browser import READ_KEY, Browser, console_of
from tests.store.store_kit import written

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.testing import Rehearsal

CALLER = "+15551230001"
GREETING = "Good morning, this is the bakery. From Tuesday to Thursday we open at nine in the morning."
SCRIPT = [[Say(GREETING)], [Say("One moment."), CallTool("look_up")], [Say("We have a table.")]]


def agent() -> Agent:
    agent = Agent("Be brief.")

    @agent.tool
    async def look_up() -> str:
        await trio.sleep(0.3)
        return "a table"

    return agent


def bakery(tmp_path: Path | None = None) -> dict[str, Any]:
    store = {} if tmp_path is None else {"store": {"url": f"sqlite:///{tmp_path}/phone.db"}}
    return {"agent": agent(), "script": SCRIPT, **store}


async def interrupted_call(stage: Rehearsal) -> str:
    """A caller cuts the greeting, asks something, and a tool looks it up."""
    call = await stage.ring(from_=CALLER)
    await call.hears(2.0)
    await call.speak(INTERRUPTION)
    await call.hears(0.5)
    await trio.sleep(3)
    await call.speak(QUESTION)
    await call.hears(1.0)
    call.hang_up()
    return (await stage.record()).call_id


async def page_of(browser: Browser, call_id: str) -> dict[str, Any]:
    answer = await browser.get(f"/api/calls/{call_id}")
    assert answer.status == 200, answer
    return answer.json  # type: ignore[no-any-return]


async def test_words_and_numbers_are_shown_only_while_they_are_revealed(autojump_clock, caplog) -> None:
    async with console_of(rehearse=bakery()) as (console, browser, stage):
        await browser.enter(console)
        call_id = await interrupted_call(stage)
        hidden = await page_of(browser, call_id)
        assert hidden["shown"] == {"words": False, "numbers": False, "audio": False}
        assert {line["text"] + line["unheard"] for line in hidden["record"]["transcript"]} == {""}
        assert hidden["call"]["from"] != CALLER
        assert CALLER not in str(hidden)
        with caplog.at_level(logging.INFO, "llcphone.console"):
            for what in ("words", "numbers"):
                answer = await browser.ask("POST", f"/api/calls/{call_id}/reveal", {"what": what})
                assert answer.json == {"until_s": REVEALED_S}
        logged = [each for each in caplog.messages if each.startswith("console: revealed")]
        assert [each.rpartition("what=")[2] for each in logged] == ["words", "numbers"]
        shown = await page_of(browser, call_id)
        assert shown["call"]["from"] == CALLER
        greeting = shown["record"]["transcript"][0]
        assert greeting["text"]
        assert f"{greeting['text']} {greeting['unheard']}" == GREETING
        await trio.sleep(REVEALED_S + 1)
        assert (await page_of(browser, call_id))["shown"] == hidden["shown"]


async def test_the_record_has_what_the_picture_is_drawn_from(autojump_clock) -> None:
    async with console_of(rehearse=bakery(), words="show") as (console, browser, stage):
        await browser.enter(console)
        record = (await page_of(browser, await interrupted_call(stage)))["record"]
        times = [at_ms for at_ms, _ in record["floor"]]
        assert times == sorted(times)
        assert {who for _, who in record["floor"]} == {"caller", "model thinking", "agent", "nobody"}
        (tool,) = record["tools"]
        (asked,) = [turn for turn in record["turns"] if turn["tools"]]
        assert (tool["name"], tool["took_ms"]) == ("look_up", 300)
        assert asked["created_ms"] <= tool["at_ms"] < record["duration_s"] * 1000


async def test_a_live_call_has_its_record_so_far_and_its_lines(autojump_clock) -> None:
    async with console_of(rehearse=bakery(), words="show") as (console, browser, stage):
        await browser.enter(console)
        call = await stage.ring(from_=CALLER)
        await call.hears(2.0)
        (live,) = stage.phone.calls()
        page = await page_of(browser, live.call_id)
        assert (page["call"]["state"], page["record"]["reason"]) == ("talking", None)
        assert [who for _, who in page["record"]["floor"]] == ["model thinking", "agent"]
        (line,) = page["lines"]
        assert (line["speaker"], line["text"], line["cut"]) == ("agent", GREETING, False)
        assert GREETING.startswith(line["heard"])
        assert 0 < len(line["heard"]) < len(GREETING)
        call.hang_up()
        await stage.record()
        ended = await page_of(browser, live.call_id)
        assert (ended["call"]["state"], ended["lines"]) == ("ended", [])


async def test_what_the_agent_took_down_comes_from_the_store(tmp_path) -> None:
    async with console_of(rehearse=bakery(tmp_path), words="show") as (console, browser, stage):
        await browser.enter(console)
        call = await stage.ring(from_=CALLER)  # in real time: a database has threads
        call.hang_up()
        call_id = (await stage.record()).call_id
        store = stage.phone.store
        assert store is not None
        await store.take_message(Message(name="Ada", number=CALLER, reason="bread", call_id=call_id))
        await written(store)
        page = await page_of(browser, call_id)
        (shown,) = page["messages"]
        assert (shown["name"], shown["reason"], page["runs"]) == ("Ada", "bread", [call_id])
        assert CALLER not in str(page)


async def test_who_may_only_look_reveals_nothing(autojump_clock) -> None:
    async with console_of(rehearse=bakery()) as (console, browser, stage):
        await browser.enter(console, READ_KEY)
        call_id = await interrupted_call(stage)
        answer = await browser.ask("POST", f"/api/calls/{call_id}/reveal", {"what": "words"})
        assert (answer.status, answer.json["code"]) == (403, "read_only")
        assert not (await page_of(browser, call_id))["shown"]["words"]


async def test_what_is_never_shown_cannot_be_revealed(autojump_clock) -> None:
    async with console_of(rehearse=bakery(), words="never") as (console, browser, stage):
        await browser.enter(console)
        call_id = await interrupted_call(stage)
        answer = await browser.ask("POST", f"/api/calls/{call_id}/reveal", {"what": "words"})
        assert (answer.status, answer.json["code"]) == (403, "never_shown")


@pytest.mark.parametrize("path", ["nobody", "..", "%2e%2e", "%00", "x" * 300])
async def test_another_id_is_no_call(path: str, autojump_clock) -> None:
    async with console_of() as (console, browser, _):
        await browser.enter(console)
        assert (await browser.get(f"/api/calls/{path}")).status in (400, 404)
        assert (await browser.ask("POST", f"/api/calls/{path}/reveal", {"what": "words"})).status in (
            400,
            404,
        )
