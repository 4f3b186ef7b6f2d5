"""Takes a snapshot of what is in effect."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from llcphone.agent import agents_of
from llcphone.errors import ConfigError
from llcphone.modes.agent_file import agent_of
from llcphone.snapshots.evidence import measure, versions
from llcphone.snapshots.format import Module, Snapshot, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llcphone.agent import Agent
    from llcphone.config import Config


def named_modules(config: Config) -> list[str]:
    """The agent modules that the settings name, as they name them: the agent's, then those of the routes."""
    routed = [*config.routes.files.values(), config.routes.default]
    return list(dict.fromkeys(path for path in (config.agent.file, *routed) if path.endswith(".py")))


def agents_told(config: Config) -> Mapping[str, Agent]:
    """The agents by name, as they come of what a snapshot keeps: no prompt holds anything of the deployment.

    The shipped modes put the company's name and its destinations into their prompts. These are no part of a
    snapshot, and one that ships could never be verified in a house of another name. Routes stay, because
    they say which modules there are; their numbers are in no prompt.
    """
    neutral = attrs.evolve(type(config).from_dict(config.tuning()), routes=config.routes)
    return agents_of(agent_of(neutral))


def take(
    config: Config,
    agents: Mapping[str, Agent],
    *,
    name: str,
    who: str,
    why: str,
    good: bool = True,
    base: Path = Path(),
    sources: Iterable[Path] = (),
) -> Snapshot:
    """A snapshot of the settings in effect, of the agents and of what the call records say of them.

    Args:
        agents: as `agents_told` gives them.
        good: False when it is only put aside.
        base: the folder from which the settings name files.
        sources: the settings file and its .env: evidence begins at their last change.

    Raises:
        ConfigError: a module that the settings name cannot be read.
    """
    modules = read_modules(config, base)
    files = [*sources, *(base / module.path for module in modules)]
    records = base / config.records.path if config.records.path else None
    return Snapshot(
        name=name,
        saved_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        who=who,
        why=why,
        good=good,
        versions=versions(),
        evidence=measure(config, records, files) if good else {"proof": "none: it was only put aside"},
        settings=config.tuning(),
        modules=modules,
        agents=tuple(shape_of(each, agent) for each, agent in agents.items()),
    )


def read_modules(config: Config, base: Path) -> tuple[Module, ...]:
    """The sources of the agent modules that the settings name."""
    modules: list[Module] = []
    for path in named_modules(config):
        try:
            source = (base / path).read_bytes()
        except OSError as exc:
            raise ConfigError(
                "agent.file",
                f"{path} cannot be read: {type(exc).__name__}",
                "run this in the folder in which llcphone serve runs",
            ) from None
        taken = {module.file for module in modules}
        file = Path(path).name
        modules.append(Module(path, file if file not in taken else f"{len(taken)}-{file}", source))
    return tuple(modules)
