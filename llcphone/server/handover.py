"""Handing the public port from one process to the next, so that no caller is refused in between.

The process that serves listens on a Unix socket that only its own user may talk to. The one that follows
it is started beside it, gets ready to take calls, and then asks three things there:

    take    the old one stops accepting and passes its listening sockets on; connections wait in the kernel's
            queue meanwhile. Once the new one says that it serves, the old one closes its own copies and
            drains. If the new one ends before that, the old one accepts again
    ask     a request that may concern a call of the old one: does it? Then its connection is passed on, with
            what was read of it, and the old one answers. So the stream of a call, Twilio's callbacks about it
            and its next document find the process that has the call
    ping    does the old one's loop still turn?

A process that drains is asked by all that follow it, for each of them learns the addresses of those before.
The socket's name is in Linux' abstract namespace: it needs no folder, and ends with its process.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import struct
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.call.endpoint import NOT_ASKED
from llcphone.errors import ConfigError
from llcphone.runtime.log_lines import SeldomLog, logger
from llcphone.server.accepting import accept_each
from llcphone.server.own_calls import is_for_own_call
from llcphone.server.previous_process import ASK, PING, TAKE, PreviousProcess
from llcphone.server.socket_passing import (
    NO,
    YES,
    Unreachable,
    block,
    close,
    connect,
    exactly,
    pass_sockets,
    passed_sockets,
    uid_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from llcphone.phone.phone import Phone
    from llcphone.server.listener import PublicListener

SUPPORTED = sys.platform == "linux"
TAKE_S = 10.0
"""For the sockets: the old process answers at once, but on a busy machine neither may run for a while.
Callers are still served meanwhile: the old one accepts until it is asked, and Twilio is patient for 15 s."""
STEADY_S = 5.0
"""After this long of the same refusals, the new server is not expected to become ready."""
SERVES_S = 30.0
"""From the passed sockets to a new process that serves: it only has to accept."""

log = logger("llcphone.server.handover")


def new_address() -> str:
    """A name for this process' socket; "" where there is no such thing."""
    return f"llcphone-{secrets.token_hex(16)}" if SUPPORTED else ""


# -- the process that serves ----------------------------------------------------------------------


@attrs.frozen
class Serving:
    """What a process that serves can hand over."""

    phone: Phone
    listener: PublicListener
    private: Sequence[trio.SocketListener]
    """Listeners of the private port."""
    given: Callable[[], object]
    """Called once the port belongs to another process."""

    async def answer(
        self, address: str, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Answer the processes that come after this one, until cancelled."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
            plain.bind("\0" + address)
            plain.listen(128)
            listener = trio.SocketListener(trio.socket.from_stdlib_socket(plain.dup()))
            async with listener, trio.open_nursery() as nursery:
                task_status.started()

                def admit(stream: trio.SocketStream, party: str) -> None:
                    nursery.start_soon(self._serve_question, stream, name="successor")

                await accept_each(listener, admit, SeldomLog(log))

    async def _serve_question(self, stream: trio.SocketStream) -> None:
        """One question, contained."""
        try:
            async with stream:
                if uid_of(stream.socket) == os.getuid():
                    await self._obey(stream)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, Unreachable, ValueError):
            log.info("a successor left in the middle of its question")
        except Exception as error:
            log.warning("a successor's question failed", extra={"error": type(error).__name__})

    async def _obey(self, stream: trio.SocketStream) -> None:
        question = await exactly(stream, 1)
        if question == PING:
            await stream.send_all(YES)
        elif question == ASK:
            request = await block(stream)
            mine = await is_for_own_call(self.phone, request, asked=True)
            await stream.send_all(YES if mine else NO)
            if mine:
                for each in await passed_sockets(stream, 1):
                    self.listener.admit_passed(each, request)
        elif question == TAKE:
            await self._give(stream)

    async def _give(self, stream: trio.SocketStream) -> None:
        """Pass the listening sockets on; the port is given once the other one says that it serves."""
        if not self.listener.port.pause():
            return  # given away already, or closing
        ports = {"public": self.listener.port.listeners, "private": self.private}
        told = {name: len(each) for name, each in ports.items()}
        said = json.dumps({**told, "previous": [each.address for each in self.listener.previous]}).encode()
        serves = False
        try:
            await stream.send_all(struct.pack("!I", len(said)) + said)
            sockets = [listener.socket for each in ports.values() for listener in each]
            await pass_sockets(stream, sockets)
            with trio.fail_after(SERVES_S):
                serves = await exactly(stream, 1) == YES
        except (OSError, trio.BrokenResourceError, trio.TooSlowError, Unreachable):
            log.warning("the port was not taken after all")
        finally:
            if not serves:
                self.listener.port.go_on()
        if serves:
            self.listener.port.give()
            close(self.private)
            self.given()


# -- the process that follows -----------------------------------------------------------------------


@attrs.frozen
class Taken:
    """The sockets of the process before this one, and the way to all that still have calls."""

    public: Sequence[trio.SocketListener] = ()
    private: Sequence[trio.SocketListener] = ()
    previous: Sequence[PreviousProcess] = ()
    stream: trio.SocketStream | None = None


async def _take(address: str) -> Taken:
    """Ask the process at this address for its listening sockets.

    Raises:
        Unreachable: it does not give them.
    """
    stream = None
    try:
        with trio.fail_after(TAKE_S):
            stream = await connect(address)
            await stream.send_all(TAKE)
            said = json.loads(await block(stream))
            sockets = await passed_sockets(stream, said["public"] + said["private"])
    except (OSError, trio.BrokenResourceError, trio.TooSlowError, ValueError, KeyError, Unreachable) as exc:
        if stream is not None:
            await trio.aclose_forcefully(stream)
        raise Unreachable(type(exc).__name__) from None
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(each)) for each in sockets]
    previous = [PreviousProcess(address), *map(PreviousProcess, said["previous"])]
    return Taken(listeners[: said["public"]], listeners[said["public"] :], previous, stream)


@attrs.define(eq=False)
class Handover:
    """How a process takes its port from the one before it, and gives it to the next."""

    address: str = ""
    """Where the next process finds this one; "": nowhere."""
    previous: str = ""
    """Where this process finds the one before it; "": there is none."""
    same_port: bool = True
    """Whether both listen at the same address."""
    private: Sequence[trio.SocketListener] = ()
    """What listens on the private port."""
    given: trio.Event = attrs.field(factory=trio.Event)
    """Set once another process has the port."""
    _taken: Taken = Taken()

    @property
    def takes_port(self) -> bool:
        """Whether listening sockets come from the process before this one."""
        return bool(self.previous) and self.same_port

    async def take(self, phone: Phone, limit_s: float) -> Taken:
        """Take the sockets of the process before this one, once new calls would be taken here.

        Raises:
            ConfigError: they are not, within the limit, or that process does not give its sockets.
        """
        if self.previous:
            if reasons := await _not_ready(phone, limit_s):
                why = f"would turn calls away: {'; '.join(reasons)}. The server that runs is left serving"
                raise ConfigError("serve --replace", why, "correct that, then try again")
            try:
                self._taken = await _take(self.previous)
            except Unreachable:
                why = "the server that runs does not give its port away"
                raise ConfigError("serve --replace", why, "use llcphone stop, then start") from None
            if not self.same_port:
                close(self._taken.public)
        return self._taken

    async def serving(self) -> None:
        """Let the process before this one know that it is not needed for the port any more."""
        if (stream := self._taken.stream) is not None:
            with suppress(OSError, trio.BrokenResourceError):  # it has ended meanwhile: so be it
                await stream.send_all(YES)
            await stream.aclose()

    @asynccontextmanager
    async def open_to_successors(
        self, phone: Phone, listener: PublicListener, given: Callable[[], object]
    ) -> AsyncIterator[None]:
        """Answer the processes that come after this one until the block is left; ``given``: one took it."""
        async with trio.open_nursery() as nursery:
            if self.address:

                def is_given() -> None:
                    self.given.set()
                    given()

                serving = Serving(phone, listener, self.private, is_given)
                await nursery.start(serving.answer, self.address, name="successors")
            yield
            nursery.cancel_scope.cancel(reason="calls have ended")


async def _not_ready(phone: Phone, limit_s: float) -> list[str]:
    """Why new calls would not be taken, once that is certain enough; empty as soon as they would be."""
    last, since_s = phone.ready(), trio.current_time()
    with trio.move_on_after(limit_s):
        while last and trio.current_time() - since_s < STEADY_S:
            await trio.sleep(0.05)
            reasons = phone.ready()
            if reasons != last or any(NOT_ASKED in each for each in reasons):
                last, since_s = reasons, trio.current_time()
    return last
