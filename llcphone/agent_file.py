"""Loads who answers: the agent module that the settings or the command line name."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llcphone.agent import Agent, Agents
from llcphone.errors import ConfigError
from llcphone.modes import House, routed

if TYPE_CHECKING:
    from llcphone.config import Config


def agent_of(config: Config, path: Path | None = None) -> Agent | Agents:
    """Who answers by these settings; a ``path`` takes precedence over ``agent.file``.

    Raises:
        ConfigError: as `load_agent` says.
    """
    return load_agent(path or (Path(config.agent.file) if config.agent.file else None), config)


def load_agent(path: Path | None, config: Config) -> Agent | Agents:
    """The ``agent`` of a Python file; without one, made from the configuration's instructions, or its modes.

    A file may also have ``agents``, a table of them by name: the first is the usual one, and the API
    may ask for the others. Or, as the modes have, ``make(house)`` or ``agents(house)``, which are given the
    configuration.

    Raises:
        ConfigError: the file cannot be read as a module, or has none of these.
    """
    if path is None and not config.agent.instructions:
        return routed(config, load_agent)
    if path is None:
        made = Agent(config.agent.instructions, name=config.agent.name)
        made.offer_hang_up()
        return made
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError("agent.file", f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    table = getattr(module, "agents", None)
    table = table(House(config)) if inspect.isfunction(table) else table
    if isinstance(table, dict) and table and all(isinstance(each, Agent) for each in table.values()):
        return Agents(table)
    make = getattr(module, "make", None)
    agent = make(House(config)) if callable(make) else getattr(module, "agent", None)
    if not isinstance(agent, Agent):
        raise ConfigError("agent.file", f"{path} must define agent = llcphone.Agent(...), or make(house)")
    return agent
