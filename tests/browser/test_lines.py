"""Both lines of the telephone: keys, a transfer, calls that the server places."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import TimeoutError as TooLate
from playwright.sync_api import expect

from tests.browser.program import Program, phone_program
from tests.browser.test_phone import hears, until
from tests.browser.visit import WAIT_MS, Visit, until_true, visiting

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
    until(page, "stats", lambda stats: stats and stats["queued_ms"] == 0)
    return page


def place(page: Page, to: str) -> str:
    """Have the server call somebody; its id of the call."""
    script = "async to => (await (await import('/web/api.js')).act('/api/calls', { to })).id"
    placed: str = page.evaluate(script, to)
    return placed


def ended(page: Page, id_: str) -> dict[str, Any]:
    """What became of a call."""
    script = """async id => {
        const { call, record } = await (await import("/web/api.js")).get(`/api/calls/${id}`);
        return call.state === "ended" && record;
    }"""
    record: dict[str, Any] = until_true(page, script, id_)
    return record


def asked_for_sales(page: Page) -> Locator:
    """Press the key for sales until the page asks who answers: a key pressed between two streams is lost."""
    question = line(page).get_by_role("group", name=re.compile("sales is being rung"))
    for _ in range(10):
        page.keyboard.press("1")
        with suppress(TooLate):
            question.wait_for(timeout=5_000)
            break
    expect(question).to_be_visible()
    return question


def test_a_key_transfers_the_call_and_the_person_plays_the_colleague(visitor: Visit) -> None:
    page = call(visitor)
    press(asked_for_sales(page), "They answer")
    press(line(page), "They hang up")
    expect(line(page).get_by_role("status")).to_contain_text("Call ended")


@pytest.mark.parametrize(("fault", "outcome"), [("Lose the stream", "Busy"), ("Lose the model", "No answer")])
def test_a_call_survives_what_is_lost_on_the_way_and_a_colleague_who_is_not_there(
    visitor: Visit, fault: str, outcome: str
) -> None:
    page = call(visitor)
    said = page.locator(".transcript .words.agent")
    said.first.wait_for()  # the greeting
    before = said.count()
    page.get_by_text("Line and faults").click()
    page.get_by_role("button", name=fault).click()
    if fault == "Lose the stream":
        hears(page)  # the agent says that it is back
        until(page, "stats", lambda stats: stats and stats["queued_ms"] == 0)
        expect(said).to_have_count(before + 1)  # it is shown, too
    press(asked_for_sales(page), outcome)
    hears(page)  # the agent says so
    expect(line(page).get_by_role("status")).to_have_text("Connected")
    press(line(page), "End call")
    expect(line(page).get_by_role("status")).to_contain_text("you hung up")


def test_a_call_that_the_server_places_rings_and_is_declined(visitor: Visit) -> None:
    page = visitor.enter("#/phone")
    expect(line(page).get_by_role("status")).to_have_text("Ready to call")
    placed = place(page, "+15550001234")
    press(page.get_by_role("alertdialog"), "Decline")
    assert ended(page, placed)["reason"] == "busy"


def test_while_the_first_line_talks_the_second_one_rings(visitor: Visit) -> None:
    page = call(visitor)
    placed = place(page, "+15550001235")
    press(line(page, 2), "Accept")
    expect(line(page, 2).get_by_role("status")).to_have_text("Connected")
    expect(line(page).get_by_role("status")).to_have_text("Connected")
    press(line(page, 2), "End call")
    assert ended(page, placed)["reason"] == "caller hung up"
    press(line(page), "End call")
    expect(line(page).get_by_role("status")).to_contain_text("you hung up")
