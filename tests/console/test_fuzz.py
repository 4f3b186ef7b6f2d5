"""Hostile connections to the console's port, of strangers and of somebody who has signed in."""

from __future__ import annotations

import gc

import pytest
import trio

from tests.calls.stage import open_fds, task_names
from tests.console.browser import Browser, console_of
from tests.server import hostile
from tests.server.support import frame

CASES = 400


async def seeds_of(page: Browser) -> list[bytes]:
    """What a browser sends, to be mutated."""
    ours = f"Host: {page.host}\r\nOrigin: http://{page.host}\r\n".encode()
    signed_in = ours + f"Authorization: Bearer {page.token}\r\n".encode()
    posts = signed_in + b"Content-Type: application/json\r\n"
    upgrade = ours + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    body = b'{"for": "live"}'
    tickets = [await page.ticket("live") for _ in range(4)]
    return [
        *hostile.SEEDS,
        b"GET / HTTP/1.1\r\n" + ours + b"\r\n",
        b"GET /web/style.css HTTP/1.1\r\n" + ours + b"If-None-Match: x\r\n\r\n",
        b"GET /api/state HTTP/1.1\r\n" + signed_in + b"\r\n",
        b"GET /api/calls/8f3a HTTP/1.1\r\n" + signed_in + b"Range: bytes=0-\r\n\r\n",
        b"POST /api/ticket HTTP/1.1\r\n" + posts + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        b"POST /api/in HTTP/1.1\r\n" + posts + b"Content-Length: 2\r\n\r\n{}",
        *(f"GET /live/{each} HTTP/1.1\r\n".encode() + upgrade + frame(b"hello") for each in tickets),
    ]


@pytest.mark.slow
async def test_mutations_of_requests_leave_nothing_behind(autojump_clock) -> None:
    async with console_of() as (console, page, _):
        await page.enter(console)
        await page.get("/api/state")
        await trio.testing.wait_all_tasks_blocked(0.2)
        gc.collect()
        fds, tasks = open_fds(), task_names()
        seeds = await seeds_of(page)
        await hostile.attack_many(page.port, CASES, workers=8, seed=20261130, seeds=seeds)
        assert (await page.get("/")).status == 200
        assert (await page.get("/api/state")).status == 200
        with trio.fail_after(60):
            while (open_fds(), task_names()) != (fds, tasks):
                gc.collect()
                await trio.sleep(0.1)
