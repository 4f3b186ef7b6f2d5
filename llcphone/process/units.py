"""Unit files for systemd and pm2, filled in for this installation and its settings.

Several nodes of one machine are one template unit, ``llcphone@.service``, in one folder. An instance is named
after its port, and what else must differ from the other nodes' is made of that: `node_environment`.
"""

from __future__ import annotations

import json
import shlex
import sys
from importlib.resources import files
from pathlib import PurePath
from string import Template
from typing import TYPE_CHECKING

from llcphone.errors import ConfigError
from llcphone.process.health import local_address

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.config import Config

WATCHDOG_S = 30
NODE_WATCHDOG_S = 10
"""The other nodes have its calls by then: a proxy leaves a node that does not answer after two seconds."""
BEYOND_S = 30
"""How much longer than the drain limit a supervisor waits; the server itself needs five seconds at most."""
_MOST_NODES = 64
_MOST_PORT = 9_999
"""A digit can be put before it."""
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


def systemd_unit(config: Config, command: list[str], folder: Path, *, user: bool, nodes: int = 0) -> str:
    """A unit of type notify, with a watchdog, and a stop time beyond the drain; for the system or a user.

    Args:
        config: all settings.
        command: `serve_command`.
        folder: where it runs.
        user: for a user's own systemd.
        nodes: of how many nodes it is the template; 0: of one server.

    Raises:
        ConfigError: the nodes cannot have ports in a row.
    """
    drain = round(config.drain.limit_s)
    head = [f"# Written by: llcphone unit systemd{'-user' * user}{f' --nodes {nodes}' * bool(nodes)}"]
    head += [f"# {line}".rstrip() for line in systemd_steps(config, user=user, nodes=nodes)]
    environment = node_environment(config, _PORT) if nodes else {}
    lines = [f'Environment="{_escaped(f"{name}={value}")}"\n' for name, value in environment.items()]
    return _template("llcphone.service").substitute(
        head="\n".join(head),
        instance=" on port %i" if nodes else "",
        command=" ".join(_quoted(word) for word in command),
        folder=str(folder).replace("%", "%%"),
        environment="".join(lines).replace(_PORT, "%i"),
        watchdog=NODE_WATCHDOG_S if nodes else WATCHDOG_S,
        drain=drain,
        stop=drain + BEYOND_S,
        start=_START_S,
        descriptors=max(1024, SOCKETS_PER_CALL * config.server.max_calls + OTHER_DESCRIPTORS),
        hardening="" if user else _HARDENING,  # a user's manager may not do all of these
        target="default.target" if user else "multi-user.target",
    )


def systemd_steps(config: Config, *, user: bool, nodes: int = 0) -> list[str]:
    """What is to be done with the unit, line by line."""
    unit, kind = config.process.unit, "systemd-user" if user else "systemd"
    systemctl = "systemctl --user" if user else "sudo systemctl"
    folder = "~/.config/systemd/user" if user else "/etc/systemd/system"
    instances = [f"{unit}@{port}" for port in node_ports(config, nodes)] if nodes else [unit]
    steps = [
        f"It belongs into {folder}/{unit}{'@' * bool(nodes)}.service. Then:",
        f"  {systemctl} daemon-reload && {systemctl} enable --now {' '.join(instances)}",
        f'  set process.supervisor = "{kind}", so that llcphone restart goes by it',
    ]
    if not nodes:
        return steps
    steps.append(f"  llcphone unit haproxy --nodes {nodes} --out haproxy.cfg   (the proxy in front of them)")
    if config.shared_url:
        steps.append("  llcphone status --nodes shows them; llcphone restart --all-nodes replaces one by one")
    else:
        steps.append('  set shared.url = "sqlite:///shared.db", so that limits hold over all nodes')
    return steps


# -- nodes of one machine -----------------------------------------------------------------------

_PORT = "\0"
"""Stands for an instance's name."""


def node_ports(config: Config, nodes: int) -> list[int]:
    """The ports of so many nodes: server.port and those after it.

    Raises:
        ConfigError: they cannot be had.
    """
    first, server = config.server.port, "server.port"
    if not 1 <= nodes <= _MOST_NODES:
        raise ConfigError("--nodes", f"is not from 1 to {_MOST_NODES}", "as many as the machine has cores")
    if first == 0:
        raise ConfigError(
            server, "is 0, so nobody knows the ports of nodes", "set it to the first node's port"
        )
    more = config.metrics.port or config.console.port
    most = _MOST_PORT if more else 65_535
    if first + nodes - 1 > most:
        raise ConfigError(server, f"is too high: the last node's would be above {most}", "set it to 8081")
    return list(range(first, first + nodes))


def node_environment(config: Config, port: int | str) -> dict[str, str]:
    """The settings in which one node of a machine differs from the others in its folder."""
    pid_file, log_file = (
        _with_port(each, port) for each in (config.process.pid_file, config.process.log_file)
    )
    own = {
        "SERVER__PORT": str(port),
        "SERVER__NODE": f"{config.server.node or 'n'}{port}",
        "PROCESS__UNIT": f"{config.process.unit}@{port}",
        "PROCESS__PID_FILE": pid_file,
        "PROCESS__LOG_FILE": log_file,
    }
    if config.metrics.port:
        own["METRICS__PORT"] = f"1{port}"
    if config.console.port:
        own["CONSOLE__PORT"] = f"2{port}"
    return {f"LLCPHONE_{name}": value for name, value in own.items()}


def nodes_here(config: Config, nodes: int) -> dict[str, str]:
    """Names and addresses of so many nodes of this machine, as a proxy on it finds them.

    Raises:
        ConfigError: as `node_ports`.
    """
    host = local_address(config.server.host)
    host = f"[{host}]" if ":" in host else host
    names = {
        port: node_environment(config, port)["LLCPHONE_SERVER__NODE"] for port in node_ports(config, nodes)
    }
    return {name: f"{host}:{port}" for port, name in names.items()}


def _with_port(file: str, port: int | str) -> str:
    path = PurePath(file)
    return str(path.with_name(f"{path.stem}-{port}{path.suffix}")) if file else ""


def _escaped(text: str) -> str:
    """As systemd reads a quoted word that holds no variable."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


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
