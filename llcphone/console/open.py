"""Opening a console: where it listens, and what belongs to it."""

from __future__ import annotations

import errno
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

import trio

from llcphone.console.access import Access, new_key
from llcphone.console.app import make_console_app
from llcphone.console.console import Console
from llcphone.console.port import ConsolePort
from llcphone.errors import ConfigError
from llcphone.server.http import open_http
from llcphone.server.socket_passing import close
from llcphone.wire.websocket import PHONE_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from llcphone.config.console import ConsoleConfig
    from llcphone.console.console import ServeSocket
    from llcphone.phone.phone import Phone


@asynccontextmanager
async def open_console(
    phone: Phone | None,
    config: ConsoleConfig,
    *,
    sockets: Mapping[str, ServeSocket],
    mode: Literal["phone", "serve"] = "serve",
    model: str = "",
    simulated: bool = False,
    on_drain: Callable[[], object] | None = None,
    listeners: Sequence[trio.SocketListener] | None = None,
) -> AsyncIterator[Console]:
    """Serve a console of this phone until the block is left.

    Args:
        phone: what it shows; None: nothing but a telephone that rings another server.
        config: its settings.
        sockets: what serves ``/live/…`` and ``/line/…``.
        mode: whether the phone is there for this console only.
        model: which model answers, in words; "": the one of the settings.
        simulated: whether that is the simulated one.
        on_drain: stops the process once live calls have ended.
        listeners: sockets that listen already; they are closed at the end. None: as configured.

    Raises:
        ConfigError: the address or port cannot be had.
    """
    listeners = listeners if listeners is not None else await bind_console(config)
    try:
        key = config.key or new_key()
        console = Console(
            phone=phone,
            config=config,
            key=key,
            mode=mode,
            model=model or ("" if phone is None else phone.config.realtime.model),
            simulated=simulated,
            access=Access(config, key),
            sockets=sockets,
            on_drain=on_drain,
            port=listeners[0].socket.getsockname()[1],
        )
        async with (
            open_http(make_console_app(console), max_message=PHONE_MESSAGE_BYTES) as serve_http,
            trio.open_nursery() as nursery,
        ):
            port = ConsolePort(console, serve_http, nursery)
            for listener in listeners:
                nursery.start_soon(port.accept_from, listener, name="console port")
            yield console
            nursery.cancel_scope.cancel(reason="leaving")
    finally:
        close(listeners)


async def bind_console(config: ConsoleConfig) -> list[trio.SocketListener]:
    """Listen where the console is configured.

    Raises:
        ConfigError: it cannot be had.
    """
    try:
        return await trio.open_tcp_listeners(config.port, host=config.host)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "unknown error")
        why = f"cannot listen on port {config.port} of {config.host} ({name})"
        raise ConfigError("console.port", why, "set it to a free one, or to 0 for none") from error
