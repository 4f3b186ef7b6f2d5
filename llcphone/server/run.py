"""The process's part: bind, serve, and stop in the right order.

The order of a stop: admission off and live calls to their end
(``phone.drain``; the listener still accepts the streams of existing calls) -> listening sockets closed
-> HTTP exchanges, bounded -> the phone's own exit. A second signal ends everything at once.
"""

from __future__ import annotations

import errno
import signal
import socket
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio

from llcphone.config import Config
from llcphone.config.drain import LEAVING_S
from llcphone.errors import ConfigError
from llcphone.phone.open import open_phone
from llcphone.runtime.containment import contained
from llcphone.runtime.host import need_trio
from llcphone.runtime.log_lines import logger
from llcphone.server.app import make_app
from llcphone.server.gc_tuning import quiet_interpreter
from llcphone.server.handover import Handover
from llcphone.server.http import open_http
from llcphone.server.listener import PublicListener, serve_public_port
from llcphone.server.metrics_port import open_private_port
from llcphone.server.port_owners import port_owners
from llcphone.server.socket_passing import close
from llcphone.validation.arguments import need, need_methods
from llcphone.wire.websocket import PHONE_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from llcphone.config import ServerConfig
    from llcphone.config.metrics import MetricsConfig
    from llcphone.phone.agents import AgentChoice
    from llcphone.phone.calls import OnNote, OnRecord
    from llcphone.phone.phone import Phone

log = logger("llcphone.server")


async def serve(
    phone: Phone,
    config: Config,
    *,
    listeners: Sequence[trio.SocketListener] | None = None,
    handover: Handover | None = None,
    task_status: trio.TaskStatus[PublicListener] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve this phone on the configured port until the started `PublicListener` has to stop accepting.

    Args:
        phone: whose calls are served; it stays its owner's.
        config: all settings.
        listeners: sockets that listen already (they are closed at the end); None binds as configured.
        handover: how the port is taken from the process before this one, and given to the next.

    Raises:
        ConfigError: the address or port cannot be had, with how to fix it.
    """
    need_trio("serve")
    need_methods(phone, ("answer", "join"), "serve: phone", "the phone that open_phone yields")
    need(config, Config, "serve: config", "what load_config returns")
    handover = handover or Handover()
    if not handover.takes_port:
        listeners = listeners or await bind(config.server)
    try:
        async with (
            open_traces(phone, config.metrics),
            open_http(make_app(phone), max_message=PHONE_MESSAGE_BYTES) as http,
        ):
            taken = await handover.take(phone, config.process.start_timeout_s)
            listeners = listeners or taken.public
            async with open_private_port(phone, config.metrics, taken.private) as handover.private:
                start = partial(serve_public_port, limits=config.server, previous=taken.previous)
                await start(listeners, http, phone, task_status=task_status)
    finally:
        close(listeners or ())


@asynccontextmanager
async def open_traces(phone: Phone, settings: MetricsConfig) -> AsyncIterator[None]:
    """Send spans of this phone's calls until the block is left.

    Raises:
        ConfigError: OpenTelemetry is not installed.
    """
    if not settings.traces_url:
        yield
        return
    async with _exporter()(phone, settings.traces_url):
        yield


def need_traces(settings: MetricsConfig) -> None:
    """See that spans can be sent, if they are to be.

    Raises:
        ConfigError: OpenTelemetry is not installed.
    """
    if settings.traces_url:
        _exporter()


def _exporter() -> Callable[[Phone, str], AbstractAsyncContextManager[None]]:
    try:
        from llcphone.telemetry.otlp import open_otlp
    except ModuleNotFoundError as error:
        fix = 'pip install "llcphone[otel]", or set it to ""'
        raise ConfigError("metrics.traces_url", "needs OpenTelemetry", fix) from error
    return open_otlp


BACKLOG = 1_024
"""Connections that the kernel holds while the process is busy; the kernel may allow fewer (somaxconn)."""


async def bind(server: ServerConfig) -> list[trio.SocketListener]:
    """Listen on the configured host and port: one socket per address of the host; "::" takes IPv4 as well."""
    try:
        if server.host == "::" and socket.has_dualstack_ipv6():
            return [_both_kinds(server)]
        return await trio.open_tcp_listeners(server.port, host=server.host, backlog=BACKLOG)
    except OSError as error:
        raise _explain(error, server) from error


def _both_kinds(server: ServerConfig) -> trio.SocketListener:
    everywhere = socket.create_server(
        (server.host, server.port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True
    )
    return trio.SocketListener(trio.socket.from_stdlib_socket(everywhere))


def _explain(error: OSError, server: ServerConfig) -> ConfigError:
    """The setting to change, and how, for an address that cannot be had."""
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        why = f"{server.host} is no address of this machine"
        return ConfigError("server.host", why, "use 127.0.0.1 or 0.0.0.0")
    if error.errno == errno.EADDRINUSE:
        return _taken(server)
    if error.errno == errno.EACCES:
        return ConfigError("server.port", f"port {server.port} needs privileges", "use one above 1023 (8081)")
    name = errno.errorcode.get(error.errno or 0, "unknown error")
    return ConfigError(
        "server.port",
        f"cannot listen on port {server.port} of {server.host}: {name}",
        "set another server.port or server.host",
    )


def _taken(server: ServerConfig) -> ConfigError:
    """The owners of the port, and what ends them."""
    owners = port_owners(server.port)
    whose = f" by {' and '.join(str(owner) for owner in owners)}" if owners else ""
    ends = [owner.fix(server.port) for owner in owners] or ["stop the program that listens there"]
    return ConfigError(
        "server.port",
        f"port {server.port} on {server.host} is taken{whose}",
        "; ".join((*dict.fromkeys(ends), "or set server.port (PORT) to another one")),
    )


async def serve_until_signal(
    config: Config,
    agent: AgentChoice,
    *,
    on_record: OnRecord | None = None,
    on_note: OnNote | None = None,
    listeners: Sequence[trio.SocketListener] | None = None,
    handover: Handover | None = None,
    on_stop: Callable[[], object] | None = None,
    beside: Sequence[Callable[[Phone], Awaitable[object]]] = (),
    task_status: trio.TaskStatus[PublicListener] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Open a phone and serve it until SIGTERM or SIGINT, then drain; a second signal cancels.

    Args:
        config: all settings; `Config.check_ready_to_serve` is the caller's business.
        agent: the agent that answers, or a function that chooses it by the webhook's form.
        on_record: as `llcphone.phone.open.open_phone` takes it.
        on_note: likewise.
        listeners: sockets that listen already; None binds as configured.
        handover: how the port is taken from the process before this one, and given to the next.
        on_stop: called once, when the process is asked to stop.
        beside: each is run with the phone while it is served; begun again if it fails, and cancelled at the
            end.

    Raises:
        ConfigError: the address or port cannot be had; nothing was started then.
    """

    need_trio("serve_until_signal")
    need(config, Config, "serve_until_signal: config", "what load_config returns")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Phone]:
        replaces = handover is not None and bool(handover.previous)
        opening = open_phone(config, agent, on_record=on_record, on_note=on_note, replaces=replaces)
        async with opening as phone:
            with quiet_interpreter(lambda: phone.live_calls) as call_ended:
                phone.on_end.append(call_ended)
                async with trio.open_nursery() as nursery:
                    keep = partial(phone.faults.keep, "task beside the server failed")
                    for run in beside:
                        nursery.start_soon(keep, partial(run, phone), name="beside the server")
                    yield phone
                    nursery.cancel_scope.cancel(reason="served to the end")

    until_signal = partial(run_until_signal, listeners=listeners, handover=handover, on_stop=on_stop)
    await until_signal(opened, config, task_status=task_status)


async def run_until_signal(
    open_phone: Callable[[], AbstractAsyncContextManager[Phone]],
    config: Config,
    *,
    listeners: Sequence[trio.SocketListener] | None = None,
    handover: Handover | None = None,
    on_stop: Callable[[], object] | None = None,
    task_status: trio.TaskStatus[PublicListener] = trio.TASK_STATUS_IGNORED,
) -> None:
    """`serve_until_signal` for a phone from anywhere."""
    handover = handover or Handover()
    if not handover.takes_port:  # first, and outside every nursery: its complaint arrives bare
        listeners = listeners or await bind(config.server)
    stopping = trio.Event()
    try:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as process:
                process.start_soon(_obey, signals, stopping, process.cancel_scope, name="signals")
                async with open_phone() as phone, trio.open_nursery() as nursery:
                    start = partial(serve, phone, config, listeners=listeners, handover=handover)
                    listener: PublicListener = await nursery.start(start, name="server")
                    await handover.serving()
                    async with handover.open_to_successors(phone, listener, stopping.set):
                        log.info(
                            "serving", extra={"host": config.server.host, "port": listener.addresses[0][1]}
                        )
                        task_status.started(listener)
                        await stopping.wait()
                        await _finish(phone, listener, config.drain.limit_s, on_stop)
                    listener.stop_accepting()
                process.cancel_scope.cancel(reason="served to the end")
    finally:
        close(listeners or ())


async def _finish(
    phone: Phone, listener: PublicListener, limit_s: float, on_stop: Callable[[], object] | None
) -> None:
    """Let live calls end; also those whose webhooks came last, if another process has the port now."""
    if listener.port.given:
        log.info("another process has taken the port", extra={"live_calls": phone.live_calls})
        await listener.answered()
    elif phone.config.server.node:
        log.info("leaving: new calls are still taken", extra={"s": LEAVING_S})
        phone.admission.leaving = True
        await trio.sleep(LEAVING_S)
    if on_stop is not None:
        with contained() as failure:
            on_stop()
        if failure.error is not None:  # live calls are drained all the same
            log.error("on_stop failed", extra={"errors": failure.kinds})
    log.info("draining", extra={"live_calls": phone.live_calls})
    await phone.drain(limit_s)


async def _obey(signals: AsyncIterator[int], stopping: trio.Event, everything: trio.CancelScope) -> None:
    """First signal: finish the calls. Second: end them."""
    asked = False
    async for _ in signals:
        if asked:
            log.warning("second signal: ending all calls")
            everything.cancel(reason="second signal")
        asked = True
        stopping.set()
