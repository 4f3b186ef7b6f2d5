"""The browser telephone of a server that takes real calls."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from llcphone import Agent, EndReason
from llcphone.config.console import ConsoleConfig
from llcphone.console.open import open_console
from llcphone.process.console import serve_line
from llcphone.sim import voices
from llcphone.sim.model import Say
from llcphone.testing import rehearse
from tests.calls.stage import nothing_left
from tests.console.browser import KEY, Browser
from tests.console.page import open_page
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trio.testing import MockClock

    from llcphone.testing import Rehearsal
    from tests.console.page import Page

LONG = Say(voices.TEXTS["long_answer"], voices.load("long_answer"))


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[tuple[Rehearsal, int, Browser]]:
    """A server as in production, with its console."""
    settings = {
        "server": {"public_url": "https://phone.example.com"},
        "twilio": {"account_sid": "AC" + "7" * 32, "phone_number": "+15551239999"},
        "journal": {"url": url_of(folder)},
    }
    async with rehearse(Agent("Be brief."), script=lambda *_: LONG, settings=settings) as stage:
        sockets = {"line": partial(serve_line, stage.phone)}
        async with open_console(stage.phone, ConsoleConfig(key=KEY), sockets=sockets) as console:
            browser = Browser(console.port)
            await browser.enter(console)
            yield stage, console.port, browser


def hangs_up(page: Page) -> None:
    page.send("hangup")


def closes(page: Page) -> None:
    page.leg.abort()


def vanishes(page: Page) -> None:
    page.stalled = True  # and answers no ping


@pytest.mark.parametrize("leaves", [hangs_up, closes, vanishes])
async def test_a_page_calls_its_server_and_however_it_leaves_the_caller_has_hung_up(
    leaves, autojump_clock: MockClock, tmp_path: Path, no_threads: None
) -> None:
    async with staged(tmp_path) as (stage, port, browser), nothing_left():
        async with open_page(port, await browser.ticket("line")) as page:
            ready = await page.until("ready")
            assert (ready["model"], ready["number"]) == (stage.config.realtime.model, "+15551239999")
            page.send("call")
            shown = await page.until("id")
            await page.hears(1.0)
            leaves(page)
            with trio.fail_after(120):
                record = await stage.record()
        assert record.call_id == shown["call"]
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert stage.twilio.calls == []
        await trio.sleep(120)
        assert stage.phone.live_calls == 0
        assert len(stage.records) == 1
