"""The restore procedure: check, show, ask, keep, put back, verify, restart; each step is reported.

Nothing is changed before all of it was checked, and agreed to. If the agents that come of what was put
back do not tell the model what the snapshot says, it is all taken back, and the server that runs is left
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path  # noqa: TC003 (cyclopts reads the annotations of who uses this)
from typing import TYPE_CHECKING

import attrs

from llcphone import settings, snapshots
from llcphone.errors import ConfigError
from llcphone.modes.agent_file import agent_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llcphone.agent import Agent
    from llcphone.config import Config
    from llcphone.snapshots import Difference, Plan, Snapshot

Tell = Callable[[str], None]
BEFORE = "before-restore"


@attrs.frozen(kw_only=True)
class Restore:
    """How a snapshot is to be restored."""

    ask: Callable[[str], bool]
    """Puts a question to a person."""
    tell: Tell
    """Takes one line for them."""
    dry_run: bool = False
    """Check and show only."""
    restart: Callable[[Path | None, Tell], int] | None = None
    """Restarts the server afterwards, and returns the exit code; None: it is left as it is."""
    force: bool = False
    """Keep it although the agents differ."""


def run_restore(name: str, config: Path | None, how: Restore) -> int:
    """Restore a snapshot, and report each step; the exit code: 1 if it was not agreed to, or taken back.

    Raises:
        ConfigError: it cannot be restored; nothing was changed then.
    """
    path, tell = config or settings.DEFAULT_FILE, how.tell
    if config is not None and not config.exists():
        raise ConfigError(str(config), "there is no such file", "leave --config out to have one written here")
    _finish_first(path, how)
    snapshot = snapshots.find(name, snapshots.folder_of(path))
    plan = snapshots.plan_restore(snapshot, path)
    tell(f"{snapshot.stem}: checked; {proof_of(snapshot)}")
    present = _present(path, tell)
    agents = None if present is None else agents_or_none(present)
    differences = None if present is None else snapshots.diff(present, snapshot, agents=agents)
    for line in () if differences is None else diff_lines(differences):
        tell(line)
    for what in plan.lost:
        tell(f"not carried over: {what}")
    if missing := snapshot.missing():
        tell(f"newer than the snapshot, so at their defaults: {', '.join(missing)}")
    nothing = differences == [] and agents is not None
    wanted = _wanted(plan, nothing=nothing, restart=how.restart is not None)
    if how.dry_run or not wanted:
        tell(f"a dry run: nothing was changed. Without it: {wanted}" if wanted else "nothing is to be done")
        return 0
    if not how.ask(wanted):
        tell("nothing was changed")
        return 1
    code = 0
    if not nothing:
        if present is not None:
            _keep(plan, present, agents or {}, tell)
        code = _carry_out(plan, force=how.force, tell=tell)
    return how.restart(config, tell) if how.restart is not None and code == 0 else code


def _finish_first(path: Path, how: Restore) -> None:
    if how.dry_run and snapshots.broken_off(path):
        how.tell("an earlier restore was broken off: llcphone serve, or any restore, finishes it")
    elif not how.dry_run and snapshots.finish(path):
        how.tell("finished a restore that was broken off")


def _wanted(plan: Plan, *, nothing: bool, restart: bool) -> str:
    """What is to be done, as a question; empty if there is nothing."""
    write = f"Write {', '.join(str(target) for target, _ in plan.files)}"
    if nothing:
        return "Restart the server?" if restart else ""
    return f"{write}, and restart the server?" if restart else f"{write}?"


def _carry_out(plan: Plan, *, force: bool, tell: Tell) -> int:
    kept = snapshots.put_back(plan)
    tell(f"restored; what it replaced is in {kept}")
    if problems := _not_as_then(plan):
        for line in problems:
            tell(line)
        if not force:
            snapshots.take_back(plan, kept)
            tell("undone: the model would receive other prompts or tools (--force keeps it)")
            return 1
    else:
        tell("verified: settings, modules, prompts and tools are the snapshot's")
    return 0


def _not_as_then(plan: Plan) -> list[str]:
    """What the loader and the agents now say that the snapshot does not."""
    config = settings.load(plan.path).config
    try:
        agent_of(config)  # as the server will, with all that belongs to the deployment
        agents = snapshots.agents_told(config) if plan.snapshot.agents else None
    except ConfigError as exc:
        return [f"the agents cannot be loaded: {exc}"]
    differences = snapshots.diff(config, plan.snapshot, agents=agents)
    return diff_lines(differences) if differences else []


def _present(path: Path, tell: Tell) -> Config | None:
    try:
        return settings.load(path if path.exists() else None).config  # none there: it is the usual one
    except ConfigError as exc:
        tell(f"what is in effect cannot be read, so it is not compared, and kept as files only: {exc}")
        return None


def agents_or_none(config: Config) -> Mapping[str, Agent] | None:
    """The agents that answer by these settings; None if they cannot be loaded."""
    try:
        return snapshots.agents_told(config)
    except ConfigError:
        return None


def _keep(plan: Plan, present: Config, agents: Mapping[str, Agent], tell: Tell) -> None:
    """Save what is in effect under the first free name; not being able to is no reason to stop."""
    folder, number = snapshots.folder_of(plan.path), 1
    why = f"what was in effect before {plan.snapshot.stem} was restored"
    sources = (plan.path, plan.path.parent / ".env")
    try:
        taken = snapshots.take(
            present, agents, name=BEFORE, who="restore", why=why, good=False, sources=sources
        )
        while (folder / f"{taken.stem}.toml").exists():
            number += 1
            taken = attrs.evolve(taken, name=f"{BEFORE}-{number}")
        tell(f"kept what was in effect: {snapshots.put(taken, folder, present).stem}")
    except (ConfigError, OSError) as exc:
        tell(f"what was in effect is kept as files only, not as a snapshot: {exc}")


def proof_of(snapshot: Snapshot) -> str:
    """What speaks for a snapshot, in one line."""
    told = snapshot.evidence
    words = [str(told.get("proof", "no evidence"))]
    if "answer_gap_p50_ms" in told:
        words.append(f"answer gap p50 {told['answer_gap_p50_ms']} ms, p95 {told['answer_gap_p95_ms']} ms")
    if told.get("calls"):
        words.append(f"{told['calls']} calls")
    return ", ".join(words)


def diff_lines(differences: Sequence[Difference]) -> list[str]:
    """Differences for a person: what is in effect, then what the snapshot says."""
    lines = []
    for each in differences:
        lines.append(f"{each.key}: {each.here} -> {each.there}")
        lines += [f"    {line}" for line in each.lines]
    return lines or ["no difference: what is in effect is the snapshot's"]
