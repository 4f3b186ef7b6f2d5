"""What differs between a snapshot and what is in effect."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from llcphone.config import SETTINGS, Config, toml_value
from llcphone.snapshots.format import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llcphone.agent import Agent
    from llcphone.snapshots.format import Module, Snapshot

ABSENT = "(not there)"


@frozen
class Difference:
    """One thing that differs: a setting, an agent module, or what an agent sends to the model."""

    key: str
    """``section.key``, ``module <path>`` or ``agent <name> <what>``."""
    here: str
    """What is in effect, in short."""
    there: str
    """What the snapshot says, in short."""
    lines: tuple[str, ...] = ()
    """A module or a prompt line by line, as diff writes it: what would go, what would come."""


def diff(
    config: Config, snapshot: Snapshot, *, base: Path = Path(), agents: Mapping[str, Agent] | None = None
) -> list[Difference]:
    """What would change if the snapshot were restored; nothing when both have the same effect.

    Args:
        base: the folder from which the settings name agent modules.
        agents: the agents in effect, as `agents_told` gives them; None leaves out what they send the model,
            which follows from settings and modules unless these read it elsewhere or llcphone changed.

    Raises:
        ConfigError: this version cannot read the snapshot's settings.
    """
    found = [*_settings(config, snapshot.config)]
    found += [each for module in snapshot.modules if (each := _module(module, base)) is not None]
    return found + ([] if agents is None else agent_differences(agents, snapshot))


def _settings(here: Config, there: Config) -> Iterable[Difference]:
    for key, setting in SETTINGS.items():
        if not setting.private and here.value(key) != there.value(key):
            yield Difference(key, toml_value(here.value(key)), toml_value(there.value(key)))


def _module(module: Module, base: Path) -> Difference | None:
    path = base / module.path
    source = path.read_bytes() if path.is_file() else None
    if source == module.source:
        return None
    key, there = f"module {module.path}", f"{len(module.source)} bytes"
    if source is None:
        return Difference(key, ABSENT, there)
    lines = _unified(source.decode("utf-8", "replace"), module.source.decode("utf-8", "replace"))
    return Difference(key, f"{len(source)} bytes", there, lines)


def agent_differences(agents: Mapping[str, Agent], snapshot: Snapshot) -> list[Difference]:
    """What the snapshot's agents send to the model now, compared with what they sent then.

    Agents that it does not know are the deployment's own: its routes are in no snapshot.
    """
    found: list[Difference] = []
    for then in snapshot.agents:
        name = then["name"]
        if name not in agents:
            found.append(Difference(f"agent {name}", ABSENT, "there"))
        else:
            found += _shape(name, shape_of(name, agents[name]), then)
    return found


def _shape(name: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterable[Difference]:
    for what in now:
        if now[what] == then.get(what):
            continue
        key, before = f"agent {name} {what}", then.get(what)
        if what == "instructions":
            lines = _unified(now[what], str(before))
            yield Difference(key, f"{len(now[what])} letters", f"{len(str(before))} letters", lines)
        elif what == "tools":
            lines = _unified("\n".join(now[what]), "\n".join(before or []))
            yield Difference(key, f"{len(now[what])} tools", f"{len(before or [])} tools", lines)
        else:
            yield Difference(key, toml_value(now[what]), toml_value(before))


def _unified(here: str, there: str) -> tuple[str, ...]:
    lines = difflib.unified_diff(
        here.splitlines(), there.splitlines(), "in effect", "snapshot", n=1, lineterm=""
    )
    return tuple(lines)
