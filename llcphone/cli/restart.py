"""``llcphone restart``: the whole procedure, and what is offered when the new server is not well.

A snapshot is put back only when asked for (``--rollback``), and only when what is wrong is what a snapshot
can mend: settings that cannot be read, an agent that cannot be loaded, a session that is refused. A closed
tunnel or a foreign listener is not mended by other settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from llcphone import snapshots
from llcphone.doctor.checks import INFRASTRUCTURE, case_of, examine
from llcphone.doctor.report import Finding, Status, lines
from llcphone.errors import ConfigError
from llcphone.modes.agent_file import agent_of
from llcphone.process.lifecycle import Job, Tell, can_replace, loaded_for_serve, not_ready, start
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
class Wish:
    """What is asked for."""

    path: Path | None = None
    agent: Path | None = None
    force: bool = False
    rollback: bool = False
    tell: Tell = print


async def restart(wish: Wish) -> int:
    """Restart the server; 0 when the new one is well, 1 when not, 2 when the settings are refused."""
    tell = wish.tell
    try:
        job = _job(wish)
    except ConfigError as exc:
        tell(f"refused before anything was stopped: {exc}")
        tell("a server that runs is left alone")
        if not await _roll_back(wish):
            return 2
        return await restart(attrs.evolve(wish, rollback=False))
    former = known(job)
    replace = await can_replace(job, former)
    if not replace and not await stop(job):
        return 1
    if not await start(job, former, replace=replace):
        return await _not_well(wish, job, [])
    if reasons := await not_ready(job):
        return await _not_well(wish, job, reasons)
    tell("restarted, and well: calls are taken (llcphone doctor looks at everything)")
    return 0


def _job(wish: Wish) -> Job:
    """The settings as the new server will take them, and its agent loaded once.

    Raises:
        ConfigError: it would not start with them.
    """
    config = loaded_for_serve(wish.path)
    agent_of(config, wish.agent)
    return Job(config=config, path=wish.path, agent=wish.agent, force=wish.force, tell=wish.tell)


async def _not_well(wish: Wish, job: Job, reasons: Sequence[str]) -> int:
    """Tell what is wrong with the new server, infrastructure first, and offer to go back.

    Args:
        wish: what is asked for.
        job: how it was started.
        reasons: why it turns calls away; none: it did not start.
    """
    case = case_of(wish.path, wish.agent)
    wish.tell(f"not well: calls are turned away: {'; '.join(reasons)}" if reasons else "it did not start")
    wish.tell("Infrastructure first:")
    _show(wish, await examine(case, INFRASTRUCTURE))
    broken = [each for each in await examine(case, ("settings", "session")) if each.status is Status.FAIL]
    _show(wish, [each for each in broken if each.check not in REFUSED])
    if not _show(wish, [each for each in broken if each.check in REFUSED]):
        wish.tell("the fault is outside llcphone's settings; restoring a snapshot will not help")
        return 1
    if not await _roll_back(wish):
        return 1
    return await restart(attrs.evolve(wish, rollback=False))


def _show(wish: Wish, findings: Sequence[Finding]) -> bool:
    for line in lines(each for each in findings if each.status is not Status.PASS):
        wish.tell(line)
    return bool(findings)


async def _roll_back(wish: Wish) -> bool:
    """Put the last good snapshot back, if that is wished; else offer it."""
    path = wish.path or DEFAULT_FILE
    last = snapshots.load_last_good(snapshots.folder_of(path))
    if last is None:
        wish.tell("no known-good snapshot saved yet")
        return False
    if not wish.rollback:
        wish.tell(f"to go back to {last.stem}: llcphone restart --rollback")
        return False
    agreed = Restore(ask=lambda question: True, tell=wish.tell)  # by --rollback
    try:
        return run_restore(last.stem, wish.path, agreed) == 0
    except ConfigError as exc:
        wish.tell(f"{last.stem} cannot be put back: {exc}")
        return False
