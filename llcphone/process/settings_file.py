"""Changes llcphone.toml as a person would: single lines, while all others stay as they are.

Only what is not the default is written, so that better defaults of later versions arrive, and
``config --explain`` shows what was chosen here. Comments, order and spelling are kept.
"""

from __future__ import annotations

import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Comment, Item, Table

from llcphone.config import SECTIONS, SETTINGS, toml_text, toml_value
from llcphone.languages import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llcphone.config.fields import Setting


def edited(text: str, values: Mapping[str, Any], *, without: Iterable[str] = ()) -> str:
    """The text of a settings file with these settings; all other lines stay as they are.

    Args:
        text: what the file says; it must be TOML.
        values: each by ``section.name``. A line that says this already stays. A default needs no line.
        without: sections and keys that are to be gone.
    """
    wanted = _tables_with(tomllib.loads(text), values, without)
    changed = ""
    with suppress(TOMLKitError, KeyError, TypeError, ValueError):
        changed = _edited(text, values, without)
    if _without_empty(tomllib.loads(changed)) != _without_empty(wanted):
        changed = toml_text(wanted)  # a spelling that tomlkit cannot change: what counts is that it is right
    if changed != text:
        changed = f"{changed.strip()}\n".lstrip()  # blank lines around a section that is gone
    return changed.replace("\r\n", "\n").replace("\n", "\r\n") if "\r\n" in text else changed


def strangers(tables: Mapping[str, Any]) -> list[str]:
    """Sections and keys that are no settings."""
    found = [name for name, table in tables.items() if name not in SECTIONS or not isinstance(table, dict)]
    for section, table in tables.items():
        if section not in found:
            found += [f"{section}.{name}" for name in table if f"{section}.{name}" not in SETTINGS]
    return found


def _stays_out(setting: Setting, value: Any) -> bool:
    """Whether a value needs no line. A sentence's default is that of the language, so it always has one."""
    return bool(value == setting.default) and setting.key not in NAMES


def _says(setting: Setting, table: Mapping[str, Any], value: Any) -> bool:
    return setting.name in table and bool(setting.read_value(_plain(table[setting.name])) == value)


def _plain(value: Any) -> Any:
    return value.unwrap() if isinstance(value, Item) else value


def _tables_with(
    tables: dict[str, Any], values: Mapping[str, Any], without: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """What the new text must mean."""
    for key in without:
        section, _, name = key.partition(".")
        if name:
            tables[section].pop(name)
        else:
            tables.pop(section)
    for key, value in values.items():
        setting = SETTINGS[key]
        table = tables.setdefault(setting.section, {})
        if _says(setting, table, value):
            continue
        if _stays_out(setting, value):
            table.pop(setting.name, None)
        else:
            table[setting.name] = tomllib.loads(f"x = {toml_value(value)}")["x"]
    return tables


def _without_empty(tables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: table for name, table in tables.items() if table != {}}


def _edited(text: str, values: Mapping[str, Any], without: Iterable[str]) -> str:
    document = tomlkit.parse(text)
    for key in without:
        section, _, name = key.partition(".")
        del (document[section] if name else document)[name or section]
    for key, value in values.items():
        setting = SETTINGS[key]
        table: Any = document.get(setting.section, {})
        if _says(setting, table, value):
            continue
        if not _stays_out(setting, value):
            _set(document, setting, value)
        elif setting.name in table:
            del table[setting.name]
    for section in [name for name, table in document.items() if not table and not _has_comments(table)]:
        del document[section]
    return tomlkit.dumps(document)


def _set(document: tomlkit.TOMLDocument, setting: Setting, value: Any) -> None:
    item = _item(value)
    if setting.section not in document:
        document[setting.section] = tomlkit.table()
    table: Any = document[setting.section]
    if setting.name in table:
        table[setting.name] = item  # the comment behind it stays
        return
    if not isinstance(table, Table):  # written inline
        table[setting.name] = item
        return
    body = table.value.body
    ours = [key for key, each in body if key is not None and not isinstance(each, Table | AoT)]
    if ours:  # before the comments at the end, which belong to the next section
        table.value._insert_after(ours[-1], tomlkit.key(setting.name), item)
    elif any(key is not None for key, _ in body):  # tables of its own come last
        table.value._insert_at(0, tomlkit.key(setting.name), item)
    else:
        table[setting.name] = item


def _item(value: Any) -> Item:
    """A value as a person would write it: a text of several lines as several lines."""
    if isinstance(value, str) and "\n" in value:
        with suppress(ValueError):
            lines = tomlkit.string(value, multiline=True)
            if tomllib.loads(f"x = {lines.as_string()}")["x"] == value:
                return lines
    return tomlkit.value(toml_value(value))


def _has_comments(table: Any) -> bool:
    if not isinstance(table, Table):
        return False
    return any(isinstance(item, Comment) for _, item in table.value.body)
