"""An engine with real sockets to a simulated GPT-Live, and a telephone in memory: no call, no server.

    async with on_the_line(live, greets=True) as line:
        await line.says(900)
        await trio.sleep(5)
        assert line.heard_loud_ms > 0

Everything runs on Trio's clock, so under ``autojump_clock`` minutes take milliseconds.
"""

from __future__ import annotations

import base64
import math
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio
from trio_websocket import ConnectionClosed, wrap_client_stream

from llcphone.engine import CallEngine
from llcphone.engine.commands import CloseModel, ConnectModel, EndCall, RunTool, SendModel, SendPhone
from llcphone.engine.events import (
    Born,
    ModelConnected,
    ModelLegLost,
    ModelSaid,
    StreamJoined,
    Tick,
    ToolFinished,
)
from llcphone.engine.tape.recorder import Recorder
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.messages import AppendAudio
from llcphone.sim.live import babble
from llcphone.twilio.media import Clear, Mark, MarkEchoed, Media
from tests.engine.script import STARTED
from tests.engine.setups import call_setup, live_plan, recovery_plan
from tests.live_protocol.samples import usual_codec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llcphone.engine.events import EndReason, Event
    from llcphone.live.codec import LiveCodec
    from llcphone.sim.live import LiveSimulator

PATH = "/v1/live/sessions"
SILENCE = b"\xff"
FRAME_MS = 20

Tool = "Callable[[str], Awaitable[str]]"


class Line:
    """One call: its engine, its legs, its telephone."""

    def __init__(self, live: LiveSimulator, nursery: trio.Nursery, tools: dict[str, Any], setup: Any) -> None:
        self._live, self._nursery, self.tools = live, nursery, tools
        self.engine = CallEngine(setup)
        self.tape: list[bytes] = []
        self._recorder = Recorder(self.engine, lambda line: self.tape.append(line) is None, version="1.2.3")
        self._legs: dict[int, tuple[trio.CancelScope, trio.MemorySendChannel[bytes]]] = {}
        self._leg = 0
        self._queue: deque[bytes | str] = deque()
        """What the telephone has still to play."""
        self._caller: deque[bytes] = deque()
        self._moved = trio.Event()
        self.played = bytearray()
        """All that came out of the telephone, silence included: 8 bytes a millisecond."""
        self.sends_frames = True
        self.appended_ms = 0
        self.notes: list[object] = []
        self.ended: EndReason | None = None
        self.ended_event = trio.Event()
        self.began_s = trio.current_time()

    # -- the call's hands -----------------------------------------------------------------------------

    def now_ms(self) -> int:
        return round((trio.current_time() - self.began_s) * 1000)

    def step(self, event: Event) -> None:
        for command in self._recorder.handle(event, self.now_ms()):
            match command:
                case SendModel(message):
                    self._to_model(message)
                case SendPhone(Media(payload)):
                    self._queue.append(base64.b64decode(payload))
                case SendPhone(Mark(name)):
                    self._queue.append(name)
                case SendPhone(Clear()):
                    marks = [each for each in self._queue if isinstance(each, str)]
                    self._queue.clear()
                    self._queue.extend(marks)
                case ConnectModel(leg_number, _, after_ms):
                    self._leg = leg_number
                    self._nursery.start_soon(self._model, leg_number, after_ms)
                case CloseModel(leg_number) if leg_number in self._legs:
                    self._legs.pop(leg_number)[0].cancel()
                case RunTool():
                    self._nursery.start_soon(self._run, command)
                case EndCall(reason):
                    self.ended = reason
                    self.ended_event.set()
                case _:
                    self.notes.append(command)
        self._moved.set()

    def _to_model(self, message: Any) -> None:
        if self._leg in self._legs:
            _, outbox, codec = self._legs[self._leg]
            if (text := codec.encode(message)) is not None:
                outbox.send_nowait(text)
            if isinstance(message, AppendAudio):
                self.appended_ms += len(base64.b64decode(message.payload)) // 8

    async def _run(self, call: RunTool) -> None:
        self.step(ToolFinished(call.call_id, await self.tools[call.name](call.arguments)))

    # -- the model's legs -----------------------------------------------------------------------------

    async def _model(self, number: int, after_ms: int) -> None:
        await trio.sleep(after_ms / 1000)
        outbox, inbox = trio.open_memory_channel[bytes](math.inf)
        codec = usual_codec()
        with trio.CancelScope() as scope:
            stream = await trio.open_tcp_stream(self._live.host, self._live.port)
            async with stream, trio.open_nursery() as nursery:
                bearer = [("Authorization", "Bearer sk-test")]
                host = f"{self._live.host}:{self._live.port}"
                socket = await wrap_client_stream(nursery, stream, host, PATH, extra_headers=bearer)
                self._legs[number] = scope, outbox, codec
                nursery.start_soon(self._write, socket, inbox)
                self.step(ModelConnected(number, Dialect.LIVE))
                try:
                    while True:
                        self._read(number, codec, await socket.get_message())
                except ConnectionClosed:
                    self.step(ModelLegLost(number))
                nursery.cancel_scope.cancel()

    def _read(self, number: int, codec: LiveCodec, message: str) -> None:
        if events := codec.decode(message.encode()):
            for event in events:
                self.step(ModelSaid(number, event))
        elif number == self._leg:
            self._recorder.model_alive(self.now_ms())

    @staticmethod
    async def _write(socket: Any, inbox: trio.MemoryReceiveChannel[bytes]) -> None:
        try:
            async for text in inbox:
                await socket.send_message(text.decode())
        except ConnectionClosed:
            pass  # the reader says so

    # -- the telephone --------------------------------------------------------------------------------

    def joins(self) -> None:
        """The media stream comes."""
        self.step(StreamJoined())
        self.step(STARTED)
        self._nursery.start_soon(self._telephone)

    async def _telephone(self) -> None:
        number, began_s = 0, trio.current_time()
        while True:
            number += 1
            await trio.sleep_until(began_s + number * FRAME_MS / 1000)
            self._plays()
            if self.sends_frames:
                frame = self._caller.popleft() if self._caller else SILENCE * 160
                audio = self._recorder.hear(base64.b64encode(frame), self.now_ms())
                if audio is not None:
                    self._to_model(AppendAudio(audio))

    def _plays(self) -> None:
        """20 ms: silence where nothing is queued."""
        left = 160
        while self._queue and (left or isinstance(self._queue[0], str)):
            entry = self._queue.popleft()
            if isinstance(entry, str):
                self.step(MarkEchoed(entry))
                continue
            self.played += entry[:left]
            if len(entry) > left:
                self._queue.appendleft(entry[left:])
            left -= min(left, len(entry))
        self.played += SILENCE * left

    def says(self, ms: int) -> None:
        """The caller speaks for so long."""
        audio = babble(ms, 160)
        audio += SILENCE * (-len(audio) % 160)
        self._caller.extend(audio[at : at + 160] for at in range(0, len(audio), 160))

    # -- what was heard -------------------------------------------------------------------------------

    @property
    def waiting_ms(self) -> int:
        """Agent audio that the telephone has still to play."""
        return sum(len(each) for each in self._queue if isinstance(each, bytes)) // 8

    def loud_ms(self, from_ms: int = 0) -> list[int]:
        """Which hundredths of a second of what was played are not silent, by their time on the line."""
        pieces = range(from_ms, len(self.played) // 8, 10)
        return [at for at in pieces if set(self.played[at * 8 : at * 8 + 80]) - {0xFF, 0x7F}]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Who said what, as far as it was heard."""
        lines = self.engine.lines(self.now_ms())
        return [(line.speaker.value, line.heard) for line in lines if line.heard]

    # -- time -----------------------------------------------------------------------------------------

    async def deadlines(self) -> None:
        self.step(Born())
        while self.ended is None:
            due_ms = self.engine.next_deadline_ms
            self._moved = trio.Event()
            with trio.move_on_at(math.inf if due_ms is None else self.began_s + due_ms / 1000) as scope:
                await self._moved.wait()
            if scope.cancelled_caught:
                self.step(Tick())


@asynccontextmanager
async def on_the_line(
    live: LiveSimulator, *, tools: dict[str, Any] | None = None, joins: bool = True, **setup: Any
) -> AsyncIterator[Line]:
    """A call that the simulated GPT-Live answers, for as long as the block lasts."""
    tools = tools or {}
    backend = {
        "type": "responses",
        "responses": {
            "model": "gpt-5.6-luna",
            "tools": [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in tools],
        },
    }
    session = {
        "model": "gpt-live-1",
        "audio": {"format": {"type": "audio/pcmu", "rate": 8000}, "output": {"voice": "cedar"}},
        "delegation": backend,
    }
    facts = {
        "session": session,
        "live": live_plan(),
        "dialect": Dialect.LIVE,
        "greets": False,
        "tools": frozenset(tools),
        "recovery": recovery_plan(),
    }
    async with trio.open_nursery() as nursery:
        line = Line(live, nursery, tools, call_setup(**(facts | setup)))
        nursery.start_soon(line.deadlines)
        if joins:
            await trio.sleep(0.1)
            line.joins()
        yield line
        nursery.cancel_scope.cancel()
