"""Pictures of all pages, to be looked at: ``python -m tests.browser.screens [FOLDER]``.

A call is held for each look: light and dark, on a desk and on a telephone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.browser.program import phone_program
from tests.browser.start import start_chromium
from tests.browser.visit import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.program import Program

LOOKS = [(theme, width, height) for theme in ("light", "dark") for width, height in ((1280, 900), (360, 740))]
TALKS_MS = 6000


def take(browser: Browser, program: Program, folder: Path, theme: str, width: int, height: int) -> list[str]:
    """Take all pictures of one look; what went wrong in the page."""
    size = {"width": width, "height": height}
    visit = Visit(browser, program, color_scheme=theme, viewport=size)

    def shoot(name: str, *, whole: bool = True) -> None:
        visit.page.wait_for_timeout(400)  # what comes twice a second has come
        visit.page.screenshot(path=folder / f"{name}-{theme}-{width}.png", full_page=whole)

    visit.page.goto(program.origin)
    visit.page.get_by_role("heading", level=1).wait_for()
    shoot("sign-in")
    page = visit.enter("#/phone")
    shoot("phone-idle")
    visit.go("#/live")
    shoot("live-empty")
    visit.go("#/phone")
    page.get_by_role("button", name="Call", exact=True).click()
    page.get_by_role("button", name="Say it for me").click()
    page.wait_for_timeout(TALKS_MS + 2000)
    page.get_by_role("button", name="Say it for me").click()
    page.get_by_role("button", name="Keypad").click()
    page.wait_for_timeout(TALKS_MS)
    shoot("phone")
    visit.go("#/live")
    shoot("live")
    page.locator("main").get_by_role("link").first.click()
    shoot("live-call")
    page.keyboard.press("c")
    shoot("place", whole=False)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    shoot("keys", whole=False)
    page.keyboard.press("Escape")
    visit.go("#/phone")
    page.get_by_role("button", name="End call").click()
    page.get_by_text("Call ended").wait_for()
    shoot("phone-over")
    visit.go("#/calls")
    shoot("calls")
    page.locator("main tbody").get_by_role("link").first.click()
    page.wait_for_timeout(1000)
    shoot("call")
    visit.go("#/health")
    page.wait_for_timeout(1000)
    shoot("health")
    visit.context.close()
    return visit.trouble


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with phone_program("--record") as program, sync_playwright() as playwright:
        browser = start_chromium(playwright)
        for look in LOOKS:
            print(look, *take(browser, program, folder, *look), sep="\n  ")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("demo-out/screens"))
