"""Somebody's browser with a page of the console, and what went wrong in it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

    from tests.browser.program import Program

WIDE = {"width": 1280, "height": 900}
WAIT_MS = 30_000
"""So long a page may take to show something; it judges nothing."""


def until_true(page: Page, script: str, given: Any = None) -> Any:
    """Wait until this function, which may be asynchronous, returns something true.

    Playwright's own waiting takes the promise of an asynchronous function for an answer.
    """
    while not (found := page.evaluate(script, given)):
        page.wait_for_timeout(50)
    return found


class Visit:
    """One browser profile with one page. What it did wrong stands in ``trouble``."""

    def __init__(self, browser: Browser, program: Program, **options: Any) -> None:
        self.program = program
        self.trouble: list[str] = []
        self.requests: list[str] = []
        self.context = browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce"} | options)
        self.context.set_default_timeout(WAIT_MS)
        self.context.on("request", self._request)
        self.page = self.open()

    def open(self) -> Page:
        """Another tab."""
        page = self.context.new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.trouble.append(f"error: {error}"))
        return page

    def enter(self, where: str = "") -> Page:
        """Sign in by a new link, and go to this page."""
        self.page.goto(self.program.link())
        self.page.get_by_role("navigation").first.wait_for()
        return self.go(where) if where else self.page

    def go(self, where: str) -> Page:
        """Go to a page of the console, such as ``#/calls``."""
        self.page.evaluate("where => { location.hash = where }", where)
        self.page.get_by_role("heading", level=1).wait_for()
        return self.page

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((self.program.origin + "/", "data:", "blob:" + self.program.origin)):
            self.trouble.append(f"a request elsewhere: {request.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.trouble.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")


@contextmanager
def visiting(browser: Browser, program: Program, **options: Any) -> Iterator[Visit]:
    """A visit that leaves no error, no blocked content, and no request to anybody else behind."""
    visit = Visit(browser, program, **options)
    try:
        yield visit
        assert not visit.trouble, visit.trouble
    finally:
        visit.context.close()
