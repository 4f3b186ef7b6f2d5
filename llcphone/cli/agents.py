"""``llcphone new``, ``mode``, ``prompt``: agents, their source and their prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import attrs

from llcphone import settings
from llcphone.agent import agents_of
from llcphone.cli.options import AgentPath, AsJson, ConfigPath
from llcphone.errors import ConfigError
from llcphone.modes.agent_file import agent_of


def new(file: Path = Path("agent.py"), /) -> None:
    """Write a first agent of your own: a commented Python file with a tool.

    Args:
        file: the file to write; it must not exist.
    """
    from llcphone.cli import new_agent

    _write_new(file, Path(new_agent.__file__).read_text("utf-8"))
    print(f"wrote {file}")
    print(f"next: llcphone phone --agent {file}, which needs no account; llcphone prompt --agent {file};")
    print(f"      for real calls LLCPHONE_AGENT__FILE={file} in .env, and llcphone serve")


def mode(
    name: Literal["ivr", "receptionist", "csr", "outbound"],
    file: Path | None = None,
    /,
    *,
    config: ConfigPath = None,
) -> None:
    """Copy a mode that ships, to be edited: routes.files or agent.file then names the copy.

    Args:
        name: which.
        file: the file to write; it must not exist. Without it, the copy is printed.
        config: settings file, whose company.language is that of the copied prompt.
    """
    from llcphone.modes import House, source_of
    from llcphone.settings import load_config

    source = source_of(name, House(load_config(config)))
    if file is None:
        print(source, end="")
    else:
        _write_new(file, source)


def prompt(
    *, config: ConfigPath = None, agent: AgentPath = None, context: str = "", as_json: AsJson = False
) -> None:
    """Show what a prompt holds, in the order in which it is cached, with estimated tokens and cost.

    Args:
        context: what a call would be about; the last part of the prompt.
    """
    from llcphone.cli.prompt import prompt_lines, sizes

    loaded = settings.load(config).config
    agents = agents_of(agent_of(loaded, agent)).values()
    if as_json:
        print(json.dumps([attrs.asdict(sizes(loaded, each, context)) for each in agents], indent=1))
        return
    for each in agents:
        print(*prompt_lines(loaded, each, context), sep="\n")


def _write_new(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        raise ConfigError(str(file), "exists already", "name another file, or move it away") from None
