"""``llcphone serve``: the server in the foreground."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack

from llcphone import settings
from llcphone.agent_file import agent_of
from llcphone.cli.options import AgentPath, ConfigPath
from llcphone.logs import configure_logs
from llcphone.masking import secrets_of
from llcphone.process.serving import serve_as_process
from llcphone.snapshots import finish
from llcphone.store.lines import open_record_file


async def serve(*, config: ConfigPath = None, agent: AgentPath = None) -> None:
    """Answer calls until SIGTERM or SIGINT, then drain."""
    finish(config or settings.DEFAULT_FILE)  # of a restore that was broken off, all or nothing is in effect
    loaded = settings.with_store(settings.with_journal(settings.load(config).config), config)
    loaded.check_ready_to_serve()
    configure_logs(loaded.log, secrets_of(loaded))
    chosen = agent_of(loaded, agent)
    print(f"Give Twilio this voice URL (POST): {loaded.server.public_url}/twiml", file=sys.stderr)
    async with AsyncExitStack() as stack:
        path = loaded.records.path
        keep = await stack.enter_async_context(open_record_file(path)) if path else None
        await serve_as_process(loaded, chosen, keep)
