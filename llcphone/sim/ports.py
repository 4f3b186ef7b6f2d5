"""A port for a server that is about to start on this machine."""

from __future__ import annotations

import contextlib
import random
import socket

_CHANCE = random.SystemRandom()
"""Not the shared generator: programs that were seeded alike would all try the same ports."""


def free_port() -> int:
    """A loopback port that is free now.

    Below the range from which systems number outgoing connections (Linux: from 32,768): between
    this look and the server's bind, one of those would take it now and then.
    """
    while True:
        port = _CHANCE.randrange(20_000, 32_000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
