"""The section about the server's process: [process], how it is found, stopped and started."""

from __future__ import annotations

import shlex
from typing import Literal

from attrs import frozen

from llcphone.config.fields import NOT_EMPTY, Rule, Section, between, setting


def _splits(text: str) -> bool:
    try:
        return bool(not text or shlex.split(text))
    except ValueError:
        return False


_COMMAND = Rule("a command with balanced quotes, run without a shell", _splits)


@frozen(kw_only=True)
class ProcessConfig(Section):
    """[process]: how `llcphone restart`, `stop` and `status` find, stop and start the server."""

    pid_file: str = setting("llcphone.pid", private=True)
    """Where `serve` says which process it is; "" writes none."""
    log_file: str = setting("llcphone.log", NOT_EMPTY, private=True)
    """What a server that `restart` itself starts tells goes there; a supervisor has its own logs."""
    supervisor: Literal["none", "systemd", "systemd-user", "pm2", "docker"] = setting("none", private=True)
    """Who keeps the server running; its usual commands then stop and start it."""
    unit: str = setting("llcphone", NOT_EMPTY, private=True)
    """What the supervisor calls the server: unit, application or container."""
    stop_command: str = setting("", _COMMAND, private=True)
    """Command that stops the server for good, respawning included; "" takes the supervisor's usual one."""
    start_command: str = setting("", _COMMAND, private=True)
    """Command that starts it and returns; "" takes the supervisor's usual one."""
    start_timeout_s: float = setting(30.0, between(1.0, 600.0))
    """From the start to a server that takes calls; one that replaces another and is late ends."""
    term_timeout_s: float = setting(5.0, between(0.1, 600.0))
    """What a process that hangs, or is foreign and forced, gets between TERM and KILL."""
