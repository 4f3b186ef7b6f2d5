"""The console of ``llcphone serve``, beside the server."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs
import trio

from llcphone.console.console import Operations
from llcphone.console.listening import bind_console
from llcphone.console.open import open_console
from llcphone.errors import ConfigError
from llcphone.process.health import local_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from llcphone.config import Config
    from llcphone.console.access import Session
    from llcphone.console.console import Console
    from llcphone.phone.phone import Phone
    from llcphone.server.handover import Handover
    from llcphone.wire.leg import Leg

AGAIN_S = 0.25
"""Between two attempts to listen where the process before this one still does."""


@attrs.define(eq=False)
class ServeConsole:
    """Serves the console while the server has its port."""

    config: Config
    settings: Sequence[tuple[str, str, str]] = attrs.field(repr=False)
    """Key, value as shown, and where it comes from."""
    doctor: Sequence[str]
    """The command that prints a report as JSON."""
    on_open: Callable[[Console], object] = lambda console: None
    _listeners: list[trio.SocketListener] | None = attrs.field(default=None, init=False)

    async def bind(self) -> None:
        """Listen before the server is begun, so that what is wrong is said at once.

        Raises:
            ConfigError: the address or port cannot be had.
        """
        self._listeners = await bind_console(self.config.console)

    async def run(self, phone: Phone, handover: Handover) -> None:
        """Serve until another process has the port; the next one then listens here."""
        listeners, self._listeners = self._listeners, None
        while listeners is None:
            try:
                listeners = await bind_console(self.config.console)
            except ConfigError:
                if not handover.previous:
                    raise
                await trio.sleep(AGAIN_S)
        drain = partial(os.kill, os.getpid(), signal.SIGTERM)
        operations = Operations(drain=drain, doctor=self.doctor, settings=self.settings)
        has_phone = self.config.console.phone and self.config.server.port
        sockets = {"line": partial(serve_line, phone)} if has_phone else {}
        opened = open_console(
            phone, self.config.console, sockets=sockets, operations=operations, listeners=listeners
        )
        async with opened as console:
            self.on_open(console)
            await handover.given.wait()


def doctor_command(config: Path | None, agent: Path | None) -> list[str]:
    """The doctor, for the settings and the agent of this server."""
    command = [sys.executable, "-m", "llcphone", "doctor", "--json"]
    command += ["--config", str(config)] if config else []
    return command + (["--agent", str(agent)] if agent else [])


async def serve_line(phone: Phone, leg: Leg, session: Session) -> None:
    """Be a telephone that rings this server by its public port, as Twilio would."""
    # Imported here: a server whose console has no telephone needs no simulator.
    from llcphone.console.line import Lines
    from llcphone.sim.twilio import ACCOUNT_SID, NUMBER, open_twilio

    server, twilio = phone.config.server, phone.config.twilio
    here = urlsplit(local_url(server.host, server.port))
    desks = phone.config.transfers.destinations
    lines = Lines(
        model=phone.config.realtime.model,
        call_id=phone.call_id_of,
        names={table["number"]: name for name, table in desks.items()},
    )
    async with open_twilio(
        webhook_url=f"{server.public_url}/twiml",
        auth_token=twilio.auth_token,
        account_sid=twilio.account_sid or ACCOUNT_SID,
        numbers=phone.config.own_numbers or (NUMBER,),
        public_url=server.public_url,
        connect_to=(here.hostname or "", here.port or 0),
        callee=lines.callee,
        keep_audio=False,
    ) as lines.twilio:
        await lines.serve(leg, session)
