"""The microphone: a recording that Chromium takes for one, and none at all."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from llcphone.sim import ulaw, voices
from tests.browser.sound import level, likeness, shift_of
from tests.browser.start import start_chromium
from tests.browser.test_phone import call, hang_up, hears
from tests.browser.traffic import Traffic
from tests.browser.visit import visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

    from tests.browser.program import Program

SAID = list(ulaw.decode(voices.load("hello_opening_hours")))[-16_000:]
"""Of what is said into it again and again."""
FRAME, PIECE = 160, 4_000
MOST = 20 * 8000


def test_what_is_said_into_the_microphone_is_sent_and_answered(chromium: Browser, program: Program) -> None:
    with visiting(chromium, program, permissions=["microphone"]) as visit:
        traffic = Traffic.of(visit.page)
        page = visit.enter("#/phone")
        page.get_by_text("Ready to call").wait_for()
        page.get_by_text("Devices and echo").click()
        page.get_by_role("checkbox", name="Echo cancellation").uncheck()
        call(page, "Microphone")
        page.get_by_text(
            "Hello! Could you tell me your opening hours please?"
        ).first.wait_for()  # it was answered
        while (like := said_in(traffic)) < 0.9:
            assert len(traffic.audio(up=True)) < MOST, like
            page.wait_for_timeout(500)
        hang_up(page)


def said_in(traffic: Traffic) -> float:
    """How much like it is what was sent of it, where that is most.

    Half a second at a time, the middle one of four: a frame that Chromium's microphone left out moves all
    that follows.
    """
    sent = list(ulaw.decode(traffic.audio(up=True)))
    begins = roughly(sent, SAID)
    like = []
    for at in range(0, len(SAID), PIECE):
        piece = SAID[at : at + PIECE]
        like.append(likeness(piece, sent[shift_of(sent, piece, near=begins + at) :][:PIECE]))
    return statistics.median(like)


def roughly(sent: list[int], said: list[int]) -> int:
    """Where what was said stands, by how loud the frames are."""
    long, short = (
        [max(0.0, level(each[at : at + FRAME]) + 60) for at in range(0, len(each) - FRAME, FRAME)]
        for each in (sent, said)
    )
    places = range(max(1, len(long) - len(short)))
    return FRAME * max(places, key=lambda at: likeness(short, long[at : at + len(short)]))


def test_without_a_microphone_the_page_says_so_and_the_call_goes_on(
    playwright: Playwright, program: Program
) -> None:
    browser = start_chromium(playwright, microphone=False)
    with visiting(browser, program, permissions=["microphone"]) as visit:
        page = visit.enter("#/phone")
        page.get_by_text("Ready to call").wait_for()
        call(page, "Microphone")
        page.get_by_text("No microphone was found.").wait_for()
        assert page.get_by_role("radio", name="Ready lines").is_checked()
        hears(page)
        hang_up(page)
    browser.close()
