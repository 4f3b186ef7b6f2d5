"""Writing variables into a .env file: its other lines stay, and only its owner may read it."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING

from dotenv.parser import parse_stream

from llcphone.errors import ConfigError
from llcphone.runtime.atomic_write import read_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ASSIGNMENT = re.compile(
    r"""(?P<head>\s*(?:export[^\S\r\n]+)?[^=]*=)(?:(?=[^\S\r\n]+\#)|[^\S\r\n]*)
        (?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^\r\n]*?)
        (?P<tail>(?:[^\S\r\n]+\#[^\r\n]*)?[^\S\r\n]*(?:\r\n|\n|\r)?)""",
    re.VERBOSE | re.DOTALL,
)
"""One binding as python-dotenv parses it: the text before the value, and the text after it."""


def set_variables(path: Path, values: Mapping[str, str]) -> None:
    """Set variables in a .env file, in one step; comments, order and all other lines stay.

    Raises:
        ConfigError: it cannot be read or written, or a value cannot stand in such a file.
    """
    for name, value in values.items():
        if any(ord(each) < 32 for each in value) or "'" in value:
            raise ConfigError(
                name, "has a line break or a quote in it, which .env cannot hold", "give it without them"
            )
    try:
        text = _with(read_file(path) if path.exists() else "", values)
        replace_file(path, text.encode(), mode=0o600)
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            str(path), f"cannot be written: {reason}", "make it a UTF-8 file that this user may write"
        ) from None


def _with(text: str, values: Mapping[str, str]) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    left = dict(values)
    kept = []
    for binding in parse_stream(StringIO(text)):
        whole = binding.original.string
        if binding.key not in values:
            kept.append(whole)
        elif binding.key in left:  # a second line of it would win, so it goes
            match = _ASSIGNMENT.fullmatch(whole)
            head, tail = match.group("head", "tail") if match else (f"{binding.key}=", end)
            kept.append(f"{head}{_quoted(left.pop(binding.key))}{tail}")
    if left and kept and not kept[-1].endswith(("\n", "\r")):
        kept.append(end)
    return "".join([*kept, *(f"{name}={_quoted(value)}{end}" for name, value in left.items())])


def _quoted(value: str) -> str:
    if re.fullmatch(r"[\w.+:/@%,=-]*", value):
        return value
    return "'" + value.replace("\\", "\\\\") + "'"
