"""What pages leave behind in the server: nothing, else it exits with 1.

    python -m tests.browser.census [PAGES CALLS]

So many pages are opened and closed, and so many calls are left in the middle of a word: by closing the page,
by its crash, and the last one by killing the whole browser. Then the server has as many tasks, connections
and open files as before.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import trio
from playwright.sync_api import Error, sync_playwright

from llcphone.config import Config
from llcphone.config.console import ConsoleConfig
from llcphone.console.open import bind_console
from llcphone.demo.browser import behind, open_browser_phone
from tests.browser.program import Program, running
from tests.browser.start import start_shell
from tests.browser.visit import Visit, until_true

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

SETTLES_S = 60.0
QUIET = 6
"""So often in a row, at half a second, there is as much as before."""
PAGES = ("#/phone", "#/live", "#/calls", "#/health")
HEARS = "async () => (await import('/web/audio/lines.js')).lines[0].levels.value.ear > 0.02"  # the greeting


async def serve() -> None:
    """``llcphone phone`` that counts itself."""
    listeners = await bind_console(ConsoleConfig(port=0))
    server = open_browser_phone(behind(Config(), None, "", real=False), listeners)
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with server as console, trio.open_nursery() as nursery:

            async def tell() -> None:
                while True:
                    open_ = psutil.Process().net_connections("tcp")
                    count = {
                        "tasks": trio.lowlevel.current_statistics().tasks_living,
                        "connections": sum(each.status != psutil.CONN_LISTEN for each in open_),
                        "files": psutil.Process().num_fds(),
                    }
                    told = {
                        "url": console.link(),
                        "origin": console.origin,
                        "port": console.port,
                        "count": count,
                    }
                    print(json.dumps(told), flush=True)
                    await trio.lowlevel.wait_readable(0)
                    os.read(0, 4096)

            nursery.start_soon(tell)
            async for _ in signals:
                break
            nursery.cancel_scope.cancel()


def count_of(program: Program) -> dict[str, int]:
    program.link("count")
    return dict(program.last["count"])


def left_behind(playwright: Playwright, pages: int, calls: int) -> list[dict[str, int]]:
    """How much there is in the server before and after."""
    with running("tests.browser.census", "serve") as program:
        browser = start_shell(playwright)
        process = browser_process()
        visit = Visit(browser, program)
        visit.enter().goto("about:blank")

        def open_page(where: str) -> Page:
            page = visit.open()
            page.goto(f"{program.origin}/{where}")
            page.locator(".state-live").wait_for()
            return page

        def call() -> Page:
            page = open_page("#/phone")
            page.get_by_role("radio", name="Ready lines").check()
            page.get_by_role("button", name="Call", exact=True).click()
            until_true(page, HEARS)
            return page

        call().close()  # what is made once is there
        before = settled(program)
        for number in range(pages):
            open_page(PAGES[number % len(PAGES)]).close()
        for number in range(calls - 1):
            page = call()
            if number % 2:
                with suppress(Error):  # it is gone before it has answered
                    page.goto("chrome://crash")
            page.close()
        call()
        process.kill()
        after = settled(program, before)
        with suppress(Error):
            browser.close()
    return [before, after]


def settled(program: Program, wanted: dict[str, int] | None = None) -> dict[str, int]:
    """What there is when nothing ends any more, or as much as there was."""
    patience, quiet = time.monotonic() + SETTLES_S, 0
    count = count_of(program)
    while count != wanted and quiet < QUIET and time.monotonic() < patience:
        time.sleep(0.5)
        last, count = count, count_of(program)
        quiet = quiet + 1 if count == last and wanted is None else 0
    return count


def browser_process() -> psutil.Process:
    """The Chromium that was started last."""
    ours = psutil.Process().children(recursive=True)
    parents = {each.pid for each in ours if "chrom" in each.exe()}
    first = [each for each in ours if each.pid in parents and each.ppid() not in parents]
    return max(first, key=lambda each: each.create_time())


def main(pages: int, calls: int) -> int:
    with sync_playwright() as playwright:
        before, after = left_behind(playwright, pages, calls)
    print(f"{pages} pages, {calls} calls; before: {before}; after: {after}")
    return int(after != before)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        trio.run(serve)
    else:
        sys.exit(main(*map(int, sys.argv[1:])) if len(sys.argv) > 1 else main(200, 50))
