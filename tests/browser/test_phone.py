"""The telephone's page: with and without a microphone, by keyboard, and beside the other pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.visit import visiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.browser.program import Program
    from tests.browser.visit import Visit

ON_LINE = (
    "async (what) => { const { lines } = await import('/web/audio/lines.js'); return lines[0][what].value }"
)


@pytest.fixture
def page(visit: Visit) -> Iterator[Page]:
    page = visit.enter("#/phone")
    page.get_by_text("Ready to call").wait_for()
    yield page
    if page.evaluate(ON_LINE, "busy"):
        hang_up(page)


def call(page: Page, voice: str = "Ready lines") -> None:
    page.get_by_role("radio", name=voice).check()
    page.get_by_role("button", name="Call", exact=True).click()
    page.get_by_text("Connected", exact=True).wait_for()


def hang_up(page: Page) -> None:
    page.get_by_role("button", name="End call").click()
    page.get_by_text("Call ended: you hung up").wait_for()


def hears(page: Page) -> None:
    """Until the agent is heard."""
    until(page, "levels", lambda levels: levels["ear"] > 0.02)


def until(page: Page, what: str, fits: Callable[[Any], bool]) -> Any:
    """Wait for something of the line."""
    while not fits(found := page.evaluate(ON_LINE, what)):
        page.wait_for_timeout(50)
    return found


def test_a_refused_microphone_is_explained_and_the_call_goes_on(chromium: Browser, program: Program) -> None:
    with visiting(chromium, program, permissions=[]) as visit:
        page = visit.enter("#/phone")
        page.get_by_text("Ready to call").wait_for()
        call(page, "Microphone")
        page.get_by_text("The browser does not let this page use the microphone.").wait_for()
        assert page.get_by_role("radio", name="Ready lines").is_checked()
        hears(page)
        hang_up(page)


def test_a_sound_file_is_said_and_its_answer_is_timed_from_mouth_to_ear(page: Page, speech: Path) -> None:
    call(page, "Sound file")
    hears(page)
    page.locator("input[type=file]").set_input_files(speech)
    page.get_by_role("button", name="Say it", exact=True).click()
    (gap,) = until(page, "gaps", bool)
    assert 0 < gap["ms"] < 20_000


def test_what_was_said_and_how_long_one_waited_is_shown_as_it_happens(page: Page) -> None:
    call(page)
    page.get_by_text("Hello, this is Casa Verde.").first.wait_for()
    page.get_by_role("button", name="Say it for me").click()
    said = page.get_by_role("region", name="What was said")
    said.get_by_text("Hello! Could you tell me your opening hours please?").wait_for()
    said.get_by_text("scripted").wait_for()
    said.get_by_text("opening_hours").wait_for()
    waits = page.get_by_role("region", name="How long you waited")
    waits.get_by_text("Turn 3").wait_for()
    waits.locator("b", has_text="mouth to ear").wait_for()  # also of a line that the network said
    page.get_by_role("region", name="Say next").get_by_text("Wait, wait, sorry").wait_for()
    page.get_by_role("button", name="Say it for me").click()
    said.locator("s").first.wait_for()  # it was cut off


def test_the_loudspeaker_is_found_in_the_microphone(page: Page) -> None:
    leak, at = page.evaluate(
        """async () => {
            const { find, makeChirp } = await import("/web/audio/check.js");
            const chirp = makeChirp(48000);
            const heard = Float32Array.from({ length: 20000 }, (_, k) => 0.01 * Math.sin(k * k * 0.7));
            chirp.forEach((sample, k) => (heard[7000 + k] += sample / 20));
            return find(chirp, heard, 500);
        }"""
    )
    assert at == pytest.approx(7000, abs=1)
    assert leak == pytest.approx(1 / 20, rel=0.1)


def test_what_is_no_sound_is_said_to_be_none(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "note.wav"
    file.write_text("This is no sound.")
    call(page, "Sound file")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Say it", exact=True).click()
    page.get_by_text("This file holds no sound that the browser can read.").wait_for()


def test_a_call_goes_on_while_another_page_is_looked_at(visit: Visit, page: Page) -> None:
    call(page)
    visit.go("#/health")
    sent = until(page, "stats", bool)["sent"]
    until(page, "stats", lambda stats: stats["sent"] > sent + 50)
    page.get_by_role("link", name="In a call").click()
    page.get_by_role("button", name="End call").wait_for()


def test_a_page_that_is_loaded_anew_has_hung_up(page: Page) -> None:
    call(page)
    page.reload()
    page.get_by_text("Ready to call").wait_for()


def reach(page: Page, role: Any, name: str, key: str = "Tab") -> None:
    """Move the focus there, by keyboard alone."""
    wanted = page.get_by_role(role, name=name, exact=True)
    for _ in range(60):
        page.keyboard.press(key)
        if wanted.evaluate("each => each === document.activeElement"):
            return
    raise AssertionError(f"no key leads to {name}")


def test_a_whole_call_is_held_by_keyboard(page: Page) -> None:
    reach(page, "radio", "Microphone")
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio", name="Ready lines").is_checked()
    reach(page, "button", "Call", "Shift+Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Connected", exact=True).wait_for()
    reach(page, "button", "Say it for me")
    page.keyboard.press("Enter")
    page.get_by_role("region", name="What was said").get_by_text("scripted").wait_for()
    reach(page, "button", "Keypad", "Shift+Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("4")
    page.keyboard.press("#")
    page.get_by_text("4#", exact=True).wait_for()
    page.keyboard.press("m")
    page.get_by_role("button", name="Unmute").wait_for()
    page.keyboard.press("c")
    number = page.get_by_role("dialog", name="Place a call").get_by_label("Number", exact=True)
    number.wait_for()
    page.keyboard.type("+1555")
    assert number.input_value() == "+1555"
    page.keyboard.press("Escape")
    reach(page, "button", "End call", "Shift+Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Call ended: you hung up").wait_for()


def test_a_link_that_was_used_leads_to_a_page_that_says_what_to_do(visit: Visit) -> None:
    link = visit.program.link()
    visit.page.goto(link)
    visit.page.get_by_role("navigation").first.wait_for()
    assert "#in" not in visit.page.url
    visit.page.evaluate("localStorage.clear()")
    visit.page.goto("about:blank")
    visit.page.goto(link)
    visit.page.get_by_text("You are signed out").wait_for()
    visit.page.get_by_label("Link").fill(visit.program.link())
    visit.page.get_by_role("button", name="Sign in").click()
    visit.page.get_by_role("navigation").first.wait_for()
    visit.trouble = [each for each in visit.trouble if "403" not in each and "401" not in each]
