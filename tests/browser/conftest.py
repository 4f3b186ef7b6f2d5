"""One Chromium and one server for all tests of a worker that stand together.

Chromium is Debian's package (``apt-get install chromium``). Without it these tests are skipped, unless
``NEED_BROWSER`` is set, as ``.ci/run`` does.
"""

from __future__ import annotations

import os
import wave
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from llcphone.sim import ulaw, voices
from tests.browser.program import Program, phone_program
from tests.browser.start import PATH, start_chromium
from tests.browser.visit import Visit, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

WHY = "no Chromium here: apt-get install chromium"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is spoken into the browsers' microphone, once, from the moment that it is opened."""
    path = tmp_path_factory.mktemp("browser") / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(ulaw.decode(voices.load("hello_opening_hours")))
    return path


@pytest.fixture(scope="package")
def browser(microphone: Path) -> Iterator[Browser]:
    """Chromium, with a microphone that a page may be allowed to use."""
    if PATH is None:
        if os.environ.get("NEED_BROWSER"):
            pytest.fail(WHY)
        pytest.skip(WHY)
    with sync_playwright() as playwright:
        browser = start_chromium(playwright, f"--use-file-for-fake-audio-capture={microphone}%noloop")
        yield browser
        browser.close()


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
