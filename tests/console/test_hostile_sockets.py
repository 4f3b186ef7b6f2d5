"""Hostile messages and frames at the line and live sockets, of somebody who has signed in: each is refused.

Meanwhile a call goes on at the first line.
"""

from __future__ import annotations

import base64
import gc
import json
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from llcphone import Agent
from llcphone.config.console import ConsoleConfig
from llcphone.console.line import COMPLAINT_LIMIT, Lines
from llcphone.console.line_messages import DELAY_LIMIT_MS, SPOKEN_LIMIT
from llcphone.console.open import open_console
from llcphone.sim import voices
from llcphone.sim.model import Say
from llcphone.testing import rehearse
from llcphone.wire.websocket import PHONE_MESSAGE_BYTES
from tests.calls.stage import open_fds, task_names
from tests.console.browser import KEY, Browser
from tests.console.page import Page, open_page
from tests.console.test_live import viewing
from tests.patience import HANG_S
from tests.server.support import frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from trio.testing import MockClock

    from llcphone.console.console import Console

SCRIPT = [Say("Hello.", 1_000), Say("From Tuesday to Thursday we open at noon.", 4_000)]
FRAME = base64.b64encode(b"\xff" * 160).decode()
LONG = "x" * 60_000
SHAPES: list[dict[str, Any]] = [
    {"event": "call", "to": "+15551230000"},
    {"event": "media", "media": {"payload": FRAME}},
    {"event": "mark", "mark": {"name": "p1"}},
    {"event": "dtmf", "dtmf": {"digit": "1"}},
    {"event": "dial", "outcome": "over"},
    {"event": "line", "name": "hello"},
    {"event": "speak", "text": "hello"},
    {"event": "fault", "what": "delay", "ms": 0},
    {"event": "stats", "queued_ms": 0, "underruns": 0, "out_latency_ms": 0},
]
"""Of each kind with fields, one that is valid."""
ODD: tuple[Any, ...] = (None, True, [], {}, "\0", [[]], {"__proto__": {}}, "NaN")
"""In place of any field."""
VALUES: list[dict[str, Any]] = [
    {"event": "call", "to": "a second call"},
    *(
        {"event": "media", "media": {"payload": base64.b64encode(bytes(n)).decode()}}
        for n in (0, 159, 40_000)
    ),
    *({"event": "dtmf", "dtmf": {"digit": digit}} for digit in ("", "12", "w", "\u0661", "A")),
    *(
        {"event": "line", "name": name}
        for name in ("", "..", "../../etc/passwd", "/etc/passwd", "hello\0", LONG)
    ),
    {"event": LONG},
    {"event": "dtmf", "dtmf": {"digit": LONG}},
    *({"event": "speak", "text": text} for text in ("", "x" * (SPOKEN_LIMIT + 1))),
    *({"event": "fault", "what": "delay", "ms": ms} for ms in (-1, 0.5, DELAY_LIMIT_MS + 1, 10**30)),
    *({"event": event} for event in ("", "HANGUP", "hangup\0", "__init__", "up", "_up", None, 1, ["hangup"])),
]
TEXTS = (
    b"", b"{", b"}", b"null", b"1", b'"hangup"', b"[]", b"{}", b'[{"event":"hangup"}]',
    b'{"event":"hangup"}x', b"{'event':'hangup'}", b'\xef\xbb\xbf{"event":"hangup"}',
    b'{"event":"stats","queued_ms":NaN}', b'{"event":"stats","queued_ms":1e999}',
    b"[" * 30_000, b'{"event":' * 5_000, b'{"event":"hangup"' + b" " * 60_000,
)  # fmt: skip


def changed(shape: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """This message with each of its fields odd, or missing."""
    for name, value in shape.items():
        for odd in ODD:
            if type(odd) is not type(value) or name == "event":
                yield {**shape, name: odd}
        if isinstance(value, dict):
            yield {key: each for key, each in shape.items() if key != name}
            for inner in changed(value):
                yield {**shape, name: inner}


HOSTILE = (*(message for shape in SHAPES for message in changed(shape)), *VALUES)


@attrs.frozen
class Office:
    console: Console
    browser: Browser
    page: Page
    """A call is held at it."""

    async def goes_on(self) -> None:
        """The caller asks something and is answered."""
        before = len(self.page.heard)
        await self.page.speak(voices.load("yes_please"))
        while len(self.page.heard) <= before:  # noqa: ASYNC110
            await trio.sleep(0.1)
        assert [each["state"] for each in self.page.carrier("state")] == ["ringing", "connected"]


@asynccontextmanager
async def office() -> AsyncIterator[Office]:
    lines = Lines(model="simulated")
    async with (
        rehearse(Agent("Be brief."), script=SCRIPT, callee=lines.callee) as stage,
        open_console(stage.phone, ConsoleConfig(key=KEY), sockets={"line": lines.serve}) as console,
    ):
        lines.twilio = stage.twilio
        browser = Browser(console.port)
        await browser.enter(console)
        with trio.fail_after(HANG_S):
            async with open_page(console.port, await browser.ticket("line")) as page:
                page.send("call")
                await page.until("state", state="connected")
                await page.hears(1.0)
                yield Office(console, browser, page)
                page.send("hangup")
                await page.until("state", state="over")
        for stream in browser.streams:
            stream.socket.close()


async def test_each_odd_message_at_a_line_is_refused_and_the_call_goes_on(autojump_clock: MockClock) -> None:
    async with office() as here:
        sent = [*TEXTS, *(json.dumps(message).encode() for message in HOSTILE)]
        accepted = []
        for message in sent:
            before = len(here.page.carrier("error"))
            here.page.leg.send_nowait(message)
            with trio.move_on_after(1):
                error = await here.page.until("error", before + 1)
                assert error["code"] == 0, message[:200]
                assert len(error["text"]) <= COMPLAINT_LIMIT, message[:200]
                continue
            accepted.append(message[:200])
        assert not accepted
        await here.goes_on()


async def test_odd_messages_of_who_watches_do_no_harm(autojump_clock: MockClock) -> None:
    async with office() as here, viewing(here.console, here.browser) as viewer:
        row = await viewer.row(state="talking")
        shape = {"event": "watch", "call": row["id"], "words": True}
        for message in (*TEXTS, *(json.dumps(message).encode() for message in changed(shape))):
            viewer.leg.send_nowait(message)
        viewer.send("watch", call=row["id"], words=True)
        await here.goes_on()
        await viewer.until("turn")


BROKEN = {
    "not masked": b"\x81\x05hello",
    "reserved bits": b"\xf1\x80" + bytes(4),
    "an opcode that there is not": b"\x83\x80" + bytes(4),
    "a ping in pieces": b"\x09\x80" + bytes(4),
    "a long ping": b"\x89\xfe" + struct.pack("!H", 126) + bytes(4 + 126),
    "longer than there is memory": b"\x81\xff" + b"\x7f" + b"\xff" * 7 + bytes(4),
    "a length below zero": b"\x81\xff" + b"\xff" * 8 + bytes(4),
    "more than a message may have": b"\x81\xff"
    + struct.pack("!Q", PHONE_MESSAGE_BYTES + 1)
    + bytes(4 + PHONE_MESSAGE_BYTES + 1),
    "a rest without a beginning": b"\x80\x80" + bytes(4),
    "a message within a message": b"\x01\x80" + bytes(4) + frame(b"{}"),
    "no UTF-8": frame(b"\xff\xfe\xc0\x80"),
    "half of a good-bye": b"\x88\x81" + bytes(4) + b"\x03",
    "a good-bye that must not be said": b"\x88\x82" + bytes(4) + struct.pack("!H", 1005),
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("kind", ["line", "live"])
async def test_broken_frames_end_their_own_socket_and_nothing_else(
    autojump_clock: MockClock, kind: str
) -> None:
    async with office() as here:
        await trio.testing.wait_all_tasks_blocked(0.2)
        gc.collect()
        before = open_fds(), task_names()
        for name, content in BROKEN.items():
            path = f"/{kind}/{await here.browser.ticket(kind)}"
            status, stream = await here.browser.upgrade(path)
            assert status == 101
            async with stream:
                await stream.send_all(content)
                with trio.fail_after(60):
                    assert await closed(stream), name
        await here.goes_on()
        with trio.fail_after(60):
            while (open_fds(), task_names()) != before:
                gc.collect()
                await trio.sleep(0.1)


async def closed(stream: trio.SocketStream) -> bool:
    """Read until the other side has ended."""
    try:
        while await stream.receive_some(65_536):
            pass
    except trio.BrokenResourceError:
        pass
    return True
