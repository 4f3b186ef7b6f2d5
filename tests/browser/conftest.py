"""One browser and one server for all tests of a worker that stand together.

Debian has both packages: ``apt-get install chromium chromium-headless-shell``. Without the first these tests
are skipped, unless ``NEED_BROWSER`` is set, as ``.ci/run`` does. Without the second they take longer.
"""

from __future__ import annotations

import os
import wave
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from llcphone.sim import ulaw, voices
from tests.browser.program import Program, phone_program
from tests.browser.start import CHROMIUM, start_chromium, start_shell
from tests.browser.visit import Visit, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Playwright

PAUSE_S = 2
WHY = "no Chromium here: apt-get install chromium"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)


def write_speech(path: Path, *, pause_s: int = 0) -> Path:
    """A recording of a caller as a person would have it, with a pause after it."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(ulaw.decode(voices.load("hello_opening_hours")))
        file.writeframes(bytes(2 * 8000 * pause_s))
    return path


@pytest.fixture(scope="package")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound file that a person may choose."""
    return write_speech(tmp_path_factory.mktemp("browser") / "speech.wav")


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """There is one in a process."""
    if CHROMIUM is None:
        if os.environ.get("NEED_BROWSER"):
            pytest.fail(WHY)
        pytest.skip(WHY)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium without windows and microphone, for most tests."""
    browser = start_shell(playwright)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def chromium(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """With tabs, permissions, and a microphone into which the same is said again and again."""
    said = write_speech(tmp_path_factory.mktemp("browser") / "microphone.wav", pause_s=PAUSE_S)
    chromium = start_chromium(playwright, f"--use-file-for-fake-audio-capture={said}")
    yield chromium
    chromium.close()


@pytest.fixture(scope="package")
def program() -> Iterator[Program]:
    """The server."""
    with phone_program() as program:
        yield program


@pytest.fixture
def visit(browser: Browser, program: Program) -> Iterator[Visit]:
    """Somebody's browser; it is not signed in."""
    with visiting(browser, program) as visit:
        yield visit


@pytest.fixture
def bare_page(browser: Browser, program: Program) -> Iterator[Page]:
    """Of the console, signed out; worklets of the test may be loaded."""
    with visiting(browser, program, bypass_csp=True) as visit:
        visit.page.goto(program.origin)
        yield visit.page
