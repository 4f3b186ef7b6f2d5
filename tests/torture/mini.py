"""A bridge in two files that passes every trial, and fails the right ones when it is told to.

It judges the judge: each flaw was seen in a real bridge and is planted in an otherwise sound
bridge, and must show in the trials made for it. It runs in the test's own process, so that trials take no
real time, and it shares nothing with llcphone but what the simulators know of the vendors' protocols.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import attrs
import trio
from trio_websocket import ConnectionClosed, wrap_server_stream

from llcphone.sim.model import Faults
from llcphone.sim.model.link import Tap
from llcphone.sim.twilio import sign
from llcphone.torture.bridge import Usage, usage_of
from llcphone.torture.profile import AUTH_TOKEN, Place, Profile
from tests.torture.mini_call import Flaw, MiniCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from llcphone.torture.bridge import Bridge

PROFILE = Profile(
    name="mini",
    cmd="",
    slow_tools=["look_up", "check_stock"],
    signatures=True,
    tokens=True,
    stream_deadline_s=1,
)


@attrs.define(eq=False, kw_only=True)
class InThisProcess:
    """A bridge in the test's own process, as the rig sees one."""

    stopping: trio.Event = attrs.field(factory=trio.Event)
    ended: trio.Event = attrs.field(factory=trio.Event)

    def usage(self) -> Usage | None:
        return usage_of(os.getpid())

    def terminate(self) -> None:
        self.stopping.set()

    async def exited(self) -> None:
        await self.ended.wait()

    @property
    def has_ended(self) -> bool:
        return self.ended.is_set()


@attrs.define(eq=False)
class MiniBridge(InThisProcess):
    """The server: a webhook, and a media stream behind a token that is good once."""

    place: Place
    flaws: frozenset[Flaw]
    calls: list[MiniCall] = attrs.field(factory=list)
    tokens: dict[str, str] = attrs.field(factory=dict)
    """Token to CallSid."""
    background: trio.Nursery | None = None
    leaked: list[int] = attrs.field(factory=list)

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as self.background:
            listeners = await trio.open_tcp_listeners(self.place.port, host="127.0.0.1")
            self.background.start_soon(trio.serve_listeners, self.handle, listeners)
            task_status.started()
            await self.stopping.wait()
            drains, stays = Flaw.NO_DRAIN not in self.flaws, Flaw.NEVER_EXITS in self.flaws
            while drains and (self.calls or stays):  # noqa: ASYNC110
                await trio.sleep(0.05)
            self.background.cancel_scope.cancel()
        self.ended.set()
        for each in self.leaked:
            os.close(each)

    async def handle(self, stream: trio.SocketStream) -> None:
        async with stream:
            head = b""
            while b"\r\n\r\n" not in head:
                more = await stream.receive_some()
                if not more:
                    return
                head += more
            if head.startswith(b"POST"):
                await stream.send_all(await self.webhook(stream, head))
            else:
                await self.media(stream, head)

    async def webhook(self, stream: trio.SocketStream, head: bytes) -> bytes:
        top, _, body = head.partition(b"\r\n\r\n")
        headers = _headers(top)
        while len(body) < int(headers.get("content-length", 0)):
            body += await stream.receive_some()
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        right = headers.get("x-twilio-signature") == sign(AUTH_TOKEN, f"{self.place.public_url}/twiml", form)
        if Flaw.REFUSES_EVERYBODY in self.flaws or (not right and Flaw.NO_SIGNATURES not in self.flaws):
            return b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        if Flaw.CRASHES in self.flaws and self.calls and self.background is not None:
            self.flaws |= {Flaw.NO_DRAIN}
            self.stopping.set()
        if Flaw.LEAKS_DESCRIPTORS in self.flaws:
            self.leaked.append(os.dup(stream.socket.fileno()))
        if Flaw.SESSION_PER_WEBHOOK in self.flaws and self.background is not None:
            self.background.start_soon(MiniCall(self.place, self.flaws, None).idle_session)
        token = f"t{len(self.tokens)}"
        self.tokens[token] = form["CallSid"]
        url = self.place.public_url.replace("https", "wss") + f"/media/{token}"
        text = f'<Response><Connect><Stream url="{url}"/></Connect></Response>'.encode()
        kind = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n"
        return kind + f"Content-Length: {len(text)}\r\n\r\n".encode() + text

    async def media(self, stream: trio.SocketStream, head: bytes) -> None:
        path, headers = head.split(b" ")[1].decode(), _headers(head)
        url = self.place.public_url.replace("https", "wss") + path
        right = headers.get("x-twilio-signature") == sign(AUTH_TOKEN, url)
        token = path.rpartition("/")[2]
        known = token in self.tokens
        if (not right and Flaw.NO_SIGNATURES not in self.flaws) or not known:
            await stream.send_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        if Flaw.NO_TOKENS not in self.flaws:
            del self.tokens[token]
        try:
            async with trio.open_nursery() as nursery:
                whole = Tap(stream, Faults())
                whole.unread(head)
                request = await wrap_server_stream(nursery, whole)
                call = MiniCall(self.place, self.flaws, await request.accept(), self.background, self.calls)
                self.calls.append(call)
                try:
                    await call.run()
                finally:
                    self.calls.remove(call)
                    nursery.cancel_scope.cancel()
        except* (ConnectionClosed, trio.BrokenResourceError):
            pass


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def start_mini(*flaws: Flaw) -> Callable[[Profile, Place], AbstractAsyncContextManager[Bridge]]:
    """How the rig starts it."""

    @asynccontextmanager
    async def start(profile: Profile, place: Place) -> AsyncIterator[Bridge]:
        bridge = MiniBridge(place, frozenset(flaws))
        async with trio.open_nursery() as nursery:
            await nursery.start(bridge.serve)
            yield bridge
            nursery.cancel_scope.cancel()

    return start
