"""A port for few clients, beside the public one: one request per connection, read by the strict reader.

Each exchange has its time. Beyond so many connections, a new one replaces the one that has waited longest, so
a client that hangs blocks nothing. Each connection is a task that keeps its own exceptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.errors import RemoteProtocolError
from llcphone.server.accepting import accept_each
from llcphone.server.head import RequestRefused
from llcphone.server.pending import PendingConnection, PendingConnections, Stage
from llcphone.server.quiet_log import where
from llcphone.server.request import bare_answer, linger

if TYPE_CHECKING:
    from llcphone.runtime.log_lines import SeldomLog


class SmallPort:
    """Accepts, and serves each connection by ``exchange``."""

    def __init__(
        self, name: str, seldom: SeldomLog, connections: trio.Nursery, *, most: int, exchange_s: float
    ) -> None:
        """``name`` stands in log lines and names of tasks."""
        self._name = name
        self._seldom = seldom
        self._connections = connections
        self._exchange_s = exchange_s
        self._pending = PendingConnections(most)

    async def exchange(self, stream: trio.SocketStream, connection: PendingConnection) -> bool:
        """Serve one connection; whether all that came over it was read.

        Raises:
            RequestRefused: this is answered.
        """
        raise NotImplementedError

    async def accept_from(self, listener: trio.SocketListener) -> None:
        """Serve each connection, until cancelled."""
        await accept_each(listener, self._admit, self._seldom)

    def _admit(self, stream: trio.SocketStream, party: str) -> None:
        connection = self._pending.add(party)
        name = f"{self._name} connection"
        self._connections.start_soon(self._serve_connection, stream, connection, name=name)

    async def _serve_connection(self, stream: trio.SocketStream, connection: PendingConnection) -> None:
        """One connection, contained."""
        connection.scope.deadline = trio.current_time() + self._exchange_s
        try:
            with connection.scope:
                await self._answer_refusals(stream, connection)
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client has left
        except* RemoteProtocolError:
            self._seldom.warning(f"{self._name}: no WebSocket handshake")
        except* Exception as error:
            self._seldom.warning(f"{self._name}: request failed", error=where(error))
        finally:
            self._pending.remove(connection)
            stream.socket.close()

    async def _answer_refusals(self, stream: trio.SocketStream, connection: PendingConnection) -> None:
        whole = False
        try:
            whole = await self.exchange(stream, connection)
        except RequestRefused as refusal:
            self._seldom.warning(f"{self._name}: request refused: {refusal.why}", status=refusal.status)
            await stream.send_all(bare_answer(refusal.status))
        if not whole and stream.socket.fileno() >= 0:
            connection.stage = Stage.ANSWERED
            await linger(stream)
