"""Settings as TOML text: tables read from it, and written so that they can be read again."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from llcphone.errors import ConfigError


def in_sections(data: Mapping[str, Any]) -> dict[str, Any]:
    """Tables by section: each ``[[elsewhere]]`` is one of ``elsewhere.endpoints``."""
    tables = dict(data)
    if isinstance(tables.get("elsewhere"), list | tuple):
        tables["elsewhere"] = {"endpoints": tuple(tables["elsewhere"])}
    return tables


def parse_toml(text: str) -> dict[str, Any]:
    """Read TOML text into tables; ConfigError says where it is broken."""
    try:
        return in_sections(tomllib.loads(text))
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError("toml", f"cannot be read: {exc}", "correct the text there") from None


def toml_text(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Write tables as TOML that `Config.from_toml` reads back; None becomes ``""``."""
    sections = []
    for name, table in tables.items():
        lines = [f"{key} = {toml_value(value)}" for key, value in table.items()]
        sections.append("\n".join([f"[{name}]", *lines, ""]))
    return "\n".join(sections)


def toml_value(value: Any) -> str:
    match value:
        case None:
            return '""'
        case str():  # JSON's escapes are TOML's, but TOML wants DEL escaped too
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
        case Mapping():
            return (
                "{"
                + ", ".join(f"{toml_value(key)} = {toml_value(each)}" for key, each in value.items())
                + "}"
            )
        case list() | tuple():
            return "[" + ", ".join(toml_value(each) for each in value) + "]"
        case _:
            return repr(value)
