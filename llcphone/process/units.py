"""Unit files for systemd and pm2, filled in for this installation and its settings."""

from __future__ import annotations

import json
import shlex
import sys
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.config import Config

WATCHDOG_S = 30
BEYOND_S = 15
"""How much longer than the drain limit a supervisor waits; the server itself needs two seconds at most."""
SOCKETS_PER_CALL = 4
"""Two while it is live, two more while its model session is renewed or the call resumed."""
OTHER_DESCRIPTORS = 64
"""Files and sockets of the process itself."""
_START_S = 60
_HARDENING = "ProtectSystem=full\nProtectKernelTunables=yes\nProtectControlGroups=yes\n"


def serve_command(path: Path | None, agent: Path | None) -> list[str]:
    """The command that serves, by absolute paths."""
    command = [sys.executable, "-m", "llcphone", "serve"]
    command += ["--config", str(path.absolute())] if path else []
    command += ["--agent", str(agent.absolute())] if agent else []
    return command


def systemd_unit(config: Config, command: list[str], folder: Path, *, user: bool) -> str:
    """A unit of type notify, with a watchdog, and a stop time beyond the drain; for the system or a user."""
    name = f"{config.process.unit}.service"
    where = f"~/.config/systemd/user/{name}" if user else f"/etc/systemd/system/{name}"
    drain = round(config.drain.limit_s)
    return _template("llcphone.service").substitute(
        where=where,
        command=" ".join(_quoted(word) for word in command),
        folder=str(folder).replace("%", "%%"),
        watchdog=WATCHDOG_S,
        drain=drain,
        stop=drain + BEYOND_S,
        start=_START_S,
        descriptors=max(1024, SOCKETS_PER_CALL * config.server.max_calls + OTHER_DESCRIPTORS),
        hardening="" if user else _HARDENING,  # a user's manager may not do all of these
        target="default.target" if user else "multi-user.target",
    )


def _quoted(word: str) -> str:
    """As systemd reads a command: quotes as in a shell, and no specifier or variable by accident."""
    return shlex.quote(word).replace("%", "%%").replace("$", "$$")


def pm2_unit(config: Config, command: list[str], folder: Path) -> str:
    """An ecosystem file for one process."""
    drain = round(config.drain.limit_s)
    return _template("ecosystem.config.cjs").substitute(
        name=json.dumps(config.process.unit),
        program=json.dumps(command[0]),
        arguments=json.dumps(command[1:]),
        folder=json.dumps(str(folder)),
        drain=drain,
        kill_ms=(drain + BEYOND_S) * 1000,
    )


def _template(name: str) -> Template:
    return Template(files("llcphone").joinpath("units", name).read_text("utf-8"))
