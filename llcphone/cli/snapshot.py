"""``llcphone snapshot``: save what works, look at it, compare it, put it back; ``llcphone rescue``."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import cyclopts
import trio
from cyclopts import Parameter

from llcphone import settings, snapshots
from llcphone.cli import restart as restarting
from llcphone.cli.calls_view import print_json
from llcphone.cli.options import AsJson, ConfigPath, Yes, agreed, confirmed
from llcphone.config import SETTINGS, toml_value
from llcphone.errors import ConfigError
from llcphone.modes.agent_file import agent_of
from llcphone.snapshots.folder import RESCUE
from llcphone.snapshots.procedure import Restore, Tell, agents_or_none, diff_lines, proof_of, run_restore
from llcphone.snapshots.restore import writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.snapshots import Snapshot

app = cyclopts.App(
    name="snapshot", help="Known-good configurations: save, list, show, diff, restore.", backend="trio"
)
tell: Tell = print
Restart = Annotated[bool, Parameter(negative="--no-restart", help="also restart the server")]


@app.command
def save(
    name: str, /, *, why: str, who: str = "", config: ConfigPath = None, as_json: AsJson = False
) -> None:
    """Save the present settings, agent modules and prompts, and what their calls measured.

    Args:
        name: what to call it: a-z, 0-9, hyphens. The date is added.
        why: why these settings are good.
        who: your name, for the record; default your login name.
    """
    path = config or settings.DEFAULT_FILE
    loaded = settings.load(config).config
    agent_of(loaded)  # what cannot be loaded is not good
    agents = agents_or_none(loaded)
    if agents is None:
        why_not = "prompts and tools are not kept: the agents need settings that are no part of a snapshot"
        tell(why_not) if not as_json else print(why_not, file=sys.stderr)
    sources = (path, path.parent / ".env")
    snapshot = snapshots.take(
        loaded, agents or {}, name=name, who=who or getpass.getuser(), why=why, sources=sources
    )
    with writing():
        file = snapshots.put(snapshot, snapshots.folder_of(path), loaded)
    if as_json:
        print_json({"file": str(file), **_facts(snapshot)})
        return
    tell(f"saved {file}")
    for line in _evidence(snapshot):
        tell(line)


@app.command(name="list")
def list_(*, config: ConfigPath = None, as_json: AsJson = False) -> None:
    """List all snapshots, yours and the shipped ones, the newest first."""
    folder = snapshots.folder_of(config or settings.DEFAULT_FILE)
    found: list[dict[str, Any]] = []
    for place in dict.fromkeys(each.resolve() for each in (folder, snapshots.shipped_folder())):
        here = [_listed(path) for path in snapshots.paths_in(place)]
        found += sorted(here, key=lambda each: (each.get("saved_at", ""), each["name"]), reverse=True)
    if as_json:
        print_json(found)
        return
    for each in found:
        tell(f"{each['name']:<36} {each['told']}")


@app.command
def show(name: str, /, *, config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Show a snapshot: its evidence, agents and modules, and the settings that are not the defaults.

    Args:
        name: which; its name, its name with the date, or its file.
    """
    snapshot = snapshots.find(name, snapshots.folder_of(config or settings.DEFAULT_FILE))
    if as_json:
        print_json({**_facts(snapshot), "settings": _not_usual(snapshot)})
        return
    for line in _shown(snapshot):
        tell(line)


@app.command
def diff(name: str = "", /, *, config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Show what restoring a snapshot would change.

    Args:
        name: which; default the last one that was saved as good here.
    """
    folder = snapshots.folder_of(config or settings.DEFAULT_FILE)
    snapshot = snapshots.find(name, folder) if name else snapshots.load_last_good(folder)
    if snapshot is None:
        raise ConfigError("snapshots", "none was saved here", "name one of `llcphone snapshot list`")
    loaded = settings.load(config).config
    differences = snapshots.diff(loaded, snapshot, agents=agents_or_none(loaded))
    if as_json:
        print_json({"name": snapshot.stem, "differences": [attrs.asdict(each) for each in differences]})
        return
    tell(f"{snapshot.stem}: {proof_of(snapshot)}")
    for line in diff_lines(differences):
        tell(line)


@app.command
def restore(
    name: str,
    /,
    *,
    config: ConfigPath = None,
    dry_run: bool = False,
    restart: Restart = True,
    force: bool = False,
    yes: Yes = False,
) -> None:
    """Restore a snapshot: check, show the changes, ask, save the present state, write, verify, restart.

    Args:
        name: which; its name, its name with the date, or its file.
        dry_run: check and show only.
        force: keep it even if the agents now send the model other instructions than when it was saved.
    """
    ask = agreed if yes else confirmed
    how = Restore(ask=ask, tell=tell, dry_run=dry_run, restart=_restart if restart else None, force=force)
    sys.exit(run_restore(name, config, how))


def rescue(
    *, config: ConfigPath = None, dry_run: bool = False, restart: Restart = True, yes: Yes = False
) -> None:
    """Restore the plainest configuration that ships: no modules, no pool, nothing that can be in the way.

    Args:
        dry_run: check and show only.
    """
    restore(RESCUE, config=config, dry_run=dry_run, restart=restart, yes=yes)


def _listed(path: Path) -> dict[str, Any]:
    """The facts of a snapshot, for a program; ``told`` is one line for a person."""
    try:
        snapshot = snapshots.load_file(path)
    except ConfigError as exc:
        return {
            "name": path.stem,
            "file": str(path),
            "trouble": exc.why,
            "fix": exc.fix,
            "told": f"{exc.why}. Fix: {exc.fix}",
        }
    aside = "" if snapshot.good else "(put aside) "
    told = f"{aside}{snapshot.why}; {proof_of(snapshot)}"
    return {**_facts(snapshot), "name": path.stem, "file": str(path), "told": told}


def _facts(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "name": snapshot.stem,
        "saved_at": snapshot.saved_at,
        "who": snapshot.who,
        "why": snapshot.why,
        "good": snapshot.good,
        "sha256": snapshot.content_hash,
        "evidence": dict(snapshot.evidence),
        "versions": dict(snapshot.versions),
        "modules": [{"path": each.path, "sha256": each.sha256} for each in snapshot.modules],
        "agents": [each["name"] for each in snapshot.agents],
    }


def _not_usual(snapshot: Snapshot) -> dict[str, Any]:
    """Its settings that are not the defaults of this version."""
    config = snapshot.config
    tuned = {key: config.value(key) for key, setting in SETTINGS.items() if not setting.private}
    return {key: value for key, value in tuned.items() if value != SETTINGS[key].default}


def _evidence(snapshot: Snapshot) -> list[str]:
    return [f"  {name} = {toml_value(value)}" for name, value in snapshot.evidence.items()]


def _shown(snapshot: Snapshot) -> Iterator[str]:
    yield f"{snapshot.stem}, saved {snapshot.saved_at} by {snapshot.who}"
    yield f"why: {snapshot.why}"
    yield f"hash: sha256:{snapshot.content_hash}"
    yield "evidence:"
    yield from _evidence(snapshot)
    yield f"versions: {', '.join(f'{name} {which}' for name, which in snapshot.versions.items())}"
    for module in snapshot.modules:
        yield f"module {module.path}: {len(module.source)} bytes, sha256 {module.sha256[:12]}…"
    for agent in snapshot.agents:
        yield f"agent {agent['name']}: {len(agent['instructions'])} letters, {len(agent['tools'])} tools"
    yield "settings that are not the defaults of this version:"
    for key, value in _not_usual(snapshot).items():
        yield f"  {key} = {toml_value(value)}"


def _restart(config: Path | None, tell: Tell) -> int:
    return trio.run(restarting.restart, restarting.RestartOptions(path=config, tell=tell))
