"""The supervisor that keeps the server running, and its commands to stop and start it.

A supervisor that respawns must receive its stop command before a process on the port is ended. Otherwise its
next child competes for the port. So a server with such a parent is never only signalled.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]
import trio
from attrs import frozen

if TYPE_CHECKING:
    from llcphone.config import Config

_PRESETS: dict[str, tuple[str, str]] = {
    "systemd": ("systemctl stop {unit}", "systemctl start {unit}"),
    "systemd-user": ("systemctl --user stop {unit}", "systemctl --user start {unit}"),
    "pm2": ("pm2 stop {unit}", "pm2 start {unit}"),
    "docker": ("docker stop --time {patience} {unit}", "docker start {unit}"),
}
"""Each waits until the server has ended, or answers that it has begun."""


@frozen
class Supervisor:
    """Commands that stop and start the server; empty ones are ours to do."""

    name: str
    stop: tuple[str, ...]
    start: tuple[str, ...]


def supervisor_of(config: Config, patience_s: float) -> Supervisor:
    """The configured supervisor; docker needs ``patience_s``, how long a stop may take, as an option."""
    process = config.process
    words = {"unit": shlex.quote(process.unit), "patience": str(round(patience_s))}
    stop, start = (each.format(**words) for each in _PRESETS.get(process.supervisor, ("", "")))
    return Supervisor(
        process.supervisor,
        tuple(shlex.split(process.stop_command or stop)),
        tuple(shlex.split(process.start_command or start)),
    )


def respawner_of(pid: int) -> str:
    """Which supervisor would start this process anew if it ended; "" when none is seen."""
    try:
        environ = psutil.Process(pid).environ()
    except psutil.Error:
        return ""
    if environ.get("SYSTEMD_EXEC_PID") == str(pid):  # INVOCATION_ID alone is inherited by whole desktops
        return "systemd"
    return "pm2" if "pm_id" in environ else ""


async def run_command(argv: tuple[str, ...], timeout_s: float) -> str:
    """Run a supervisor's command; "" when it went well, else what it said, in short."""
    process = None
    try:
        with trio.fail_after(timeout_s):
            process = await trio.run_process(
                list(argv), capture_stdout=True, capture_stderr=True, check=False
            )
    except trio.TooSlowError:
        return f"did not end within {timeout_s:.0f} s"
    except OSError as exc:
        return exc.strerror or "cannot be run"
    if process.returncode == 0:
        return ""
    said = (process.stderr or process.stdout).decode(errors="replace").strip().splitlines()
    return f"ended with {process.returncode}" + (f": {said[-1][:200]}" if said else "")
