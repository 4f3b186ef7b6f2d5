"""Pages are readable with any sense and any size of screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import axe_playwright_python
import pytest

from tests.browser.visit import visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.program import Program

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
PAGES = ("#/phone", "#/live", "#/calls", "#/health")
WIDTHS = (360, 768, 1280)
BELOW = """document.documentElement.scrollHeight
    - Math.max(innerHeight, document.querySelector(".shell, .splash").getBoundingClientRect().height)"""


def faults_of(page: Page) -> list[str]:
    """Serious ones, by the rules of axe, and whether the page moves sideways at any width."""
    found = page.evaluate(
        """async () => {
            const { violations } = await axe.run(document, { resultTypes: ["violations"] });
            const bad = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
            return bad.flatMap(({ id, nodes }) =>
                nodes.map(({ target, failureSummary: why }) => `${id}: ${target} ${why}`));
        }"""
    )
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found.append(f"{wide} px at {width}")
        below = page.evaluate(BELOW)
        if below > 1:
            found.append(f"{below} px of nothing below the page at {width}")
    return [f"{page.evaluate('location.hash')}: {each}" for each in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_can_be_used_by_everybody(browser: Browser, program: Program, theme: str) -> None:
    with visiting(browser, program, color_scheme=theme) as visit:
        visit.page.goto(program.origin)
        visit.page.get_by_role("heading", level=1).wait_for()
        visit.page.evaluate(AXE)
        found = faults_of(visit.page)
        page = visit.enter()
        page.evaluate(AXE)
        page.get_by_role("button", name="Call", exact=True).click()
        page.get_by_text("Connected").wait_for()
        for where in PAGES:
            visit.go(where)
            page.locator("main").wait_for()
            found += faults_of(page)
        visit.go("#/phone")
        page.get_by_role("button", name="End call").click()
        page.get_by_role("link", name="See this call in detail").click()
        page.locator(".picture-lanes").wait_for()
        found += faults_of(page)
        page.keyboard.press("c")
        page.get_by_role("dialog").wait_for()
        found += faults_of(page)
        assert not found, "\n".join(found)
