"""The restore procedure: check, show, keep, put back, verify, restart; each step is told.

Nothing is changed before all of it was checked. If the agents that come of what was put back do not tell the
model what the snapshot says, it is all taken back, and the server that runs is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path  # noqa: TC003 (cyclopts reads the annotations of who uses this)
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone import settings, snapshots
from llcphone.agent_file import agent_of
from llcphone.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llcphone.agent import Agent
    from llcphone.config import Config
    from llcphone.snapshots import Difference, Plan, Snapshot

Tell = Callable[[str], None]
BEFORE = "before-restore"


def run_restore(
    name: str, config: Path | None, *, dry_run: bool, restart: bool, force: bool, tell: Tell
) -> int:
    """Restore a snapshot, and tell each step; the exit code.

    Args:
        name: which.
        config: the settings file; None is the usual one.
        dry_run: check and show only.
        restart: whether to restart the server afterwards.
        force: keep it although the agents differ.
        tell: takes one line for a person.

    Raises:
        ConfigError: it cannot be restored; nothing was changed then.
    """
    path = config or settings.DEFAULT_FILE
    if config is not None and not config.exists():
        raise ConfigError(str(config), "there is no such file; leave --config out to have one written here")
    if snapshots.finish(path):
        tell("finished a restore that was broken off")
    snapshot = snapshots.find(name, snapshots.folder_of(path))
    plan = snapshots.plan_restore(snapshot, path)
    tell(f"{snapshot.stem}: checked; {proof_of(snapshot)}")
    present = _present(path, tell)
    agents = None if present is None else agents_or_none(present)
    if present is not None:
        differences = snapshots.diff(present, snapshot, agents=agents)
        for line in diff_lines(differences):
            tell(line)
        if not differences and agents is not None:
            return _restart(config, tell) if restart and not dry_run else 0
    for what in plan.lost:
        tell(f"not carried over: {what}")
    if missing := snapshot.missing():
        tell(f"newer than the snapshot, so at their defaults: {', '.join(missing)}")
    if dry_run:
        tell("a dry run: nothing was changed")
        return 0
    if present is not None:
        _keep(plan, present, agents or {}, tell)
    code = _carry_out(plan, force=force, tell=tell)
    return _restart(config, tell) if restart and code == 0 else code


def _carry_out(plan: Plan, *, force: bool, tell: Tell) -> int:
    kept = snapshots.put_back(plan)
    tell(f"restored; what it replaced stands in {kept}")
    if problems := _not_as_then(plan):
        for line in problems:
            tell(line)
        if not force:
            snapshots.take_back(plan, kept)
            tell(
                "taken back, nothing is changed: this llcphone makes something else of it (--force keeps it)"
            )
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


def _restart(config: Path | None, tell: Tell) -> int:
    from llcphone.process.restarting import Wish, restart  # it offers restores itself

    return trio.run(restart, Wish(path=config, tell=tell))


def _present(path: Path, tell: Tell) -> Config | None:
    try:
        return settings.load(path if path.exists() else None).config  # none there: it is the usual one
    except ConfigError as exc:
        tell(f"what is in effect cannot be read, so it is not compared, and kept as files only: {exc}")
        return None


def agents_or_none(config: Config) -> Mapping[str, Agent] | None:
    """Who answers by these settings; None when they cannot be loaded, which may be why somebody restores."""
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
