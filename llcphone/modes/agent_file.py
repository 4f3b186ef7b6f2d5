"""Loads the agent that answers: the module that the settings or the command line name.

A user's file is run here and nowhere else, so whatever it does wrong is one ``ConfigError`` with file and
line, for every command. It gets its own module name: it neither replaces a module of the standard library
(``calendar.py``) nor an agent of the same name in another folder, and its classes can be pickled. Modules
beside it can be imported, as when it is run as a script; but they are looked for last, after those that
are installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llcphone.agent import Agent, Agents
from llcphone.errors import ConfigError
from llcphone.modes import House, routed
from llcphone.runtime.containment import contained

if TYPE_CHECKING:
    from types import ModuleType

    from llcphone.config import Config

_TELLING = (ImportError, SyntaxError, NameError, AttributeError, TypeError)
"""Failures whose text is about code; that of others may hold a secret."""

_folders: list[str] = []
"""Folders of agent files, the newest first: the end of ``sys.path``."""


def agent_of(config: Config, path: Path | None = None) -> Agent | Agents:
    """The agent that answers by these settings; a ``path`` takes precedence over ``agent.file``.

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
        ConfigError: the file cannot be run as a module, or has none of these; it says where and why.
    """
    if path is None and not config.agent.instructions:
        return routed(config, load_agent)
    if path is None:
        made = Agent(config.agent.instructions, name=config.agent.name)
        made.offer_hang_up()
        return made
    name = f"llcphone_agent_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    before = sys.modules.get(name)
    with contained() as failure:
        return _agent_in(_run(path, name), path, House(config))
    if before is None:
        sys.modules.pop(name, None)
    else:  # modules loaded from it earlier stay as they are
        sys.modules[name] = before
    if isinstance(failure.error, ConfigError):
        raise failure.error
    assert failure.error is not None
    raise ConfigError("agent.file", *_trouble(path, failure.error, failure.kinds[0])) from None


def _run(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError(
            "agent.file",
            f"{path} is not a Python file",
            "name one, such as agent.py (llcphone new agent.py writes it)",
        )
    _let_neighbours_import(path.resolve().parent)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _agent_in(module: ModuleType, path: Path, house: House) -> Agent | Agents:
    table: Any = getattr(module, "agents", None)
    table = table(house) if inspect.isfunction(table) else table
    if isinstance(table, dict) and table and all(isinstance(each, Agent) for each in table.values()):
        return Agents(table)
    make: Any = getattr(module, "make", None)
    agent = make(house) if callable(make) else getattr(module, "agent", None)
    if inspect.iscoroutine(agent) or inspect.iscoroutine(table):
        for each in (agent, table):
            if inspect.iscoroutine(each):
                each.close()
        raise ConfigError(
            "agent.file",
            f"{path}: make and agents must be plain functions, not async ones",
            "write def, not async def",
        )
    if not isinstance(agent, Agent):
        raise ConfigError(
            "agent.file",
            f"{path} defines no agent",
            "define agent = llcphone.Agent(...), or make(house) that returns one",
        )
    return agent


def _let_neighbours_import(folder: Path) -> None:
    """Put the folder on ``sys.path``, before those of other agents; a module is its own neighbour's first."""
    if str(folder) in _folders or str(folder) not in sys.path:
        _folders[:] = [str(folder), *(each for each in _folders if each != str(folder))]
        sys.path[:] = [*(each for each in sys.path if each not in _folders), *_folders]
    importlib.invalidate_caches()  # a file may be newer than what Python remembers of its folder
    others = {each for each in _folders if each != str(folder)}
    foreign = [name for name, module in sys.modules.items() if others and _folder_of(name, module) in others]
    for name in foreign:
        top = name.partition(".")[0]
        if (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file():
            del sys.modules[name]


def _folder_of(name: str, module: object) -> str:
    """Where Python found a module, or the package that it belongs to."""
    file = getattr(module, "__dict__", {}).get("__file__")  # not by attribute: some load themselves on that
    if not isinstance(file, str):
        return ""
    depth = name.count(".") + Path(file).name.startswith("__init__.")
    parents = Path(file).parents
    return str(parents[depth]) if depth < len(parents) else ""


def _trouble(path: Path, error: BaseException, kind: str) -> tuple[str, str]:
    """Where in the user's own files it failed and of what; and the fix."""
    where = str(path)
    folder = path.resolve().parent
    for frame in traceback.extract_tb(error.__traceback__):
        if folder in Path(frame.filename).resolve().parents:
            where = f"{frame.filename}, line {frame.lineno}"
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}, line {error.lineno}"
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    why = f"{where}: {kind}: {said}" if isinstance(error, _TELLING) and said else f"{where}: {kind}"
    missing = kind == "ModuleNotFoundError"
    fix = "install it, or put it beside the agent file" if missing else "correct the code"
    return why.replace("\n", " "), fix
