"""The way to a process that had the public port before this one and may still have calls.

`llcphone.server.handover` is the other end: it says what the three questions mean.
"""

from __future__ import annotations

import struct
from contextlib import suppress

import attrs
import trio

from llcphone.server.own_calls import Concern, concern_of
from llcphone.server.socket_passing import YES, Unreachable, connect, exactly, pass_sockets

TAKE, ASK, PING = b"T", b"A", b"P"
"""The first byte of a question."""
ANSWER_S = 3.0
"""The old process may have to write its journal before it answers."""
ALIVE_S = 2.0
"""A loop that carries calls answers within milliseconds."""


@attrs.define(eq=False)
class PreviousProcess:
    """The way to a process before this one."""

    address: str
    hangs: bool = False
    """It gave no answer in time. No new call waits for it then, until it answers about another one."""
    _asked: list[float] = attrs.field(factory=list)
    """When it was asked about new calls, of the questions that have no answer yet."""

    async def alive(self) -> bool:
        """Whether its loop turns."""
        try:
            with trio.fail_after(ALIVE_S):
                async with await connect(self.address) as stream:
                    await stream.send_all(PING)
                    return await exactly(stream, 1) == YES
        except (OSError, trio.BrokenResourceError, trio.TooSlowError, Unreachable):
            return False

    async def takes(self, stream: trio.SocketStream, request: bytes) -> bool:
        """Whether this request concerns a call of that process; then its connection was passed there.

        Raises:
            ConnectionRefusedError: that process has ended.
        """
        if concern_of(request) is not Concern.NEW:
            with trio.move_on_after(ANSWER_S):
                return await self._takes(stream, request)
            return False
        if self.hangs:
            return False
        now = trio.current_time()
        self._asked.append(now)
        try:
            with trio.move_on_at(min(self._asked) + ANSWER_S):
                return await self._takes(stream, request)
        finally:
            self._asked.remove(now)
        self.hangs = True
        return False

    async def _takes(self, stream: trio.SocketStream, request: bytes) -> bool:
        async with await connect(self.address) as way:
            await way.send_all(ASK + struct.pack("!I", len(request)) + request)
            said = await exactly(way, 1)
            self.hangs = False
            if said != YES:
                return False
            await pass_sockets(way, [stream.socket])
            return True


async def passed_to_previous(
    previous: list[PreviousProcess], stream: trio.SocketStream, request: bytes
) -> bool:
    """Whether a process before this one has taken this request; those that have ended are forgotten."""
    if concern_of(request) is Concern.NONE:
        return False
    for each in list(previous):
        try:
            if await each.takes(stream, request):
                return True
        except ConnectionRefusedError:
            with suppress(ValueError):
                previous.remove(each)
        except (OSError, trio.BrokenResourceError, Unreachable):
            continue
    return False
