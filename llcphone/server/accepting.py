"""Accepting connections for as long as there is a listener, whatever the system runs out of."""

from __future__ import annotations

import errno
import ipaddress
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.runtime.log_lines import SeldomLog

ACCEPT_PAUSE_S = 0.1
"""Between attempts to accept when the system is out of descriptors or memory (trio.serve_listeners)."""

_LISTENER_IS_GONE = frozenset([errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP])


async def accept_each(
    listener: trio.SocketListener, admit: Callable[[trio.SocketStream, str], None], seldom: SeldomLog
) -> None:
    """Give every connection, with where it comes from, to ``admit``; until the listener is closed."""
    while True:
        try:
            stream = await listener.accept()
        except trio.ClosedResourceError:  # by its owner: another process listens now
            return
        except OSError as error:
            if error.errno in _LISTENER_IS_GONE:
                raise
            # Out of descriptors or memory; or one of the many errors that Linux reports here for a
            # connection that died in the queue. Neither is a reason to stop listening.
            seldom.warning("cannot accept", error=errno.errorcode.get(error.errno or 0, "?"))
            await trio.sleep(ACCEPT_PAUSE_S)
            continue
        try:
            address = str((stream.socket.getpeername() or ("",))[0])  # a Unix socket's has no name
        except OSError:  # it has left already, which the next read shows
            address = ""
        admit(stream, party_of(address))


def party_of(address: str) -> str:
    """Whose address it is: one customer of IPv6 has a whole /64; IPv4 may come over an IPv6 socket."""
    if ":" not in address:
        return address
    parsed = ipaddress.IPv6Address(address.partition("%")[0])
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(parsed) >> 64 << 64))


def listens_at(listener: trio.SocketListener, host: str, port: int) -> bool:
    """Whether a socket listens at this address; of a host that is a name only the port is compared."""
    there, its_port = listener.socket.getsockname()[:2]
    try:
        same_host = ipaddress.ip_address(host) == ipaddress.ip_address(there)
    except ValueError:
        same_host = True
    return same_host and its_port == port
