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

    pid_file: str = setting("llcphone.pid", private=True, advanced=True)
    """File in which `serve` writes its process id; "": none."""
    log_file: str = setting("llcphone.log", NOT_EMPTY, private=True, advanced=True)
    """Log file of a server that `restart` starts itself; with a supervisor, the supervisor keeps the log."""
    supervisor: Literal["none", "systemd", "systemd-user", "pm2", "docker"] = setting("none", private=True)
    """Program that keeps the server running; its usual commands then stop and start the server."""
    unit: str = setting("llcphone", NOT_EMPTY, private=True)
    """Name of the server in the supervisor: unit, application or container."""
    stop_command: str = setting("", _COMMAND, private=True, advanced=True)
    """Command that stops the server and its respawning; "": the supervisor's usual one."""
    start_command: str = setting("", _COMMAND, private=True, advanced=True)
    """Command that starts the server and returns; "": the supervisor's usual one."""
    start_timeout_s: float = setting(30.0, between(1.0, 600.0), advanced=True)
    """Longest time from the start to a server that accepts calls. A replacement that is late ends itself."""
    term_timeout_s: float = setting(5.0, between(0.1, 600.0), advanced=True)
    """Time between TERM and KILL for a process that hangs, or for a foreign one with --force."""
