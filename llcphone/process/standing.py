"""``llcphone status``: how the server stands, in a few lines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]

from llcphone.owners import Kind, port_owners
from llcphone.process.health import ask_health, ask_ready
from llcphone.process.pidfile import read_mark

if TYPE_CHECKING:
    from llcphone.config import Config


async def standing(config: Config) -> dict[str, Any]:
    """What can be seen of the server from here."""
    mark = read_mark(config.process.pid_file)
    alive = mark is not None and mark.alive
    port = mark.port if mark is not None and alive else config.server.port
    owners = port_owners(port)
    health = await ask_health(config.server.host, port)
    reasons = await ask_ready(config.server.host, port) if health is not None else None
    pid = mark.pid if mark is not None and alive else next((each.pid for each in owners if _ours(each)), None)
    return {
        "running": health is not None,
        "pid": pid,
        "stale_pid_file": mark is not None and not alive,
        "port": port,
        "owners": [str(each) for each in owners],
        "alive": health is not None and health.alive,
        "ready": reasons == [],
        "reasons": list(reasons or ()),
        **(_figures(pid) if pid is not None else {}),
    }


def _ours(owner: Any) -> bool:
    return owner.kind is Kind.OURS


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


def standing_lines(found: dict[str, Any]) -> list[str]:
    """For people."""
    if not found["running"]:
        told = [f"no llcphone answers on port {found['port']}"]
    else:
        state = "takes calls" if found["ready"] else f"turns calls away: {'; '.join(found['reasons'])}"
        told = [f"pid {found['pid']} answers on port {found['port']}, {state}"]
    if found["stale_pid_file"]:
        told.append("the pid file is stale")
    if len(found["owners"]) > 1 or (found["owners"] and not found["running"]):
        told += [f"listening: {each}" for each in found["owners"]]
    if "up_s" in found:
        figures = f"up {found['up_s']} s, {found['memory_mb']} MB, {found['descriptors']} descriptors"
        told.append(figures)
    return told
