"""What ``llcphone serve`` does before it takes a call, tried: read its files, and listen."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from llcphone.call.setup import machine_message
from llcphone.console.listening import bind_console
from llcphone.doctor.agents import load_agents
from llcphone.doctor.report import Finding, Status, good, refused, unknown, warn
from llcphone.errors import ConfigError
from llcphone.phone.call_store import wants_store
from llcphone.phone.day_budget import DayBudget
from llcphone.phone.open import examined
from llcphone.process.pidfile import read_pid_file
from llcphone.server.metrics_port import bind_private
from llcphone.server.port_owners import port_owners
from llcphone.server.run import bind, need_traces
from llcphone.settings import Loaded, hides_from_its_platform, with_store
from llcphone.store.caldav import CalDav

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.doctor.context import DoctorContext


async def start(context: DoctorContext) -> list[Finding]:
    """Whether settings, agents and the files that they name let a server start; nothing is opened."""
    config = with_store(context.config, context.path)
    parts: list[Callable[[], object]] = [
        lambda: DayBudget(config.money, time.time),
        lambda: machine_message(config),
        lambda: wants_store(config),
        lambda: need_traces(config.metrics),
        lambda: config.calendar.url and CalDav(config.calendar),
    ]
    findings = []
    try:
        load_agents(context)
    except ConfigError:
        fix = "see: llcphone doctor --only settings"
        findings.append(unknown("start", "not examined with the agents: they cannot be loaded", fix))
    else:
        parts.insert(0, lambda: examined(config, context.loaded["choice"]))
    for part in parts:
        try:
            part()
        except ConfigError as exc:
            findings.append(refused("start", exc))
    seen = "settings and agents fit each other, and the files that they name can be read"
    return findings or [good("start", seen)]


async def listening(context: DoctorContext) -> list[Finding]:
    """Where the server listens, tried where none does yet."""
    server = context.config.server
    where = f"the server listens on {server.host}, port {server.port}"
    if variable := hides_from_its_platform(Loaded(context.config, dict(context.origin)), context.environ):
        seen = f"{where}, so nothing outside this machine reaches it, and the environment has {variable}"
        fix = 'set server.host = "0.0.0.0" (LLCPHONE_SERVER__HOST); beside a tunnel or proxy of this machine '
        findings = [warn("listening address", seen, f'{fix}"127.0.0.1" says that it is meant')]
    else:
        findings = [good("listening address", where)]
    pid_file = read_pid_file(context.config.process.pid_file)
    if (pid_file is not None and pid_file.alive) or port_owners(server.port):
        return findings  # taken: by whom is what the checks of the process say
    console = context.config.console
    for name, opened in {
        "listening address": partial(bind, server),
        "metrics port": partial(bind_private, context.config.metrics),
        **({"console port": partial(bind_console, console)} if console.port else {}),
    }.items():
        try:
            for listener in await opened():
                listener.socket.close()
        except ConfigError as exc:
            findings = [each for each in findings if each.check != name or each.status is not Status.PASS]
            findings.append(refused(name, exc))
    return findings
