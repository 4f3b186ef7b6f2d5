"""The page as telephone of a server elsewhere, which is killed in the middle of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from llcphone.testing import AUTH_TOKEN
from tests.browser.program import phone_program, running
from tests.browser.test_phone import call, hang_up, hears, until
from tests.browser.traffic import Traffic
from tests.browser.visit import visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def test_the_call_goes_on_after_a_kill_nine(browser: Browser) -> None:
    with (
        running("tests.browser.elsewhere") as server,
        phone_program("--to", f"{server.origin}/twiml", "--auth-token", AUTH_TOKEN) as program,
        visiting(browser, program) as visit,
    ):
        traffic = Traffic.of(visit.page)
        page = visit.enter("#/phone")
        call(page)
        hears(page)
        until(page, "stats", lambda stats: stats and stats["queued_ms"] == 0)
        page.get_by_role("button", name="Yes, please.").click()
        hears(page)
        server.link("kill")
        streams(page, traffic, ["started", "ended", "started"])
        hears(page)  # the agent says that it is back
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        hang_up(page)


def streams(page: Page, traffic: Traffic, wanted: list[str]) -> None:
    """Wait until this became of the call's media streams."""
    while [
        said["state"] for said in traffic.of_kind("carrier", up=False) if said["what"] == "stream"
    ] != wanted:
        page.wait_for_timeout(50)
