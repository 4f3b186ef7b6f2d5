"""What pages leave behind in the server: nothing, else it exits with 1.

    python -m tests.browser.census [PAGES CALLS]

So many pages are opened and closed, and so many calls are left in the middle of a word. Then the server has
as many tasks and connections as before.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import psutil
import trio
from playwright.sync_api import sync_playwright

from llcphone.config import Config
from llcphone.config.console import ConsoleConfig
from llcphone.console.open import bind_console
from llcphone.demo.browser import behind, open_browser_phone
from tests.browser.program import Program, running
from tests.browser.start import start_chromium
from tests.browser.visit import Visit

SETTLES_S = 60.0
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


def main(pages: int, calls: int) -> int:
    with running("tests.browser.census", "serve") as program, sync_playwright() as playwright:
        browser = start_chromium(playwright)
        visit = Visit(browser, program)
        visit.enter()

        def leave(number: int, *, in_a_call: bool) -> None:
            page = visit.open()
            page.goto(f"{program.origin}/{PAGES[0 if in_a_call else number % len(PAGES)]}")
            page.locator(".state-live").wait_for()
            if in_a_call:
                page.get_by_role("radio", name="Ready lines").check()
                page.get_by_role("button", name="Call", exact=True).click()
                page.wait_for_function(HEARS)
            page.close()

        visit.page.goto("about:blank")
        leave(0, in_a_call=True)  # what is made once is there
        time.sleep(2)
        before = count_of(program)
        for number in range(pages):
            leave(number, in_a_call=False)
        for number in range(calls):
            leave(number, in_a_call=True)
        patience = time.monotonic() + SETTLES_S
        while (after := count_of(program)) != before and time.monotonic() < patience:
            time.sleep(0.5)
        browser.close()
    print(f"{pages} pages, {calls} calls; before: {before}; after: {after}")
    return int(after != before)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        trio.run(serve)
    else:
        sys.exit(main(*map(int, sys.argv[1:])) if len(sys.argv) > 1 else main(200, 50))
