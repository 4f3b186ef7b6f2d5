"""What the telephone in the page does to sound, at the rates that devices have. No device, and no time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llcphone.sim import ulaw, voices
from tests.browser.sound import in_page, level, likeness, pieces_of, sent_of, shift_of
from tests.browser.visit import visiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.browser.program import Program

SAID = voices.load("book_table")
SAMPLES = list(ulaw.decode(SAID))
SECONDS = len(SAID) / 8000
RATES = (48000, 44100, 16000)
"""Of devices: most, Apple's and many headphones, and headphones by Bluetooth while one speaks."""
rates = pytest.mark.parametrize("rate", RATES)


@pytest.fixture(scope="module")
def page(browser: Browser, program: Program) -> Iterator[Page]:
    """Of the console, signed out. Each test makes its own telephone in it, so one page serves all."""
    with visiting(browser, program) as visit:
        visit.page.goto(program.origin)
        yield visit.page


@rates
def test_what_is_said_is_what_is_sent(page: Page, rate: int) -> None:
    sent = sent_of(page, rate=rate, seconds=SECONDS + 0.1, samples=SAMPLES)
    shift = shift_of(sent, SAMPLES)
    assert shift / 8 <= 2.5, "ms in the filter"
    sent = sent[shift : shift + len(SAMPLES)]
    assert likeness(sent, SAMPLES[: len(sent)]) > 0.98
    assert abs(level(sent) - level(SAMPLES)) < 0.5


@rates
def test_tones_of_a_voice_keep_their_level_and_those_above_are_not_folded_in(page: Page, rate: int) -> None:
    tones = (300, 1000, 3300, 6000)
    levels = {tone: level(sent_of(page, rate=rate, seconds=0.2, tone=tone)[400:]) for tone in tones}
    spoken = -6.02 - 3.01
    assert levels.pop(6000) < spoken - 50
    assert all(abs(each - spoken) < 0.5 for each in levels.values()), levels


@pytest.mark.parametrize(("rate", "size"), [(48000, 160), (44100, 400), (16000, 4000)])
def test_what_is_sent_is_heard_without_a_gap(page: Page, rate: int, size: int) -> None:
    pieces = [*pieces_of(SAID, size), {"mark": "end"}]
    heard = in_page(page, "play", rate=rate, seconds=SECONDS + 0.2, pieces=pieces)
    shift = shift_of(heard["samples"], SAMPLES)
    samples = heard["samples"][shift : shift + len(SAMPLES)]
    assert likeness(samples, SAMPLES) > 0.98
    assert abs(level(samples) - level(SAMPLES)) < 0.5
    for at in range(0, len(SAMPLES) - 400, 400):  # each 50 ms stands where it should
        piece = SAMPLES[at : at + 400]
        if level(piece) > -45:
            assert likeness(samples[at : at + 400], piece) > 0.95, at
    assert heard["marks"] == ["end"]


@rates
def test_a_clear_is_silence_at_once_and_each_mark_comes_back_once(page: Page, rate: int) -> None:
    half = len(SAID) // 2
    pieces = [*pieces_of(SAID[:4000], 160), {"mark": "a"}, *pieces_of(SAID[4000:half], 160)]
    pieces += [{"mark": "b"}, *pieces_of(SAID[half:], 160), {"mark": "c"}]
    heard = in_page(page, "play", rate=rate, seconds=SECONDS, pieces=pieces, clear=1.28)
    assert heard["before"] == 1, "the first was heard"
    assert heard["marks"] == ["a", "b", "c"]
    assert heard["quiet_ms"] <= 20
