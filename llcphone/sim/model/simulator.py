"""A Realtime API to test against: real sockets, strict answers, scripted speech, no account.

    async with open_model(["Hello!", "We open at nine."]) as model:
        ...  # point your agent at model.url
        session = await model.session(1)
        await session.receives("conversation.item.truncate")
        assert session.items[-1].kept_ms <= session.items[-1].generated_ms

It is written from the vendor's documentation and from traffic others recorded, imports nothing of llcphone
outside ``llcphone.sim``, and refuses what the vendor refuses, in the vendor's words. Rooms:

    model           this file: the listener, ``open_model``, ``serve_model``, ``run_model``
    model_door      which clients may open a session
    model_script    what it says: Say, Write, CallTool, Silence, Stall, Fail, Incomplete, Cancel, ModelScript
    model_load      a script from a TOML or JSON file
    model_faults    what goes wrong
    model_unknowns  how it answers what documentation leaves open
    model_session   one connection: record for assertions, live controls
    model_inbox     client events and caller audio; model_check and model_schema say what is accepted
    model_response  one response; model_output one item of it
    model_hearing   when the caller speaks; model_voice what the agent sounds like
    model_conversation, model_config, model_usage   items, session object, tokens
    model_outbox, model_link, model_dialect         outgoing events, the socket, the flat spelling

Time is Trio's, so everything runs under a MockClock; turn detection counts samples, not seconds.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio
from trio_websocket import ConnectionClosed, wrap_server_stream
from wsproto.utilities import LocalProtocolError

from llcphone.sim.model.config import SESSION_LIMIT_S
from llcphone.sim.model.door import AZURE_PATH, PATH, Dialects, Upgrade, http_refusal, reject, turned_away
from llcphone.sim.model.faults import Faults
from llcphone.sim.model.link import CLOSE_TIMEOUT_S, Link, Tap
from llcphone.sim.model.load import load_script
from llcphone.sim.model.pace import Pace
from llcphone.sim.model.profile import OPENAI, Profile, ProfileName, as_profile
from llcphone.sim.model.schema import Dialect
from llcphone.sim.model.script import (
    ModelScript,
    Reading,
    Scripted,
    as_script,
)
from llcphone.sim.model.session import ModelSession
from llcphone.sim.model.unknowns import Unknowns
from llcphone.sim.model_list import about_model, question

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from trio_websocket import WebSocketRequest

HANDSHAKE_TIMEOUT_S = 10.0
MAX_MESSAGE_BYTES = 24 * 2**20
"""An append of 15 MiB of audio is 20 MiB of base64."""


@attrs.define(eq=False)
class ModelSimulator:
    """The server. One serves any number of connections; each reads the script from its beginning."""

    script: ModelScript = attrs.field(default=None, converter=as_script)
    dialects: Dialects = "ga"
    """``ga`` refuses the beta header; ``flat`` speaks only flat; ``both`` lets the header choose."""
    faults: Faults | Sequence[Faults] = attrs.field(factory=Faults)
    """For every connection, or one for each in order and none for those after. May be replaced any time."""
    pace: Pace = attrs.field(factory=Pace)
    unknowns: Unknowns = attrs.field(factory=Unknowns, kw_only=True)
    """How it answers what documentation leaves open."""
    profile: Profile = attrs.field(default=OPENAI, converter=as_profile, kw_only=True)
    """Which kind of endpoint it is, by name or made by hand."""
    first_number: int = attrs.field(default=1, kw_only=True)
    """Number of its first session. Ids begin with it, so two simulators of one call need different ones."""
    key: str | None = None
    """The accepted API key; None: every one that starts with ``sk-`` or ``ek_``, and on Azure's path any."""
    keep_audio: bool = True
    """False saves memory under load: no audio, no append is kept, and ``received_audio`` stays empty."""
    sessions: list[ModelSession] = attrs.field(factory=list, repr=False)
    """Every session that was ever accepted, in order; finished ones stay for assertions."""
    refusals: list[str] = attrs.field(factory=list)
    """Why handshakes were turned away: an error code or an HTTP status."""
    host: str = "127.0.0.1"
    port: int = 0
    scheme: str = "ws"
    connections: int = 0
    """Sockets accepted so far, refused ones included."""
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    @property
    def url(self) -> str:
        """What a client connects to; ``?model=`` is its part."""
        path = AZURE_PATH if self.profile.name == "azure" else PATH
        return f"{self.scheme}://{self.host}:{self.port}{path}"

    @property
    def live_sessions(self) -> int:
        """Sessions whose socket is open."""
        return sum(session.is_open for session in self.sessions)

    async def session(self, number: int = 1) -> ModelSession:
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
                        await tap.send_all(
                            about_model(asked, self.dialects, self.key, faults.refuse_status, self.unknowns)
                        )
                        return
                    request = await wrap_server_stream(
                        nursery, tap, 64, max_message_size=MAX_MESSAGE_BYTES, receive_buffer_size=None
                    )
                if request is not None:
                    await trio.sleep(faults.handshake_delay_s)
                    await self._greet(request, tap, faults)
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

    async def _greet(self, request: WebSocketRequest, tap: Tap, faults: Faults) -> None:
        upgrade = Upgrade.of(request)
        status = faults.refuse_status or http_refusal(upgrade, self.profile.name)
        if status is not None:
            self.refusals.append(str(status))
            await reject(request, status, faults.retry_after_s)
            return
        websocket = await request.accept(subprotocol=upgrade.subprotocol)
        tap.upgraded = True
        away = turned_away(upgrade, self.dialects, self.key, self.profile.name)
        if away is not None:
            self.refusals.append(away.code or "unauthorized")
            await websocket.send_message(away.frame)
            with trio.move_on_after(CLOSE_TIMEOUT_S):
                await websocket.aclose(away.close_code, away.close_reason)
            return
        session = ModelSession(
            number=self.first_number + len(self.sessions),
            path=upgrade.target,
            headers=upgrade.headers,
            dialect=Dialect.XAI if self.profile.name == "xai" else upgrade.dialect(self.dialects),
            profile=self.profile,
            pace=self.pace,
            faults=faults,
            reading=Reading(self.script),
            link=Link(websocket, tap, faults),
            keep_audio=self.keep_audio,
            unknowns=self.unknowns,
        )
        self.sessions.append(session)
        self._news.unpark_all()
        wanted_s = faults.expire_after_s
        lasts_s = SESSION_LIMIT_S if wanted_s is None else wanted_s
        announced_s = lasts_s if self.unknowns.announces_s is None else self.unknowns.announces_s
        await session.run(int(time.time() + announced_s), upgrade.model)


async def serve_model(
    simulator: ModelSimulator,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    ssl_context: ssl.SSLContext | None = None,
    task_status: trio.TaskStatus[ModelSimulator] = trio.TASK_STATUS_IGNORED,
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
async def open_model(
    script: Scripted = None,
    dialects: Dialects = "ga",
    *,
    faults: Faults | Sequence[Faults] | None = None,
    pace: Pace | None = None,
    key: str | None = None,
    unknowns: Unknowns | None = None,
    profile: Profile | ProfileName = "openai",
    ssl_context: ssl.SSLContext | None = None,
    first_number: int = 1,
) -> AsyncIterator[ModelSimulator]:
    """Run a simulated Realtime API on a free port of 127.0.0.1 for as long as the block lasts."""
    simulator = ModelSimulator(
        script,
        dialects,
        faults or Faults(),
        pace or Pace(),
        key,
        unknowns=unknowns or Unknowns(),
        profile=profile,
        first_number=first_number,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_model, simulator, ssl_context=ssl_context))
        yield simulator
        nursery.cancel_scope.cancel()


async def run_model(
    host: str,
    port: int,
    script: Path | ModelScript | None = None,
    dialects: Dialects = "both",
    profile: ProfileName = "openai",
    *,
    task_status: trio.TaskStatus[ModelSimulator] = trio.TASK_STATUS_IGNORED,
) -> None:
    """``llcphone sim model``: serve a script file at the pace of the real service, until cancelled."""
    if script is not None and not isinstance(script, ModelScript):
        script = load_script(script)
    pace = Pace(first_audio_ms=200, created_ms=280, ack_delay_s=0.26)  # as recorded: docs/vendor-facts.md
    simulator = ModelSimulator(script, dialects, pace=pace, keep_audio=False, profile=profile)
    await serve_model(simulator, host, port, task_status=task_status)
