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
from tests.browser.sound import compare, in_page, level
from tests.browser.steps import SPY
from tests.browser.traffic import FRAME, Traffic, audio_of, longest_loss
from tests.browser.visit import until_true, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

SAID = "hello_opening_hours"
LISTENING = Path(__file__).with_name("listening.js").read_text("utf-8")
SPOKEN = ulaw.decode(voices.load(SAID))
LONG = voices.load("long_answer")
GREETED_S = 15.0
"""From the first command to the greeting."""
LOUD_DB = -38
BLOCKED_MS = 2000
"""So long the page does nothing else, while somebody speaks."""


@attrs.frozen
class Held:
    """A call that is over."""

    greeted_s: float
    """After the command was given, without what its process waited for a processor."""
    record: dict[str, Any]
    traffic: Traffic
    played: list[int]
    """At 8 kHz, from the greeting on."""
    received: bytes
    """The caller's voice, as the server recorded it."""

    @property
    def heard(self) -> tuple[int, int, int]:
        """Bytes of the interrupted answer: heard for certain, by the record, and at the very most.

        Marks that came back before the interruption began have reached the server before it; and the first
        one that had not come back at the clear was not reached.
        """
        places: dict[str, int] = {}
        total, least, most, interrupted = 0, 0, 0, False
        begin = self.traffic.audio(up=False).index(LONG[:8000])
        for up, said in self.traffic.messages:
            match up, said["event"]:
                case False, "media":
                    total += len(audio_of(said))
                case False, "mark":
                    places[said["mark"]["name"]] = total
                case True, "mark" if not interrupted:
                    least = most = places.pop(said["mark"]["name"])
                case True, "mark":
                    most = places.pop(said["mark"]["name"])
                case True, "media" if total > begin and level(ulaw.decode(audio_of(said))) > LOUD_DB:
                    interrupted = True
                case False, "clear":
                    most = min(places.values(), default=total)
                    break
        cut = next(line for line in self.record["transcript"] if line["unheard"])
        return max(0, least - begin), 8 * int(cut["heard_ms"]), most - begin


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
    record: dict[str, Any] = until_true(
        page,
        """async () => {
            const { get } = await import("/web/api.js");
            const { call, record } = await get(`/api/calls/${window.seen.line.call.value}`);
            return call.state === "ended" && record;
        }""",
    )
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
        page, traffic = visit.page, Traffic.of(visit.page)
        visit.enter()
        page.evaluate(LISTENING, SPY)
        page.get_by_role("button", name="Call", exact=True).click()
        page.wait_for_function("window.seen.line.node")
        page.evaluate("window.seen.listen()")
        page.wait_for_function("window.seen.line.levels.value.ear > 0.05")
        greeted_s = time.monotonic() - program.began_at - program.waited_s
        page.wait_for_function("window.seen.heard(0) > 3.4")
        say_file(page, speech_file(folder, SAID))
        page.evaluate("ms => window.seen.block(ms)", BLOCKED_MS)  # in the middle of it
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
            traffic=traffic,
            played=in_page(page, "played"),
            received=caller_of(recording_of(page)),
        )


def caller_of(file: bytes) -> bytes:
    """The left channel of a recording."""
    assert file[:4] == b"RIFF"
    return file[file.index(b"data") + 8 :][::2]


def test_the_greeting_is_heard_soon_after_the_first_command(held: Held) -> None:
    assert held.greeted_s < GREETED_S


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


def test_what_is_said_is_what_the_page_sends(held: Held) -> None:
    like, louder_db = compare(ulaw.decode(held.traffic.audio(up=True)), list(SPOKEN))
    assert like > 0.98
    assert abs(louder_db) < 0.5


def test_what_the_page_sends_arrives_in_order_though_the_page_stands_still_meanwhile(held: Held) -> None:
    frames = [audio_of(said) for said in held.traffic.of_kind("media", up=True)]
    assert {len(frame) for frame in frames} == {FRAME}
    loud = [frame for frame in frames if level(ulaw.decode(frame)) > LOUD_DB]
    assert len(loud) == len(set(loud))
    assert longest_loss(held.received, loud) * 20 < BLOCKED_MS / 2
    assert not [frame for frame in loud if held.received.count(frame) > 1]


def test_the_greeting_is_played_as_it_was_spoken(held: Held) -> None:
    like, louder_db = compare(held.played, list(ulaw.decode(voices.load("greeting"))))
    assert like > 0.98
    assert abs(louder_db) < 0.5


def test_an_interruption_empties_the_queue_and_gives_back_each_mark_once(held: Held) -> None:
    assert held.traffic.marks(up=True) == held.traffic.marks(up=False)
    assert len(held.traffic.of_kind("clear", up=False)) == 1


def test_the_record_knows_how_much_of_the_interrupted_answer_was_heard(held: Held) -> None:
    least, recorded, most = held.heard
    assert 8000 < least <= recorded <= most < len(LONG)
    cut = next(line for line in held.record["transcript"] if line["unheard"])
    assert voices.TEXTS["long_answer"].startswith(cut["text"] + " " + cut["unheard"])
