"""``llcphone status``: the state of the server, in a few lines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]

from llcphone.process.health import ask_health, ask_ready
from llcphone.process.pidfile import read_pid_file
from llcphone.server.port_owners import port_owners, real_path
from llcphone.settings import DEFAULT_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.config import Config


async def standing(config: Config, path: Path | None = None) -> dict[str, Any]:
    """What can be seen of the server from here; another project's has another settings file."""
    pid_file = read_pid_file(config.process.pid_file)
    alive = pid_file is not None and pid_file.alive
    there = pid_file if alive else None
    host, port = (there.host, there.port) if there is not None else (config.server.host, config.server.port)
    owners = port_owners(port)
    ours = [each for each in owners if each.settings == real_path(path or DEFAULT_FILE)]
    strangers = [each for each in owners if each.settings and each not in ours] if there is None else []
    health = await ask_health(host, port) if ours or not strangers else None
    reasons = await ask_ready(host, port) if health is not None else None
    pid = there.pid if there is not None else next((each.pid for each in ours), None)
    return {
        "running": health is not None,
        "pid": pid,
        "stale_pid_file": pid_file is not None and not alive,
        "port": port,
        "others": [str(each) for each in strangers],
        "owners": [str(each) for each in owners],
        "alive": health is not None and health.alive,
        "ready": reasons == [],
        "reasons": list(reasons or ()),
        **(_figures(pid) if pid is not None else {}),
    }


def _figures(pid: int) -> dict[str, Any]:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return {
                "up_s": round(time.time() - process.create_time()),
                "memory_mb": round(process.memory_info().rss / 1e6, 1),
                "descriptors": process.num_fds() if hasattr(process, "num_fds") else None,
            }
    except psutil.Error:
        return {}


_PLAIN = {"draining": "draining (new callers get a busy tone; live ones talk on)"}
"""Reasons of one word, for people."""


def standing_lines(found: dict[str, Any]) -> list[str]:
    if found["others"] and not found["running"]:
        others = "; ".join(found["others"])
        told = [f"no server of this project runs; port {found['port']} belongs to {others}"]
    elif not found["running"]:
        told = [f"no llcphone answers on port {found['port']}"]
    else:
        reasons = "; ".join(_PLAIN.get(each, each) for each in found["reasons"])
        state = "takes calls" if found["ready"] else f"takes no new calls: {reasons}"
        told = [f"pid {found['pid']} answers on port {found['port']}, {state}"]
    if found["stale_pid_file"]:
        told.append("the pid file is stale")
    if len(found["owners"]) > 1 or (found["owners"] and not found["running"] and not found["others"]):
        told += [f"listening: {each}" for each in found["owners"]]
    if "up_s" in found:
        figures = f"up {found['up_s']} s, {found['memory_mb']} MB, {found['descriptors']} descriptors"
        told.append(figures)
    return told
