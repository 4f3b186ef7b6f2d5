"""The way in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.visit import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.program import Program


def test_the_page_opens_and_nobody_else_is_asked_for_anything(browser: Browser, program: Program) -> None:
    visit = Visit(browser, program)
    answer = visit.page.goto(program.origin)
    assert answer is not None
    assert answer.ok
    visit.page.get_by_role("heading", level=1).wait_for()
    assert visit.page.title() == "llcphone"
    assert not [url for url in visit.requests if not url.startswith(program.origin)]
    visit.context.close()
