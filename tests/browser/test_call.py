"""A whole call by the telephone in the page: the caller speaks by a sound file, and interrupts the agent."""

from __future__ import annotations

import base64
import time
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from llcphone.sim import ulaw, voices
from tests.browser.program import phone_program
from tests.browser.sound import compare, in_page, share_in_place
from tests.browser.visit import visiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

SAID = "hello_opening_hours"
LISTENING = Path(__file__).with_name("listening.js").read_text("utf-8")
NEWCOMER_S = 60.0
"""From the first command to the greeting."""
HEARD_MS = 500
"""So much may the record differ from what was played: the loudspeaker is late, and the machine busy."""


@attrs.frozen
class Held:
    """A call that is over."""

    greeted_s: float
    """After the command was given."""
    record: dict[str, Any]
    messages: list[dict[str, Any]]
    """Between the page and its worker."""
    played: list[int]
    """At 8 kHz, from the greeting on."""
    heard_s: float
    """So much of the interrupted answer was played."""
    received: list[int]
    """The caller's voice, as the server recorded it."""


def speech_file(folder: Path, name: str) -> Path:
    """A caller's recording as a person would have it."""
    path = folder / f"{name}.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(ulaw.decode(voices.load(name)))
    return path


def say_file(page: Page, path: Path) -> None:
    page.get_by_role("radio", name="Sound file").check()
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Say it", exact=True).click()


def record_of(page: Page) -> dict[str, Any]:
    """Of the call that has just ended, once it is kept."""
    page.wait_for_function(
        """async () => {
            const { get } = await import("/web/api.js");
            const { call, record } = await get(`/api/calls/${window.seen.line.call.value}`);
            return call.state === "ended" && (window.seen.record = record);
        }"""
    )
    record: dict[str, Any] = page.evaluate("window.seen.record")
    return record


def recording_of(page: Page) -> bytes:
    """Its WAV file."""
    return base64.b64decode(
        page.evaluate(
            """async () => {
                const { blob } = await import("/web/api.js");
                const file = await blob(`/api/calls/${window.seen.line.call.value}/audio`);
                const bytes = Array.from(new Uint8Array(await file.arrayBuffer()));
                return btoa(bytes.map((byte) => String.fromCharCode(byte)).join(""));
            }"""
        )
    )


@pytest.fixture(scope="module")
def held(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    folder = tmp_path_factory.mktemp("speech")
    with phone_program("--record") as program, visiting(browser, program, bypass_csp=True) as visit:
        page = visit.enter()
        page.evaluate(LISTENING)
        page.get_by_role("button", name="Call", exact=True).click()
        page.wait_for_function("window.seen.line.ear")
        page.evaluate("window.seen.listen()")
        page.wait_for_function("window.seen.line.levels.value.ear > 0.05")
        greeted_s = time.monotonic() - program.began_at
        page.wait_for_function("window.seen.heard(0) > 3.4")
        say_file(page, speech_file(folder, SAID))
        page.evaluate("window.seen.block(2000)")  # in the middle of it
        page.wait_for_function("window.seen.heard(1) > 2")
        say_file(page, speech_file(folder, "interrupt_wait"))
        page.wait_for_function("window.seen.messages.some(each => each.message?.event === 'clear')")
        page.get_by_role("button", name="Keypad").click()
        page.get_by_role("button", name="5", exact=True).click()
        page.get_by_role("button", name="End call").click()
        page.get_by_text("Call ended").wait_for()
        yield Held(
            greeted_s=greeted_s,
            record=record_of(page),
            messages=page.evaluate("window.seen.messages"),
            played=in_page(page, "played"),
            heard_s=page.evaluate("window.seen.heard(1)"),
            received=caller_of(recording_of(page)),
        )


def caller_of(file: bytes) -> list[int]:
    """The left channel of a recording."""
    assert file[:4] == b"RIFF"
    audio = file[file.index(b"data") + 8 :]
    return list(ulaw.decode(audio[::2]))


def test_the_greeting_is_heard_soon_after_the_first_command(held: Held) -> None:
    assert held.greeted_s < NEWCOMER_S


def test_the_record_is_that_of_a_telephone_call(held: Held) -> None:
    record = held.record
    assert record["reason"] == "caller hung up"
    streamed_s = record["duration_s"] - record["started_after_ms"] / 1000
    assert record["frames"] == pytest.approx(50 * streamed_s, rel=0.02)
    assert (record["dialect"], record["digits"], record["barge_ins"]) == ("flat", 1, 1)
    assert [line["text"] for line in record["transcript"]][:2] == [
        voices.TEXTS["greeting"],
        voices.TEXTS[SAID],
    ]


def test_what_is_said_arrives_whole_though_the_page_stands_still_meanwhile(held: Held) -> None:
    assert share_in_place(held.received, list(ulaw.decode(voices.load(SAID)))) > 0.75


def test_the_greeting_is_played_as_it_was_spoken(held: Held) -> None:
    like, louder_db = compare(held.played, list(ulaw.decode(voices.load("greeting"))))
    assert like > 0.98
    assert abs(louder_db) < 0.5


def test_an_interruption_empties_the_queue_and_gives_back_each_mark_once(held: Held) -> None:
    told = [each["message"]["mark"]["name"] for each in held.messages if _event(each) == "mark"]
    assert [name for each in held.messages for name in each.get("heard", [])] == told
    assert [_event(each) for each in held.messages].count("clear") == 1


def test_the_record_knows_how_much_of_the_interrupted_answer_was_heard(held: Held) -> None:
    cut = next(line for line in held.record["transcript"] if line["unheard"])
    assert cut["heard_ms"] == pytest.approx(1000 * held.heard_s, abs=HEARD_MS)
    assert voices.TEXTS["long_answer"].startswith(cut["text"] + " " + cut["unheard"])


def _event(said: dict[str, Any]) -> str:
    return str(said.get("message", {}).get("event", ""))
