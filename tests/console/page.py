"""What a page does at the line socket, in Python: it speaks, plays what comes, and says what it has heard."""

from __future__ import annotations

import base64
import json
import socket
from collections import deque
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import trio

from llcphone.console.line import Lines
from llcphone.errors import LegClosed
from llcphone.testing import Rehearsal, rehearse
from llcphone.wire import websocket
from llcphone.wire.leg import LegLimits
from llcphone.wire.socket import Socket
from tests.patience import HANG_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from llcphone import Agent
    from llcphone.console.line import Cue

FRAME = 160
SALES = "+15551230077"


@attrs.define(eq=False)
class Page:
    """One line. Its ear plays in real time from a buffer, as the worklet does."""

    leg: websocket.WebSocketLeg
    shown: list[dict[str, Any]] = attrs.field(factory=list)
    """Every message but audio, as it came."""
    heard: bytearray = attrs.field(factory=bytearray)
    confirmed: list[str] = attrs.field(factory=list)
    lag_s: float = 0.0
    """Of its loudspeaker."""
    stalled: bool = False
    """It does not read."""
    free_at: float = 0.0
    marks: deque[tuple[float, str]] = attrs.field(factory=deque)
    spans: list[list[float]] = attrs.field(factory=list)
    """(begin, end) of what was played, in Trio's time."""
    news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    def send(self, event: str, **fields: Any) -> None:
        self.leg.send_nowait(json.dumps({"event": event, **fields}).encode())

    async def until(self, what: str, nth: int = 1, **fields: Any) -> dict[str, Any]:
        """Wait for the nth carrier event of a kind with these fields."""
        with trio.fail_after(HANG_S):
            while len(found := [e for e in self.carrier(what) if fields.items() <= e.items()]) < nth:
                await self.news.park()
        return found[nth - 1]

    def carrier(self, what: str) -> list[dict[str, Any]]:
        return [each for each in self.shown if each.get("what") == what]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.shown if each["event"] == event]

    @property
    def heard_s(self) -> float:
        return sum(max(0.0, min(end, trio.current_time()) - begin) for begin, end in self.spans)

    async def hears(self, seconds: float) -> None:
        """Wait until this much was heard from now on."""
        wanted = self.heard_s + seconds
        with trio.fail_after(HANG_S):
            while self.heard_s < wanted:  # noqa: ASYNC110 (the page's own clock)
                await trio.sleep(0.02)

    async def quiet(self, seconds: float) -> None:
        """Wait until nothing was heard for this long."""
        while trio.current_time() < self.free_at + seconds:  # noqa: ASYNC110 (it moves on)
            await trio.sleep_until(self.free_at + seconds)

    async def speak(self, audio: bytes) -> None:
        """Say something into the microphone, in real time."""
        begin = trio.current_time()
        for number, at in enumerate(range(0, len(audio), FRAME)):
            await trio.sleep_until(begin + number * 0.02)
            self.frame(audio[at : at + FRAME].ljust(FRAME, b"\xff"))

    def frame(self, audio: bytes) -> None:
        self.send("media", media={"payload": base64.b64encode(audio).decode()})

    async def read(self) -> None:
        try:
            while True:
                while self.stalled:  # noqa: ASYNC110
                    await trio.sleep(0.1)
                for text in await self.leg.receive():
                    self._take(json.loads(text))
                    self.news.unpark_all()
        except LegClosed:
            self.shown.append({"event": "closed"})
            self.news.unpark_all()

    def _take(self, message: dict[str, Any]) -> None:
        now = trio.current_time()
        match message["event"]:
            case "media":
                audio = base64.b64decode(message["media"]["payload"])
                if self.free_at <= now:
                    self.free_at = now + self.lag_s
                if not self.spans or self.spans[-1][1] != self.free_at:
                    self.spans.append([self.free_at, self.free_at])
                self.free_at += len(audio) / 8000
                self.spans[-1][1] = self.free_at
                self.heard += audio
                return
            case "mark":
                self.marks.append((max(now, self.free_at), message["mark"]["name"]))
            case "clear":
                self._cut(now)
                while self.marks:
                    self._confirm()
            case "carrier" if message["what"] == "stream" and message["state"] == "ended":
                self._cut(now)
                self.marks.clear()
        self.shown.append(message | {"at": now})

    def _cut(self, now: float) -> None:
        for span in self.spans:
            span[:] = min(span[0], now), min(span[1], now)
        self.free_at = min(self.free_at, now)

    def _confirm(self) -> None:
        _, name = self.marks.popleft()
        self.confirmed.append(name)
        self.send("mark", mark={"name": name})

    async def play(self) -> None:
        while True:
            with trio.move_on_at(self.marks[0][0] if self.marks else float("inf")):
                await self.news.park()
            while self.marks and self.marks[0][0] <= trio.current_time():
                self._confirm()


PageT = TypeVar("PageT", bound=Page)


@asynccontextmanager
async def open_page(
    port: int,
    ticket: str = "x",
    kind: Callable[[websocket.WebSocketLeg], PageT] = Page,  # type: ignore[assignment]
) -> AsyncIterator[PageT]:
    """A page, of this kind, opens a line, and leaves."""
    url, headers = f"ws://127.0.0.1:{port}/line/{ticket}", [("Origin", f"http://127.0.0.1:{port}")]
    leg = await websocket.connect(url, headers=headers, timeout_s=5)
    page = kind(leg)
    async with trio.open_nursery() as nursery:
        leg.attach(nursery.start_soon, lambda end: None)
        nursery.start_soon(page.read)
        nursery.start_soon(page.play)
        await page.until("ready")
        try:
            yield page
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await leg.aclose()


@attrs.define(eq=False)
class Exchange:
    """A rehearsed server, and the line sockets of the Twilio before it."""

    stage: Rehearsal
    lines: Lines
    port: int

    def page(self) -> AbstractAsyncContextManager[Page]:
        """A page opens a line, and leaves."""
        return open_page(self.port)


@asynccontextmanager
async def line_port(lines: Lines) -> AsyncIterator[int]:
    """A port on which every connection is a line socket, as the console's is for a good ticket."""

    async def serve(stream: trio.SocketStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some()
        sock = socket.socket(fileno=stream.socket.detach())
        leg = websocket.accept(Socket.from_accepted(sock), head, limits=LegLimits(stall_timeout_s=60))
        async with trio.open_nursery() as nursery:
            leg.attach(nursery.start_soon, lambda end: nursery.cancel_scope.cancel())
            try:
                await lines.serve(leg)
            finally:
                leg.abort()
                nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def exchange(agent: Agent, *, cues: Sequence[Cue] = (), **how: Any) -> AsyncIterator[Exchange]:
    """A rehearsal whose callers, and those who are called, are pages."""
    lines = Lines(model="simulated", cues=cues, names={SALES: "sales"})
    async with rehearse(agent, callee=lines.callee, **how) as stage, line_port(lines) as port:
        lines.twilio = stage.twilio
        lines.simulated = stage.model
        lines.call_id = lambda sid: next((c.call_id for c in stage.phone.calls() if c.call_sid == sid), "")
        yield Exchange(stage, lines, port)
