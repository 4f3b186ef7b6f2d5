"""Pages that are closed and calls that are left in the middle of a word leave nothing in the server.

With larger numbers: ``python -m tests.browser.census``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.census import left_behind

if TYPE_CHECKING:
    from playwright.sync_api import Playwright


def test_nothing_is_left_of_pages_and_calls(playwright: Playwright) -> None:
    before, after = left_behind(playwright, pages=4, calls=3)
    assert after == before
