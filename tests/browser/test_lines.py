"""The telephone's lines: keys, and a transfer whose colleague the person plays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.program import Program, phone_program
from tests.browser.test_phone import hears, until
from tests.browser.visit import WAIT_MS, Visit, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page


@pytest.fixture(scope="module")
def ivr() -> Iterator[Program]:
    """A server whose menu puts callers through at a key."""
    with phone_program("--mode", "ivr") as program:
        yield program


@pytest.fixture
def visitor(browser: Browser, ivr: Program) -> Iterator[Visit]:
    with visiting(browser, ivr) as visit:
        yield visit


expect.set_options(timeout=WAIT_MS)


def line(page: Page, number: int = 1) -> Locator:
    return page.get_by_role("region", name=f"Line {number}")


def press(where: Locator, name: str) -> None:
    where.get_by_role("button", name=name, exact=True).click()


def call(visit: Visit) -> Page:
    """A call whose greeting is over."""
    page = visit.enter("#/phone")
    page.get_by_role("radio", name="Ready lines").check()
    press(line(page), "Call")
    expect(line(page).get_by_role("status")).to_have_text("Connected")
    hears(page)
    until(page, "stats", lambda stats: stats["queued_ms"] == 0)
    return page


def test_a_key_transfers_the_call_and_the_person_plays_the_colleague(visitor: Visit) -> None:
    page = call(visitor)
    page.keyboard.press("1")
    question = line(page).get_by_role("group", name=re.compile("sales is being rung"))
    press(question, "They answer")
    press(line(page), "They hang up")
    expect(line(page).get_by_role("status")).to_contain_text("Call ended")


@pytest.mark.parametrize("fault", ["Lose the stream", "Lose the model"])
def test_a_call_survives_what_is_lost_on_the_way(visitor: Visit, fault: str) -> None:
    page = call(visitor)
    page.get_by_text("Line and faults").click()
    page.get_by_role("button", name=fault).click()
    if fault == "Lose the stream":
        hears(page)  # the agent says that it is back
        until(page, "stats", lambda stats: stats["queued_ms"] == 0)
    page.keyboard.press("1")
    line(page).get_by_role("group", name=re.compile("sales is being rung")).wait_for()
    press(line(page), "End call")
    expect(line(page).get_by_role("status")).to_contain_text("you hung up")
