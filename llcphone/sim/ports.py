"""A port for a server that is about to start on this machine."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket

_FIRST, _PORTS = 20_000, 12_000
"""Below the range from which systems number outgoing connections (Linux: from 32,768): between the look
and the server's bind, one of those would take the port now and then."""
_SPREAD = 7_417
"""How far apart two processes begin whose numbers follow each other: the golden section of the range."""

_numbers = itertools.count(os.getpid() * _SPREAD)


def free_port() -> int:
    """A loopback port that is free now, and that this process was not given before.

    Processes that look at the same time look at different ports: chance would give two of them the same
    one now and then, before either has bound it.
    """
    while True:
        port = _FIRST + next(_numbers) % _PORTS
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
