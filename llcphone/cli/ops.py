"""The commands for running a server: doctor, restart, start, stop, status, unit, number, tunnel."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import cyclopts
from cyclopts import Parameter

from llcphone import settings
from llcphone.cli.options import AgentPath, AsJson, ConfigPath, agreed, confirmed
from llcphone.errors import ConfigError

number = cyclopts.App(name="number", help="Show or set the webhook of your Twilio number.", backend="trio")
_tell = print


async def doctor(
    *,
    config: ConfigPath = None,
    agent: AgentPath = None,
    only: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    quick: bool = False,
    live: bool = False,
    fix: bool = False,
    yes: bool = False,
    as_json: AsJson = False,
) -> None:
    """Look at everything that calls need, infrastructure first, and say how to fix what is broken.

    Args:
        only: groups to look at: settings, process, machine, public, twilio, session, vendors.
        quick: settings, process and session only.
        live: also a check that costs money: the model writes one short text.
        fix: offer safe fixes, and ask before each.
        yes: answer those questions with yes.
    """
    from llcphone.doctor.checks import GROUPS, QUICK, run_checks
    from llcphone.doctor.context import context_of
    from llcphone.doctor.fix import offer_fixes
    from llcphone.doctor.report import Finding, exit_code, lines, verdict

    def show(title: str, findings: list[Finding]) -> None:
        if not as_json:
            _tell(title, *lines(findings), sep="\n")

    groups = QUICK if quick else tuple(only or GROUPS)
    if unknown := [each for each in groups if each not in GROUPS]:
        raise ConfigError("--only", f"has no group {', '.join(unknown)}", f"use of {', '.join(GROUPS)}")
    context = context_of(config, agent, live=live)
    findings = await run_checks(context, groups, tell=show)
    if fix and await offer_fixes(context, findings, ask=agreed if yes else confirmed, tell=_tell):
        context = context_of(config, agent, live=live)
        findings = await run_checks(context, groups, tell=show)
    if as_json:
        ok = exit_code(findings) == 0
        _tell(json.dumps({"ok": ok, "findings": [each.as_json() for each in findings]}, indent=1))
    else:
        _tell(verdict(findings))
    sys.exit(exit_code(findings))


async def restart(
    *,
    config: ConfigPath = None,
    agent: AgentPath = None,
    force: bool = False,
    rollback: bool = False,
    all_nodes: bool = False,
) -> None:
    """Start a new server beside the old one, hand it the port, and see that it is well.

    Args:
        agent: a Python file with an ``agent``; default as it was started.
        force: also end another program on the port, or a server that a supervisor would start again.
        rollback: if settings or session are refused, restore the last good snapshot.
        all_nodes: every node of this machine, one after the other, each as it was started.
    """
    if all_nodes:
        from llcphone.process.nodes import restart_nodes

        sys.exit(0 if await restart_nodes(settings.load(config).config, _tell) else 1)
    from llcphone.cli.restart import RestartOptions, restart

    options = RestartOptions(path=config, agent=agent, force=force, rollback=rollback, tell=_tell)
    sys.exit(await restart(options))


async def start(*, config: ConfigPath = None, agent: AgentPath = None) -> None:
    """Start the server in the background, unless it is running."""
    from llcphone.process.start import ServerJob, loaded_for_serve, start
    from llcphone.process.status import standing, standing_lines

    loaded = loaded_for_serve(config)
    found = await standing(loaded, config)
    if found["running"] or found["owners"]:
        _tell(*standing_lines(found), "llcphone restart replaces a server", sep="\n")
        sys.exit(0 if found["running"] else 1)
    job = ServerJob(config=loaded, path=config, agent=agent, tell=_tell)
    sys.exit(0 if await start(job) else 1)


async def stop(*, config: ConfigPath = None, force: bool = False) -> None:
    """Drain the server and stop it; end what else of ours listens on its port.

    Args:
        force: also end another program on the port, or a server that a supervisor would start again.
    """
    from llcphone.doctor.context import context_of
    from llcphone.process.start import ServerJob
    from llcphone.process.stop import stop

    context = context_of(config)  # a server must be stoppable whatever has become of its settings
    if context.trouble is not None:
        _tell(f"the settings are refused, so the usual port and pid file are taken: {context.trouble}")
    job = ServerJob(config=context.config, path=config, force=force, tell=_tell)
    sys.exit(0 if await stop(job) else 1)


async def status(*, config: ConfigPath = None, nodes: bool = False, as_json: AsJson = False) -> None:
    """Show the state of the server.

    Args:
        nodes: of all processes that share a database, by what each has told there.
    """
    if nodes:
        sys.exit(0 if await _nodes(config, as_json=as_json) else 1)
    from llcphone.process.status import standing, standing_lines

    found = await standing(settings.load(config).config, config)
    _tell(json.dumps(found, indent=1) if as_json else "\n".join(standing_lines(found)))
    sys.exit(0 if found["ready"] else 1)


async def _nodes(config: Path | None, *, as_json: bool) -> bool:
    from llcphone.process import nodes
    from llcphone.shared.shared import nodes_of

    found = await nodes_of(settings.load(config).config)
    entries = {"nodes": [nodes.as_json(each) for each in found]}
    _tell(json.dumps(entries, indent=1) if as_json else "\n".join(nodes.node_lines(found)))
    return nodes.all_serve(found)


def unit(
    kind: Literal["systemd", "systemd-user", "pm2", "haproxy"],
    /,
    *,
    config: ConfigPath = None,
    agent: AgentPath = None,
    nodes: int = 0,
    node: list[str] | None = None,
    bind: str = "",
    out: Path | None = None,
) -> None:
    """Write the file with which systemd or pm2 keeps the server running, or haproxy divides calls.

    Args:
        kind: which.
        config: settings file that the server is to read; default llcphone.toml here.
        nodes: systemd, haproxy: so many processes of this machine, on server.port and the ports after it.
        node: haproxy: a process as <name>=<host>:<port>, the name as in its server.node; for each again.
        bind: haproxy: where it listens; default ":443 ssl crt /etc/haproxy/llcphone.pem alpn http/1.1".
        out: where to write it; default the terminal.
    """
    from llcphone.process import haproxy, units

    loaded = settings.load(config).config
    command = units.serve_command(config, agent)
    user = kind == "systemd-user"
    match kind:
        case "haproxy":
            named = haproxy.nodes_of(node or []) if node or not nodes else {}
            here = units.nodes_here(loaded, nodes) if nodes else {}
            text = haproxy.haproxy_config(loaded, {**here, **named}, bind or haproxy.BIND)
            then = [f"check it: haproxy -c -f {out}"]
        case "pm2":
            text = units.pm2_unit(loaded, command, Path.cwd())
            then = ['set process.supervisor = "pm2", so that llcphone restart goes by it']
        case _:
            text = units.systemd_unit(loaded, command, Path.cwd(), user=user, nodes=nodes)
            then = units.systemd_steps(loaded, user=user, nodes=nodes)
    if out is None:
        _tell(text, end="")
        return
    out.write_text(text, "utf-8")
    _tell(f"wrote {out}", *then, sep="\n")


@number.command
async def show(*, config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Show what Twilio does when the number rings; exit code 1 if calls do not reach this server."""
    from llcphone.cli.number import number_lines, number_now

    now = await number_now(settings.load(config).config)
    _tell(json.dumps(now, indent=1) if as_json else "\n".join(number_lines(now)))
    sys.exit(0 if now["comes_to_us"] else 1)


@number.command
async def set_webhook(*, config: ConfigPath = None, yes: bool = False) -> None:
    """Set the number's webhook to this server.

    Args:
        yes: without a question.
    """
    from llcphone.cli import number as webhook

    loaded = settings.load(config).config
    sys.exit(await webhook.set_webhook(loaded, _tell, agreed if yes else confirmed))


async def tunnel(
    *, config: ConfigPath = None, program: Literal["cloudflared", "ngrok"] | None = None, yes: bool = False
) -> None:
    """Open a tunnel to the server, and set everything that depends on its URL.

    Args:
        program: which program; default the one that is installed.
        yes: without questions.
    """
    from llcphone.cli.tunnel import TunnelOptions, run_tunnel

    settings.load(config)  # an invalid setting is reported before the search for a program
    options = TunnelOptions(path=config, program=program or "", ask=agreed if yes else confirmed, tell=_tell)
    sys.exit(await run_tunnel(options))
