"""``llcphone serve``: the server in the foreground."""

from __future__ import annotations

import logging
import sys

from llcphone import settings
from llcphone.agent_file import agent_of
from llcphone.cli.options import AgentPath, ConfigPath
from llcphone.logs import configure_logs
from llcphone.masking import secrets_of
from llcphone.process.serving import serve_as_process
from llcphone.snapshots import finish

log = logging.getLogger("llcphone.server")


async def serve(*, config: ConfigPath = None, agent: AgentPath = None) -> None:
    """Answer calls until SIGTERM or SIGINT, then drain."""
    finish(config or settings.DEFAULT_FILE)  # of a restore that was broken off, all or nothing is in effect
    found = settings.load(config)
    loaded = settings.with_store(settings.with_journal(found.config), config)
    loaded.check_ready_to_serve()
    configure_logs(loaded.log, secrets_of(loaded))
    chosen = agent_of(loaded, agent)
    if variable := settings.hides_from_its_platform(found):
        log.warning(
            "only this machine can reach the server: set server.host to 0.0.0.0",
            extra={"host": loaded.server.host, "because_of": variable},
        )
    print(f"Give Twilio this voice URL (POST): {loaded.server.public_url}/twiml", file=sys.stderr)
    await serve_as_process(loaded, chosen)
