"""A GPT-Live to test against: real sockets, strict answers, scripted speech, no account.

    async with open_live(["Hello!", "We open at nine."]) as live:
        ...  # point your agent at live.url
        session = await live.session(1)
        await session.receives("session.commentary.append")
        assert session.appended_ms > 0

It is written from public facts alone, imports nothing of llcphone outside ``llcphone.sim``, and refuses what
GPT-Live refuses. Rooms:

    simulator   this file: the listener, ``open_live``, ``serve_live``, ``run_live``
    door        which clients may open a session; schema which events are taken
    session     one connection: client events, live controls; state its record for assertions
    clock       milliseconds of input audio, by which everything happens
    ear, turns  how the caller is heard, and when the model answers
    voice       the chunks; formats the four audio formats
    appends     instructions, thinking, commentary
    backend     delegation: responses, function calls
    script, pace, faults    what it says, how fast, what is unknown, what goes wrong
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio
from trio_websocket import ConnectionClosed, wrap_server_stream
from wsproto.utilities import LocalProtocolError

from llcphone.sim.live.door import PATH, http_refusal, list_status
from llcphone.sim.live.faults import Faults
from llcphone.sim.live.pace import Assumptions, Pace
from llcphone.sim.live.script import LiveReading, LiveScript, as_live_script
from llcphone.sim.live.session import LiveSession
from llcphone.sim.model.door import Upgrade, reject
from llcphone.sim.model.link import Link, Tap
from llcphone.sim.model.simulator import HANDSHAKE_TIMEOUT_S, MAX_MESSAGE_BYTES
from llcphone.sim.model_list import answer_about, model_and_key, question

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Sequence

    from trio_websocket import WebSocketRequest

    from llcphone.sim.model.script import Scripted


@attrs.define(eq=False)
class LiveSimulator:
    """The server. One serves any number of connections; each reads the script from its beginning."""

    script: LiveScript = attrs.field(default=None, converter=as_live_script)
    faults: Faults | Sequence[Faults] = attrs.field(factory=Faults)
    """For every connection, or one for each in order and none for those after. May be replaced any time."""
    pace: Pace = attrs.field(factory=Pace)
    assumes: Assumptions = attrs.field(factory=Assumptions)
    key: str | None = None
    """The accepted API key; None: every one that starts with ``sk-``."""
    keep_audio: bool = True
    """False saves memory under load: no audio and no append of audio is kept."""
    sessions: list[LiveSession] = attrs.field(factory=list, repr=False)
    """Every session that was ever accepted, in order; finished ones stay for assertions."""
    refusals: list[int] = attrs.field(factory=list)
    """The HTTP statuses of handshakes that were refused."""
    host: str = "127.0.0.1"
    port: int = 0
    scheme: str = "ws"
    connections: int = 0
    """Sockets accepted so far, refused ones included."""
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"{self.scheme}://{self.host}:{self.port}{PATH}"

    @property
    def live_sessions(self) -> int:
        """Sessions whose socket is open."""
        return sum(session.is_open for session in self.sessions)

    async def session(self, number: int = 1) -> LiveSession:
        """Wait for the ``number``-th session (from 1) and return it."""
        while len(self.sessions) < number:
            await self._news.park()
        return self.sessions[number - 1]

    async def handle(self, stream: trio.abc.Stream) -> None:
        """Serve one TCP or TLS connection until it ends; the stream is closed whatever happens."""
        self.connections += 1
        faults = self._faults_for(self.connections)
        faults.odd = {**self.script.odd, **faults.odd}
        tap = Tap(stream, faults)
        try:
            async with trio.open_nursery() as nursery:
                request = None
                with trio.move_on_after(HANDSHAKE_TIMEOUT_S):
                    if (asked := await question(tap)) is not None:
                        model, key = model_and_key(asked)
                        status = faults.refuse_status or list_status(model, key, self.key)
                        await tap.send_all(answer_about(model, status))
                        return
                    request = await wrap_server_stream(
                        nursery, tap, 64, max_message_size=MAX_MESSAGE_BYTES, receive_buffer_size=None
                    )
                if request is not None:
                    await trio.sleep(faults.handshake_delay_s)
                    await self._accept(request, tap, faults)
                nursery.cancel_scope.cancel()
        except* (ConnectionClosed, UnicodeDecodeError, LocalProtocolError, trio.BrokenResourceError):
            # The client left in the middle of a handshake, or sent headers that wsproto cannot read; or its
            # ping crossed our Close, and trio-websocket's reader answers it all the same.
            pass
        finally:
            await trio.aclose_forcefully(stream)

    def _faults_for(self, number: int) -> Faults:
        if isinstance(self.faults, Faults):
            return attrs.evolve(self.faults)
        return attrs.evolve(self.faults[number - 1]) if number <= len(self.faults) else Faults()

    async def _accept(self, request: WebSocketRequest, tap: Tap, faults: Faults) -> None:
        upgrade = Upgrade.of(request)
        status = faults.refuse_status or http_refusal(upgrade, self.key, self.assumes)
        if status is not None:
            self.refusals.append(status)
            await reject(request, status, faults.retry_after_s)
            return
        websocket = await request.accept()
        tap.upgraded = True
        session = LiveSession(
            number=len(self.sessions) + 1,
            path=upgrade.target,
            headers=upgrade.headers,
            pace=self.pace,
            assumes=self.assumes,
            faults=faults,
            reading=LiveReading.of(self.script),
            link=Link(websocket, tap, faults, "sim live"),
            keep_audio=self.keep_audio,
        )
        self.sessions.append(session)
        self._news.unpark_all()
        await session.run()


async def serve_live(
    simulator: LiveSimulator,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    ssl_context: ssl.SSLContext | None = None,
    task_status: trio.TaskStatus[LiveSimulator] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; started when ``simulator.url`` is reachable."""
    plain = await trio.open_tcp_listeners(port, host=host)
    simulator.host, simulator.port = host, plain[0].socket.getsockname()[1]
    listeners: list[Any] = list(plain)
    if ssl_context is not None:
        simulator.scheme = "wss"
        listeners = [trio.SSLListener(each, ssl_context, https_compatible=True) for each in plain]
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, simulator.handle, listeners)
        task_status.started(simulator)


@asynccontextmanager
async def open_live(
    script: Scripted = None,
    *,
    faults: Faults | Sequence[Faults] | None = None,
    pace: Pace | None = None,
    assumes: Assumptions | None = None,
    key: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[LiveSimulator]:
    """Run a simulated GPT-Live on a free port of 127.0.0.1 for as long as the block lasts."""
    simulator = LiveSimulator(script, faults or Faults(), pace or Pace(), assumes or Assumptions(), key)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_live, simulator, ssl_context=ssl_context))
        yield simulator
        nursery.cancel_scope.cancel()


async def run_live(
    host: str,
    port: int,
    script: Scripted = None,
    *,
    task_status: trio.TaskStatus[LiveSimulator] = trio.TASK_STATUS_IGNORED,
) -> None:
    """``llcphone sim live``: serve a script at the pace of the real service, until cancelled."""
    await serve_live(LiveSimulator(script, keep_audio=False), host, port, task_status=task_status)
