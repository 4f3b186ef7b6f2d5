"""``llcphone restart``: the whole procedure, and what is offered when the new server is not ready.

A snapshot is restored only with ``--rollback``, and only if it can fix the problem: settings that cannot be
read, an agent that cannot be loaded, a session that is refused. Other settings do not fix a closed tunnel
or a foreign listener.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from llcphone import snapshots
from llcphone.doctor.report import Finding, Status, lines
from llcphone.errors import ConfigError
from llcphone.modes.agent_file import agent_of
from llcphone.process.start import ServerJob, Tell, can_replace, loaded_for_serve, not_ready, start
from llcphone.process.stop import known, stop
from llcphone.settings import DEFAULT_FILE
from llcphone.snapshots.procedure import Restore, run_restore

if TYPE_CHECKING:
    from collections.abc import Sequence


REFUSED = frozenset(
    {"configuration", "ready to serve", "agent", "start", "session", "dialect", "model", "key"}
)
"""Findings that other settings may fix."""


@attrs.frozen(kw_only=True)
class RestartOptions:
    path: Path | None = None
    agent: Path | None = None
    force: bool = False
    rollback: bool = False
    tell: Tell = print


async def restart(options: RestartOptions) -> int:
    """Restart the server; 0 when the new one is well, 1 when not, 2 when the settings are refused."""
    tell = options.tell
    try:
        job = _job(options)
    except ConfigError as exc:
        tell(f"refused before anything was stopped: {exc}")
        tell("a server that runs is left alone")
        if not await _roll_back(options):
            return 2
        return await restart(attrs.evolve(options, rollback=False))
    former = known(job)
    replace = await can_replace(job, former)
    if not replace and not await stop(job):
        return 1
    if not await start(job, former, replace=replace):
        return await _not_well(options, job, [])
    if reasons := await not_ready(job):
        return await _not_well(options, job, reasons)
    tell("restarted, and well: calls are taken (llcphone doctor looks at everything)")
    return 0


def _job(options: RestartOptions) -> ServerJob:
    """The settings as the new server will take them, and its agent loaded once.

    Raises:
        ConfigError: it would not start with them.
    """
    config = loaded_for_serve(options.path)
    agent_of(config, options.agent)
    return ServerJob(
        config=config, path=options.path, agent=options.agent, force=options.force, tell=options.tell
    )


async def _not_well(options: RestartOptions, job: ServerJob, reasons: Sequence[str]) -> int:
    """Report what is wrong with the new server, infrastructure first, and offer to go back.

    Args:
        options: what is asked for.
        job: how it was started.
        reasons: why it turns calls away; none: it did not start.
    """
    from llcphone.doctor.checks import INFRASTRUCTURE, run_checks  # rarely needed, and large
    from llcphone.doctor.context import context_of

    context = context_of(options.path, options.agent)
    options.tell(f"not well: calls are turned away: {'; '.join(reasons)}" if reasons else "it did not start")
    options.tell("Infrastructure first:")
    _show(options, await run_checks(context, INFRASTRUCTURE))
    broken = [
        each for each in await run_checks(context, ("settings", "session")) if each.status is Status.FAIL
    ]
    _show(options, [each for each in broken if each.check not in REFUSED])
    if not _show(options, [each for each in broken if each.check in REFUSED]):
        options.tell("the fault is outside llcphone's settings; restoring a snapshot will not help")
        return 1
    if not await _roll_back(options):
        return 1
    return await restart(attrs.evolve(options, rollback=False))


def _show(options: RestartOptions, findings: Sequence[Finding]) -> bool:
    for line in lines(each for each in findings if each.status is not Status.PASS):
        options.tell(line)
    return bool(findings)


async def _roll_back(options: RestartOptions) -> bool:
    """Put the last good snapshot back, if that is wished; else offer it."""
    path = options.path or DEFAULT_FILE
    last = snapshots.load_last_good(snapshots.folder_of(path))
    if last is None:
        options.tell("no known-good snapshot saved yet")
        return False
    if not options.rollback:
        options.tell(f"to go back to {last.stem}: llcphone restart --rollback")
        return False
    agreed = Restore(ask=lambda question: True, tell=options.tell)  # by --rollback
    try:
        return run_restore(last.stem, options.path, agreed) == 0
    except ConfigError as exc:
        options.tell(f"{last.stem} cannot be put back: {exc}")
        return False
