"""The listening sockets of the public port, and whose they are at the moment."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.server.accepting import accept_each
from llcphone.server.socket_passing import close

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llcphone.runtime.log_lines import SeldomLog


class State(Enum):
    """What is done with them."""

    ACCEPTS = "accepts"
    PAUSES = "pauses"
    """Connections wait in the kernel's queue."""
    GIVEN = "given"
    """Another process has the port; connections that it passes on are served."""
    CLOSED = "closed"


@attrs.define(eq=False)
class Port:
    """Listening sockets that another process may take over."""

    listeners: Sequence[trio.SocketListener]
    state: State = State.ACCEPTS
    _accepting: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)

    @property
    def given(self) -> bool:
        """Whether another process has it now."""
        return self.state is State.GIVEN

    def pause(self) -> bool:
        """Let new connections wait, for another process is about to take the port; False: it is not ours."""
        if self.state is not State.ACCEPTS:
            return False
        self.turn(State.PAUSES)
        return True

    def go_on(self) -> None:
        """The other process has not taken the port after all."""
        if self.state is State.PAUSES:
            self.turn(State.ACCEPTS)

    def give(self) -> None:
        """Another process has taken the port: close our copies of its sockets."""
        self.turn(State.GIVEN)
        close(self.listeners)

    def turn(self, state: State) -> None:
        """Change the state, but for a closed port's."""
        if self.state is not State.CLOSED:
            self.state = state
            self._accepting.cancel(reason="the port's state has changed")

    async def accept(self, admit: Callable[[trio.SocketStream, str], None], seldom: SeldomLog) -> None:
        """Accept while the port is ours; returns when it is closed."""
        while self.state is not State.CLOSED:
            with trio.CancelScope() as self._accepting:
                if self.state is not State.ACCEPTS:
                    await trio.sleep_forever()
                async with trio.open_nursery() as acceptors:
                    for each in self.listeners:
                        acceptors.start_soon(accept_each, each, admit, seldom, name="public accept")
