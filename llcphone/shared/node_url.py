"""Where the other nodes reach this one: in the table of nodes, for requests about its calls."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import trio

from llcphone.config.addresses import is_any_host, is_loopback_host
from llcphone.store.engines import host_of

if TYPE_CHECKING:
    from llcphone.config import Config

_LOOK_UP_S = 2.0
_ANY_PORT = 5432
"""The way is the same for each port."""


async def node_url(config: Config) -> str:
    """``shared.node_url``, or by ``server.host``; "" if it is not known.

    A node that listens on all addresses is reached by the one that it has towards the database, for the other
    nodes reach that, too. Nothing is sent to find it.
    """
    host, port = config.server.host, config.server.port
    if config.shared.node_url or not port:
        return config.shared.node_url
    if is_any_host(host):
        host = await _own_address(config.shared_url, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}" if host else ""


def is_reached_here_only(config: Config) -> bool:
    """Whether a node of another machine would not reach this one, although both use this database."""
    database = host_of(config.shared_url, "shared.url") if config.shared_url else ""
    elsewhere = database != "" and not is_loopback_host(database)
    return elsewhere and not config.shared.node_url and is_loopback_host(config.server.host)


async def _own_address(database: str, listens_on: str) -> str:
    """Our address on the way to this database; one of loopback if it is on this machine."""
    if not (host := host_of(database, "shared.url")):
        return "::1" if ":" in listens_on else "127.0.0.1"
    family = socket.AF_UNSPEC if ":" in listens_on else socket.AF_INET
    with trio.move_on_after(_LOOK_UP_S):
        try:
            found = await trio.socket.getaddrinfo(host, _ANY_PORT, family=family, type=socket.SOCK_DGRAM)
            with trio.socket.socket(found[0][0], socket.SOCK_DGRAM) as way:
                await way.connect(found[0][4])
                return str(way.getsockname()[0])
        except (OSError, UnicodeError):
            pass
    return ""
