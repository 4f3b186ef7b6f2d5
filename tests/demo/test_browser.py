"""What is behind ``llcphone phone``: whole calls from the line socket, by the port's own door."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, ConfigError
from llcphone.config import Config
from llcphone.config.console import ConsoleConfig
from llcphone.console.listening import bind_console
from llcphone.demo import mode_story
from llcphone.demo.browser import OF_DEPLOYMENT, behind, open_browser_phone, open_line_to
from llcphone.engine.resumed import Speaker
from llcphone.sim import voices
from llcphone.testing import AUTH_TOKEN, rehearse
from llcphone.wire import websocket
from tests.calls.stage import nothing_left
from tests.console.browser import Browser
from tests.console.page import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llcphone.console.console import Console

pytestmark = pytest.mark.usefixtures("no_threads")


@pytest.fixture(autouse=True)
def nothing_speaks_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call in virtual time does not wait for a program that speaks."""
    mode_story.speak.cache_clear()
    monkeypatch.setattr("shutil.which", lambda name: None)


@asynccontextmanager
async def held(console: Console) -> AsyncIterator[tuple[Page, Browser]]:
    """A page of this console that holds a line."""
    browser = Browser(console.port)
    code = console.link().partition("#in=")[2]
    browser.token = (await browser.ask("POST", "/api/in", {"code": code})).json["token"]
    url = f"ws://{browser.host}/line/{await browser.ticket('line')}"
    leg = await websocket.connect(url, headers=[("Origin", f"http://{browser.host}")], timeout_s=5)
    page = Page(leg)
    async with trio.open_nursery() as nursery:
        leg.attach(nursery.start_soon, lambda end: None)
        nursery.start_soon(page.read)
        nursery.start_soon(page.play)
        await page.until("ready")
        try:
            yield page, browser
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await leg.aclose()


@asynccontextmanager
async def phone(
    agent: Path | None = None,
    mode: str = "",
    *,
    script: Path | None = None,
    record: bool = False,
    **settings: dict[str, Any],
) -> AsyncIterator[tuple[Page, Browser, Console]]:
    chosen = behind(Config.from_dict(settings), agent, mode, real=False, script=script)
    chosen.record = record
    async with (
        open_browser_phone(chosen, await bind_console(ConsoleConfig())) as console,
        held(console) as (page, browser),
    ):
        yield page, browser, console


async def test_the_restaurants_story_is_told_by_cue_cards(autojump_clock) -> None:
    async with nothing_left(10), phone() as (page, browser, console):
        ready = await page.until("ready")
        assert ready["model"] == "simulated"
        cues = [each["wav"] for each in ready["cues"]]
        assert cues == ["hello_opening_hours", "interrupt_wait", "book_table", "goodbye"]
        page.send("call")
        await page.hears(1.0)
        for cue in cues:
            await page.hears(1.0)
            if cue != "interrupt_wait":
                await page.quiet(0.6)
            page.send("line", name=cue)
            await trio.sleep(len(voices.load(cue)) / 8000)
        await page.until("state", state="over")
        assert console.phone is not None
        assert console.phone.store is not None
        while not (kept := await console.phone.store.calls()):  # noqa: ASYNC110
            await trio.sleep(0.1)
        assert [each.reason for each in kept] == ["agent hung up"]
        assert (await browser.get("/api/state")).json["agents"] == ["casa-verde"]


async def test_who_lets_the_agent_say_something_does_not_disturb_its_script(autojump_clock) -> None:
    async with phone() as (page, _, console):
        page.send("call")
        await page.hears(1.0)
        await page.quiet(0.6)
        assert console.phone is not None
        (call,) = console.phone.calls()
        call.say("We close at six.")
        await page.hears(0.5)
        await page.quiet(0.6)
        page.send("line", name="hello_opening_hours")
        await trio.sleep(len(voices.load("hello_opening_hours")) / 8000)
        await page.hears(0.5)
        said = [line.text for line in call.run.lines() if line.speaker is Speaker.AGENT]
        assert said[0] == voices.TEXTS["greeting"]
        assert said[1] == "We close at six."
        assert voices.TEXTS["long_answer"].startswith(said[2])
        page.send("hangup")
        await page.until("state", state="over")


SCRIPT = """
hears = ["when are you open"]

[[turns]]
say = "Good morning."

[[turns]]
call = "opening_hours"

[[turns]]
say = "From eight to eleven."
"""


async def test_a_script_of_ones_own_calls_the_tools_of_ones_own_agent(tmp_path: Path, autojump_clock) -> None:
    (tmp_path / "agent.py").write_text(AGENT + TOOL)
    (tmp_path / "script.toml").write_text(SCRIPT)
    async with phone(tmp_path / "agent.py", script=tmp_path / "script.toml") as (page, _, console):
        assert (await page.until("ready"))["cues"] == [{"text": "when are you open", "wav": ""}]
        page.send("call")
        await page.hears(0.5)
        await page.quiet(0.6)
        page.send("line", name="hello")
        await page.hears(0.5)
        assert console.phone is not None
        (call,) = console.phone.calls()
        assert [tool["name"] for tool in call.run.record_so_far().tools] == ["opening_hours"]
        page.send("hangup")
        await page.until("state", state="over")


@pytest.mark.parametrize("mode", ["ivr", "receptionist", "csr"])
async def test_a_mode_answers_and_does_what_its_story_wants(mode: str, autojump_clock) -> None:
    async with phone(mode=mode) as (page, _browser, _):
        page.send("call")
        for cue in (await page.until("ready"))["cues"]:
            await page.hears(0.5)
            await page.quiet(0.9)
            page.send("line", name=cue["wav"])
            await trio.sleep(len(voices.load(cue["wav"])) / 8000)
            if page.carrier("dial"):
                break
        if mode == "csr":
            await page.until("state", state="over")
        else:
            dial = await page.until("dial")
            assert dial["choices"] == ["answered", "busy", "no-answer"]
            assert dial["name"] in ("sales", "support")
            page.send("hangup")
            await page.until("state", state="over")


AGENT = """
from llcphone import Agent

agent = Agent("Be brief.", name="bakery")
"""
TOOL = """

@agent.tool
async def opening_hours() -> str:
    return "eight to eleven"
"""


async def test_ones_own_agent_answers_by_small_talk(tmp_path: Path, autojump_clock) -> None:
    (tmp_path / "agent.py").write_text(AGENT)
    async with phone(tmp_path / "agent.py") as (page, browser, console):
        assert (await browser.get("/api/state")).json["agents"] == ["bakery"]
        page.send("call")
        await page.hears(1.0)
        await page.quiet(0.6)
        page.send("line", name="hello")
        await page.hears(1.0)
        assert console.phone is not None
        page.send("hangup")
        await page.until("state", state="over")


async def test_a_call_that_the_agent_places_rings_the_page(autojump_clock) -> None:
    async with phone() as (page, _, console):
        assert console.phone is not None
        call = console.phone.place_call("+15551230009")
        ring = await page.until("ring")
        assert ring["to"] == "+15551230009"
        page.send("accept")
        await page.until("state", state="connected")
        page.send("line", name="hello")
        await page.hears(1.0)
        page.send("hangup")
        assert (await call).reason.value == "caller hung up"


async def test_nothing_of_the_deployment_comes_in(autojump_clock) -> None:
    settings: dict[str, Any] = {
        "api": {"key": "key-of-the-server-0123456789"},
        "webhook": {"url": "https://example.com/hook", "bearer_token": "hook-0123456789"},
        "store": {"url": "sqlite:////no/such/folder/phone.db"},
        "outbound": {"do_not_call_file": "/no/such/file", "caller_ids": ["+12025550123"]},
        "metrics": {"port": 1},
        "money": {"day_budget_usd": 5.0, "state_file": "/no/such/folder/state"},
        "company": {"name": "Bakery"},
    }
    async with phone(**settings) as (page, _, console):
        assert console.phone is not None
        config = console.phone.config
        assert config.company.name == "Bakery"
        assert config.money.day_budget_usd == 5.0
        assert (config.money.state_file, config.api.key, config.webhook.url) == ("", "", "")
        assert config.metrics.port == 0
        assert config.server.public_url.startswith("http://127.0.0.1:")
        page.send("call")
        await page.hears(0.5)
        page.send("hangup")
    assert "realtime" not in OF_DEPLOYMENT


async def test_a_page_rings_a_server_elsewhere(autojump_clock) -> None:
    async with rehearse(Agent("Be brief."), script=["Good morning."]) as stage:
        server = {"url": f"{stage.url}/twiml", "auth_token": AUTH_TOKEN}
        async with (
            open_line_to(server, await bind_console(ConsoleConfig())) as console,
            held(console) as (page, browser),
        ):
            state = (await browser.get("/api/state")).json
            assert (state["agents"], state["health"]) == ([], {})
            page.send("call")
            await page.hears(0.5)
            page.send("hangup")
            assert (await stage.record()).reason.value == "caller hung up"


def test_a_mode_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigError, match="--mode"):
        behind(Config(), None, "psychic", real=False)


async def test_a_call_can_be_recorded_and_is_said_to_be(autojump_clock) -> None:
    async with phone(record=True) as (page, browser, console):
        page.send("call")
        assert (await page.until("say"))["text"] == "This call is recorded."
        shown = await page.until("id")
        await page.hears(1.0)
        page.send("hangup")
        await page.until("state", state="over")
        assert console.phone is not None
        folder = console.phone.config.records.audio_dir
        while (answer := await browser.get(f"/api/calls/{shown['call']}/audio")).status == 404:  # noqa: ASYNC110
            await trio.sleep(0.1)
        assert answer.status == 200
        assert answer.body.startswith(b"RIFF")
        assert os.path.exists(folder)  # noqa: ASYNC240
    assert not os.path.exists(folder)  # noqa: ASYNC240
