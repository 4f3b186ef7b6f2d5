"""Where the console listens."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import trio

from llcphone.errors import ConfigError

if TYPE_CHECKING:
    from llcphone.config.console import ConsoleConfig


async def bind_console(config: ConsoleConfig) -> list[trio.SocketListener]:
    """Listen where the console is configured; with port 0 on a free one.

    Raises:
        ConfigError: it cannot be had.
    """
    try:
        return await trio.open_tcp_listeners(config.port, host=config.host)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "unknown error")
        why = f"cannot listen on port {config.port} of {config.host} ({name})"
        raise ConfigError("console.port", why, "set it to a free one, or to 0 for none") from error
