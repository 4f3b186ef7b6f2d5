"""``llcphone serve``: the server in the foreground."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from llcphone import settings
from llcphone.cli.options import AgentPath, ConfigPath
from llcphone.modes.agent_file import agent_of
from llcphone.process.agent_source import AgentSource, looks_of
from llcphone.process.reloading import Reloading
from llcphone.process.serve import serve_as_process
from llcphone.runtime.log_lines import logger
from llcphone.snapshots import finish
from llcphone.telemetry.logs import configure_logs
from llcphone.telemetry.redaction import secrets_of

if TYPE_CHECKING:
    from llcphone.console.console import Console

log = logger("llcphone.server")


async def serve(
    *, config: ConfigPath = None, agent: AgentPath = None, reload: bool = False, replace: bool = False
) -> None:
    """Answer calls until SIGTERM or SIGINT, then drain.

    Args:
        reload: while you write an agent: load the agent again when its files change; live calls keep theirs.
        replace: take over the port of the running server when this one is ready; its live calls continue.
    """
    file = config or settings.DEFAULT_FILE
    finish(file)  # of a restore that was broken off, all or nothing is in effect
    settings_files = looks_of((file, file.with_name(".env")))
    found = settings.load(config)
    loaded = settings.with_store(settings.with_journal(found.config), config)
    loaded.check_ready_to_serve()
    configure_logs(loaded.log, secrets_of(loaded))
    load = partial(agent_of, loaded, agent)
    reloading = Reloading(AgentSource(load), settings_files, _tell_of_reload) if reload else None
    chosen = load() if reloading is None else reloading.begin()
    if variable := settings.hides_from_its_platform(found):
        log.warning(
            "only this machine can reach the server: set server.host to 0.0.0.0",
            extra={"host": loaded.server.host, "because_of": variable},
        )
    voice_url = f"Give Twilio this voice URL (POST): {loaded.server.public_url}/twiml"
    say = partial(print, voice_url, file=sys.stderr)
    beside = [] if reloading is None else [reloading.run]
    console = None
    if loaded.console.port:
        from llcphone.process.console import ServeConsole, doctor_command

        rows, doctor = settings.explain(found), doctor_command(config, agent)
        console = ServeConsole(loaded, rows, doctor, on_open=_tell_of_console)
    await serve_as_process(loaded, chosen, replace=replace, beside=beside, console=console, on_serving=say)


def _tell_of_console(console: Console) -> None:
    """Where it is; a link only if nobody could make one: what is printed here ends up in logs."""
    how = "llcphone console prints a link" if console.config.key else f"once: {console.link()}"
    print(f"The console is at {console.origin}; {how}", file=sys.stderr, flush=True)


def _tell_of_reload(text: str) -> None:
    print(f"reload: {text}", file=sys.stderr, flush=True)
