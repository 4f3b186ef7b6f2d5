"""What several commands share: their common options, and asking a person."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from llcphone.errors import ConfigError

ConfigPath = Annotated[
    Path | None,
    Parameter(name="--config", help="settings file; default llcphone.toml here, with .env beside it"),
]
AgentPath = Annotated[
    Path | None, Parameter(name="--agent", help="a Python file with an agent; default the one in [agent]")
]
AsJson = Annotated[bool, Parameter(name="--json", help="JSON, for programs")]
Yes = Annotated[bool, Parameter(name="--yes", help="without a question, for scripts")]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
Port = Annotated[int, Parameter(validator=Number(gte=1, lte=65535))]
Ask = Callable[[str], bool]


def number_of(text: str, option: str) -> str:
    """A telephone number as a person writes it, as E.164.

    Raises:
        ConfigError: it is not a number, or it has no country code.
    """
    from llcphone.validation.e164 import e164  # with tables of all countries; few commands are given a number

    number = e164(text, None)
    if number is None:
        fix = "write it as +<country><number>, such as +12025550123"
        raise ConfigError(option, "is not a telephone number", fix)
    return number


def confirmed(question: str) -> bool:
    """Ask a person; no terminal is a no."""
    if not sys.stdin.isatty():
        print(f"{question} (no terminal to ask at: no; --yes says yes)")
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def agreed(question: str) -> bool:
    """The answer to every question with --yes."""
    print(f"{question} yes")
    return True
