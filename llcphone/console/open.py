"""Opening a console: where it listens, and what belongs to it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Literal

import trio

from llcphone.console.access import Access, new_key
from llcphone.console.app import make_console_app
from llcphone.console.console import Console, Operations
from llcphone.console.listening import bind_console
from llcphone.console.live import Live
from llcphone.console.port import ConsolePort
from llcphone.console.recent_warnings import kept_warnings
from llcphone.server.api.desk import Desk
from llcphone.server.http import open_http
from llcphone.server.socket_passing import close
from llcphone.telemetry.redaction import Mask, secrets_of
from llcphone.wire.websocket import PHONE_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

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
    operations: Operations | None = None,
    listeners: Sequence[trio.SocketListener] | None = None,
) -> AsyncIterator[Console]:
    """Serve a console of this phone until the block is left.

    Args:
        phone: what it shows; None: nothing but a telephone that rings another server.
        config: its settings.
        sockets: what serves ``/line/…``, if anything does.
        mode: whether the phone is there for this console only.
        model: which model answers, in words; "": the one of the settings.
        simulated: whether that is the simulated one.
        operations: what the command line lets it do.
        listeners: sockets that listen already; they are closed at the end. None: as configured.

    Raises:
        ConfigError: the address or port cannot be had.
    """
    listeners = listeners if listeners is not None else await bind_console(config)
    mask = Mask([] if phone is None else secrets_of(phone.config))
    live, desk = (None, None) if phone is None else (Live(phone, config), Desk.of(phone))
    try:
        key = config.key or new_key()
        with kept_warnings(mask) as warnings:
            async with trio.open_nursery() as tasks:
                console = Console(
                    phone=phone,
                    config=config,
                    key=key,
                    mode=mode,
                    model=model or ("" if phone is None else phone.config.realtime.model),
                    simulated=simulated,
                    access=Access(config, key),
                    sockets=sockets if live is None else {"live": live.serve, **sockets},
                    live=live,
                    desk=desk,
                    operations=operations or Operations(),
                    warnings=warnings,
                    tasks=tasks,
                    port=listeners[0].socket.getsockname()[1],
                )
                if live is not None:
                    keep = partial(live.phone.faults.keep, "live calls not shown", live.run)
                    tasks.start_soon(keep, name="live calls")
                async with _served(console, listeners):
                    yield console
                tasks.cancel_scope.cancel(reason="leaving")
    finally:
        close(listeners)
        if desk is not None:
            desk.close()


@asynccontextmanager
async def _served(console: Console, listeners: Sequence[trio.SocketListener]) -> AsyncIterator[None]:
    app = make_console_app(console)
    async with (
        open_http(app, max_message=PHONE_MESSAGE_BYTES) as serve_http,
        trio.open_nursery() as connections,
    ):
        port = ConsolePort(console, serve_http, connections)
        for listener in listeners:
            connections.start_soon(port.accept_from, listener, name="console port")
        yield
        connections.cancel_scope.cancel(reason="leaving")
