"""What ``llcphone serve`` runs: the server, with all that lets others find, watch and stop its process."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio

from llcphone.process.marks import passed_sockets, stopped, stopping, watched_by_systemd
from llcphone.process.pidfile import marked
from llcphone.server.run import bind, serve_until_signal

if TYPE_CHECKING:
    from llcphone.config import Config
    from llcphone.phone import AgentChoice
    from llcphone.server.door import Door


async def serve_as_process(config: Config, agent: AgentChoice) -> None:
    """Serve until a signal, as a process that can be found.

    Args:
        config: all settings.
        agent: who answers.

    Raises:
        ConfigError: the address or port cannot be had; nothing was started then.
    """
    listeners = passed_sockets() or await bind(config.server)  # outside every nursery: it complains bare
    serve = partial(
        serve_until_signal,
        config,
        agent,
        listeners=listeners,
        on_stop=partial(stopping, config.server.drain_limit_s),
    )
    ended = trio.Event()

    async def run(task_status: trio.TaskStatus[Door]) -> None:
        try:
            await serve(task_status=task_status)
        finally:
            ended.set()

    async with trio.open_nursery() as nursery:
        door: Door = await nursery.start(run, name="server process")
        # Only now: who could not listen must not take the pid file of who does.
        with marked(config.process.pid_file, door.addresses[0][1]):
            async with watched_by_systemd():
                await ended.wait()
    stopped()
