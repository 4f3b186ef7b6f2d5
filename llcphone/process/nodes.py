"""The nodes of the table that they share: how each is, and how those of this machine are replaced.

A node is found by its address in the table and by the process that listens there. What makes it this node,
its folder, settings file and variables, is read from that process; so it is restarted as it was started, by
``llcphone restart`` in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
import trio

from llcphone import settings
from llcphone.errors import ConfigError
from llcphone.process.units import node_environment
from llcphone.server.port_owners import Kind, port_owners
from llcphone.shared.nodes import SILENT_S
from llcphone.shared.shared import nodes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llcphone.config import Config
    from llcphone.process.start import Tell
    from llcphone.shared.nodes import SeenNode

SILENT = "silent"
"""State of a node that does not beat any more."""
_SERVING = "serving"
_COLUMNS = ("name", "url", "state", "calls", "version", "last beat")


def state_of(node: SeenNode) -> str:
    """As the others see it."""
    return SILENT if node.silent_s >= SILENT_S else node.state


def as_json(node: SeenNode) -> dict[str, Any]:
    """A node for programs."""
    return {
        "name": node.name,
        "url": node.url,
        "state": state_of(node),
        "live": node.live,
        "capacity": node.capacity,
        "version": node.version,
        "beat_age_s": round(node.silent_s, 1),
    }


def all_serve(nodes: Sequence[SeenNode]) -> bool:
    """Whether each name has a process that serves, perhaps beside one that drains."""
    serving = {node.name for node in nodes if state_of(node) == _SERVING}
    return bool(nodes) and serving == {node.name for node in nodes}


def node_lines(nodes: Sequence[SeenNode]) -> list[str]:
    """A table for people."""
    if not nodes:
        return ["no node has begun"]
    rows = [_COLUMNS]
    for node in nodes:
        calls, beat = f"{node.live}/{node.capacity}", f"{node.silent_s:.1f} s ago"
        rows.append((node.name or "(no name)", node.url, state_of(node), calls, node.version, beat))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


# -- restart ------------------------------------------------------------------------------------


async def restart_nodes(config: Config, tell: Tell) -> bool:
    """Replace the nodes of this machine, one after the other; False: one failed, and the rest was left.

    Raises:
        ConfigError: there is no table of nodes.
    """
    found = {node.name: node for node in await nodes_of(config) if node.name and state_of(node) != SILENT}
    done: list[str] = []
    elsewhere: list[str] = []
    for name, node in found.items():
        job = _job_of(node, config)
        if job is None:
            elsewhere.append(f"{name} at {node.url or 'an unknown address'}")
            continue
        tell(f"{name}: restarting, it has {node.live} of at most {node.capacity} calls")
        if not await _restart(name, *job, tell):
            left = [each for each in found if each not in (*done, name)]
            tell(f"{name} is not well, so no other is restarted; left: {', '.join(left) or '-'}")
            return False
        done.append(name)
    if elsewhere:
        tell(f"not seen on this machine: {', '.join(elsewhere)}. Run this there, as the user of the node")
    tell(f"restarted, and well: {', '.join(done) or 'none'}")
    return bool(done)


def _job_of(node: SeenNode, config: Config) -> tuple[Path, str, dict[str, str]] | None:
    """Folder, settings file and own variables of a node, if its process can be seen here."""
    port = urlsplit(node.url).port if node.url else None
    for owner in port_owners(port) if port else ():
        if owner.kind is not Kind.OURS or owner.pid is None:
            continue
        try:
            process = psutil.Process(owner.pid)
            folder, environ = Path(process.cwd()), process.environ()
        except psutil.Error:
            continue
        own = {name: environ[name] for name in _names(config) if name in environ}
        if _named(owner.settings, environ) == node.name:
            return folder, owner.settings, own
    return None


def _names(config: Config) -> set[str]:
    return {*node_environment(config, 0), "LLCPHONE_METRICS__PORT", "LLCPHONE_CONSOLE__PORT", "PORT"}


def _named(file: str, environ: Mapping[str, str]) -> str:
    """The name of the node that has these settings; "" if they cannot be read any more."""
    path = Path(file)
    try:
        text = "" if not path.exists() else None
        return settings.load(path, environ=environ, text=text).config.server.node
    except ConfigError:
        return ""


async def _restart(name: str, folder: Path, file: str, own: Mapping[str, str], tell: Tell) -> bool:
    command = [sys.executable, "-m", "llcphone", "restart"]
    if Path(file) != (folder / settings.DEFAULT_FILE).resolve():
        command += ["--config", file]
    environ = {word: value for word, value in os.environ.items() if word not in own} | dict(own)
    done = await trio.run_process(
        command, cwd=folder, env=environ, capture_stdout=True, stderr=subprocess.STDOUT, check=False
    )
    for line in done.stdout.decode(errors="replace").splitlines():
        tell(f"{name}: {line}")
    return done.returncode == 0
