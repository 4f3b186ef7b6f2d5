"""Pictures of all pages, to be looked at: ``python -m tests.browser.screens [FOLDER [SCENE ...]]``.

Each scene is shot light and dark, on a desk and on a telephone. What a page cannot be brought to show soon
(crowds, a long call, words of many languages) is given to it by ``made``.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio
from playwright.sync_api import sync_playwright
from trio.testing import MockClock

from tests.browser.made import LONG_NAME, crowd, long_call
from tests.browser.program import phone_program, running
from tests.browser.start import start_shell
from tests.browser.visit import Visit
from tests.console.browser import console_of
from tests.console.test_calls import bakery, interrupted_call, page_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

    from tests.browser.program import Program

LOOKS = [(theme, width, height) for theme in ("light", "dark") for width, height in ((1280, 900), (360, 740))]
TALKS_MS = 6000
SETTLE_MS = 600
"""What comes twice a second has come."""
NO_MICROPHONE = """navigator.mediaDevices.getUserMedia =
    async () => { throw new DOMException("none", "NotFoundError") }"""


@attrs.frozen
class Look:
    """One theme at one size."""

    browser: Browser
    folder: Path
    theme: str
    width: int
    height: int

    @contextmanager
    def visit(self, program: Program) -> Iterator[Visit]:
        size = {"width": self.width, "height": self.height}
        visit = Visit(self.browser, program, color_scheme=self.theme, viewport=size)
        yield visit
        visit.context.close()
        for each in visit.trouble:
            print(f"  {each}")

    def shoot(self, page: Page, name: str, *, whole: bool = True) -> None:
        page.wait_for_timeout(SETTLE_MS)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            print(f"  {name} moves sideways")
        page.screenshot(path=self.folder / f"{name}-{self.theme}-{self.width}.png", full_page=whole)


def telephone(look: Look) -> None:
    """A first call, from the sign-in to its picture; and each page before anything has happened."""
    with phone_program("--record") as program, look.visit(program) as visit:
        page = visit.page
        page.goto(program.origin)
        page.get_by_role("heading", level=1).wait_for()
        look.shoot(page, "sign-in")
        page.goto(f"{program.origin}/#in=wrong")
        page.get_by_text("this link").wait_for()
        look.shoot(page, "sign-in-refused")
        visit.enter("#/phone")
        page.get_by_text("Ready to call").wait_for()
        look.shoot(page, "phone-idle")
        for where in ("live", "calls", "health"):
            visit.go(f"#/{where}")
            look.shoot(page, f"{where}-empty")
        visit.go("#/calls/nothing")
        look.shoot(page, "call-unknown")
        visit.go("#/phone")
        page.get_by_role("radio", name="Ready lines").check()
        page.get_by_role("button", name="Call", exact=True).click()
        page.get_by_role("button", name="Say it for me").click()
        page.wait_for_timeout(TALKS_MS + 2000)
        page.get_by_role("button", name="Say it for me").click()
        page.get_by_role("button", name="Keypad").click()
        page.get_by_text("Line and faults").click()
        page.wait_for_timeout(TALKS_MS)
        look.shoot(page, "phone")
        visit.go("#/live")
        look.shoot(page, "live")
        page.locator("main").get_by_role("link").first.click()
        look.shoot(page, "live-call")
        for button in ("Say …", "End call"):
            page.get_by_role("button", name=button).click()
            look.shoot(page, f"act-{button.split()[0].lower()}", whole=False)
            page.keyboard.press("Escape")
        page.keyboard.press("c")
        look.shoot(page, "place", whole=False)
        page.get_by_label("Number", exact=True).fill("+19005550123")
        page.get_by_text("refuse").first.wait_for()
        look.shoot(page, "place-refused", whole=False)
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        look.shoot(page, "keys", whole=False)
        page.keyboard.press("Escape")
        visit.go("#/phone")
        page.get_by_role("button", name="End call").click()
        page.get_by_text("Call ended").wait_for()
        look.shoot(page, "phone-over")
        visit.go("#/calls")
        look.shoot(page, "calls")
        page.locator("main tbody").get_by_role("link").first.click()
        page.get_by_role("button", name="Load the recording").click()
        page.get_by_role("button", name="Download").wait_for()
        look.shoot(page, "call")
        visit.go("#/health")
        look.shoot(page, "health")


def telephones(look: Look) -> None:
    """A transfer that rings, a second line that rings, no microphone, and a server that has gone."""
    with phone_program("--mode", "ivr") as program, look.visit(program) as visit:
        visit.page.add_init_script(NO_MICROPHONE)
        page = visit.enter("#/phone")
        page.get_by_text("Ready to call").wait_for()
        page.get_by_role("button", name="Call", exact=True).click()
        page.get_by_text("Connected").wait_for()
        look.shoot(page, "phone-no-microphone")
        page.evaluate("import('/web/api.js').then(({act}) => act('/api/calls', { to: '+15550001235' }))")
        page.get_by_role("button", name="Accept").wait_for()
        look.shoot(page, "phone-line-2-rings")
        page.get_by_role("button", name="Accept").click()
        page.wait_for_timeout(TALKS_MS)
        look.shoot(page, "phone-both-lines")
        line = page.get_by_role("region", name="Line 2")
        line.get_by_role("button", name="End call").click()
        for _ in range(10):
            page.keyboard.press("1")
            page.wait_for_timeout(1500)
            if page.get_by_text("sales is being rung").count():
                break
        look.shoot(page, "phone-transfer")
        program.process.terminate()
        program.process.wait()
        page.get_by_text("reconnecting").wait_for()
        look.shoot(page, "phone-server-gone")
        page.evaluate("location.hash = '#/live'")
        look.shoot(page, "live-server-gone")


def office(look: Look) -> None:
    """A server whose words and numbers are hidden, its doctor, its end; and who may only look."""
    with running("tests.browser.office", "3") as program, look.visit(program) as visit:
        page = visit.enter("#/live")
        page.locator("tbody th a").first.click()
        page.get_by_role("tab", name="Transcript").wait_for()
        look.shoot(page, "live-call-hidden")
        visit.go("#/health")
        page.get_by_role("button", name="Run the doctor").click()
        page.get_by_text("Report of").wait_for()
        page.get_by_text("Settings in effect").click()
        look.shoot(page, "health-doctor")
        page.get_by_role("button", name="Run with a live test").click()
        look.shoot(page, "doctor-live", whole=False)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Drain and stop").click()
        look.shoot(page, "drain", whole=False)
        page.keyboard.press("Escape")
        with look.visit(program) as other:
            other.page.goto(program.link("look"))
            other.page.get_by_text("read only").wait_for()
            other.go("#/live")
            look.shoot(other.page, "live-read-only")
            other.go("#/phone")
            look.shoot(other.page, "phone-read-only")
        page.get_by_role("button", name="Drain and stop").click()
        page.get_by_role("button", name="Stop now").click()
        look.shoot(page, "health-stopping")


def elsewhere(look: Look) -> None:
    """A telephone for a server elsewhere, and a program that keeps no calls."""
    with (
        phone_program("--to", "http://127.0.0.1:9/twiml", "--auth-token", "0" * 32) as program,
        look.visit(program) as visit,
    ):
        look.shoot(visit.enter("#/phone"), "phone-elsewhere")
    with running("tests.browser.office", "0", "no-store") as program, look.visit(program) as visit:
        look.shoot(visit.enter("#/calls"), "calls-no-store")
        visit.go("#/live")
        look.shoot(visit.page, "live-no-phone")


def made(look: Look) -> None:
    """Fifty calls, an approval that waits, a long call, names and words of all kinds."""
    shown = trio.run(rehearsed, clock=MockClock(autojump_threshold=0))
    page_of_call = long_call(shown)
    page_of_call["call"]["agent"] = LONG_NAME
    found = [found_row(number) for number in range(30)]
    live_page = long_call(shown)
    live_page["call"] |= {
        "id": "c9",
        "state": "talking",
        "agent": LONG_NAME,
        "reason": None,
        "duration_s": None,
    }
    live_page["transfers"] = ["sales", "the workshop"]
    with phone_program() as program, look.visit(program) as visit:
        page = visit.page
        visit.context.route("**/api/state", with_crowd)
        visit.context.route("**/api/ticket", lambda route: route.fulfill(json={"ticket": "one"}))
        visit.context.route_web_socket("**/live/one", lambda _: None)
        visit.context.route_web_socket("**/line/one", lambda _: None)
        visit.context.route("**/api/calls/c1", lambda route: route.fulfill(json=page_of_call))
        visit.context.route("**/api/calls/c9", lambda route: answer_live(route, live_page))
        listed = {"calls": found, "next": "more", "complete": True}
        visit.context.route("**/api/calls/search", lambda route: route.fulfill(json=listed))
        visit.context.route("**/api/trends*", lambda route: route.fulfill(json={"buckets": trend()}))
        visit.enter("#/live")
        page.locator("tbody th a").nth(40).wait_for()
        look.shoot(page, "live-crowd")
        page.get_by_role("button", name="Refuse …").click()
        look.shoot(page, "live-refusing", whole=False)
        visit.go("#/live/c9")
        page.locator(".picture-lanes").wait_for()
        look.shoot(page, "live-call-approval")
        page.get_by_role("button", name="Transfer …").click()
        look.shoot(page, "act-transfer", whole=False)
        page.keyboard.press("Escape")
        visit.go("#/calls")
        page.get_by_role("button", name="Show more").wait_for()
        look.shoot(page, "calls-many")
        page.get_by_text("More filters").click()
        look.shoot(page, "calls-filters", whole=False)
        visit.go("#/calls/c1?at=62")
        page.locator(".picture-lanes").wait_for()
        look.shoot(page, "call-60-turns", whole=False)  # a whole one scrolls its lists back
        for tab in ("Turns", "Tools", "Money", "Trouble", "Messages", "Record"):
            page.get_by_role("tab", name=tab).click()
            look.shoot(page, f"call-tab-{tab.lower()}")


async def rehearsed() -> dict[str, Any]:
    async with console_of(rehearse=bakery(), words="show", numbers="show") as (console, browser, stage):
        await browser.enter(console)
        return await page_of(browser, await interrupted_call(stage))


def with_crowd(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, json={**answer.json(), "live": True, "seq": 0, "calls": crowd(50)})


def answer_live(route: Route, page: dict[str, Any]) -> None:
    page["call"]["created_at"] = page["readAt"] = page["call"]["created_at"]
    route.fulfill(json=page)


def found_row(number: int) -> dict[str, Any]:
    """A call of the list of ended ones."""
    row = {
        "id": f"c{number}",
        "direction": "inbound" if number % 3 else "outbound",
        "from": "…01",
        "to": "…77",
    }
    row |= {"agent": LONG_NAME if number == 2 else "reception", "reason": "caller hung up", "answered": True}
    row |= {"born_at": 1_796_073_592.4 - 3_000 * number, "duration_s": 37.0 + 61 * number, "turns": number}
    row |= {"slowest_ms": 480 + 97 * number, "cost_usd": 0.0213 * number, "attention": "", "failure": ""}
    if number in (1, 5):
        row |= {"attention": "slow turn", "reason": "model could not be reached", "slowest_ms": None}
    return row


def trend() -> list[dict[str, Any]]:
    """Two days, by the hour."""
    return [
        {
            "at": 1_796_000_400 + 3_600 * hour,
            "calls": (hour * 7) % 23,
            "gap_p50_ms": None if hour % 11 == 3 else 480 + (hour * 37) % 190,
            "gap_p95_ms": None if hour % 11 == 3 else 900 + (hour * 131) % 900,
            "usd": ((hour * 7) % 23) * 0.11,
        }
        for hour in range(48)
    ]


SCENES = {scene.__name__: scene for scene in (telephone, telephones, office, elsewhere, made)}


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = start_shell(playwright)
        for name in names or SCENES:
            for look in LOOKS:
                print(name, *look, flush=True)
                SCENES[name](Look(browser, folder, *look))
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("demo-out/screens"), sys.argv[2:])
