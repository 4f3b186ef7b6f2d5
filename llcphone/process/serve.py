"""What ``llcphone serve`` runs: the server, with all that lets others find, watch and stop its process."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import trio

from llcphone.process.notify import passed_sockets, stopped, stopping, watched
from llcphone.process.pidfile import own_pid_file, read_pid_file, written
from llcphone.server.handover import Handover, new_address
from llcphone.server.run import bind, serve_until_signal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from llcphone.config import Config
    from llcphone.phone.agents import AgentChoice
    from llcphone.phone.phone import Phone
    from llcphone.process.console import ServeConsole
    from llcphone.server.listener import PublicListener


async def serve_as_process(
    config: Config,
    agent: AgentChoice,
    *,
    replace: bool = False,
    beside: Sequence[Callable[[Phone], Awaitable[object]]] = (),
    console: ServeConsole | None = None,
    on_serving: Callable[[], object] = lambda: None,
) -> None:
    """Serve until a signal, as a process that can be found.

    Args:
        replace: take the port from the server of this folder, if one runs, once calls would be taken here.
        beside: each is run with the phone while it is served.
        console: served with the phone, too.
        on_serving: called once the port is served.

    Raises:
        ConfigError: the address or port cannot be had; nothing was started then.
    """
    handover = _handover(config) if replace else Handover(new_address())
    listeners = passed_sockets() or None
    if listeners is None and not handover.takes_port:
        listeners = await bind(config.server)  # outside every nursery: it complains bare
        if console is not None:
            await console.bind()
    serve = partial(
        serve_until_signal,
        config,
        agent,
        listeners=listeners,
        handover=handover,
        on_stop=partial(stopping, config.drain.limit_s),
        beside=beside if console is None else [*beside, partial(console.run, handover=handover)],
    )
    ended = trio.Event()

    async def run(task_status: trio.TaskStatus[PublicListener]) -> None:
        try:
            await serve(task_status=task_status)
        finally:
            ended.set()

    async with trio.open_nursery() as nursery:
        listener: PublicListener = await nursery.start(run, name="server process")
        # Only now: a process that could not listen must not overwrite the pid file of the one that does.
        pid_file = own_pid_file(config.server.host, listener.addresses[0][1], handover.address)
        with written(config.process.pid_file, pid_file):
            on_serving()
            async with watched():
                await ended.wait()
    stopped()


def _handover(config: Config) -> Handover:
    """From whom the port is taken, and how it is given to the next."""
    pid_file, server = read_pid_file(config.process.pid_file), config.server
    if pid_file is None or not pid_file.alive or pid_file.pid == os.getpid():
        return Handover(new_address())
    same = pid_file.host == server.host and server.port in (0, pid_file.port)
    return Handover(new_address(), pid_file.handover, same_port=same)
