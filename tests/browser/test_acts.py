"""A live call is watched and acted upon, as an operator does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.visit import Visit

NOTE = "The kitchen is closed today."


def act(page: Page, button: str, words: str = "") -> None:
    """Open a dialog, fill it, and send it."""
    page.get_by_role("group", name="What you can do").get_by_role("button", name=button).click()
    dialog = page.locator("dialog[open]")
    if words:
        dialog.get_by_role("textbox").fill(words)
    dialog.locator("button.main").click()
    dialog.wait_for(state="detached")


def test_a_live_call_is_watched_told_something_and_ended(visit: Visit) -> None:
    page = visit.enter("#/phone")
    page.get_by_role("radio", name="Ready lines").check()
    page.get_by_role("button", name="Call", exact=True).click()
    page.get_by_role("button", name="End call").wait_for()
    visit.go("#/live")
    page.locator("tbody th a").first.click()
    page.get_by_role("heading", name="Call from").wait_for()
    page.locator(".words li", has_text="Hello, this is Casa Verde").wait_for()
    page.locator(".picture-lanes .voice.agent rect").first.wait_for()
    act(page, "Tell the agent", NOTE)
    page.locator(".words li", has_text=NOTE).wait_for()
    act(page, "End call")
    page.get_by_text("agent hung up").first.wait_for()
    assert page.get_by_role("group", name="What you can do").count() == 0
    page.get_by_role("tab", name="Turns").click()
    assert page.locator("tbody tr").count() >= 1
