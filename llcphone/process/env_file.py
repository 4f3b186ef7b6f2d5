"""Writing variables into a .env file: the others stay as they are, and nobody else may read it."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from llcphone.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=")


def set_variables(path: Path, values: Mapping[str, str]) -> None:
    """Set variables in a .env file, in one step.

    Raises:
        ConfigError: it cannot be written, or a value cannot stand in such a file.
    """
    for name, value in values.items():
        if any(ord(each) < 32 for each in value) or "'" in value:
            raise ConfigError(name, "has a line break or a quote in it, which .env cannot hold")
    try:
        lines = path.read_text("utf-8-sig").splitlines() if path.exists() else []
        left = dict(values)
        kept = []
        for line in lines:
            match = _ASSIGNMENT.match(line)
            if match is None or match[1] not in values:
                kept.append(line)
            elif match[1] in left:
                kept.append(f"{match[1]}={_quoted(left.pop(match[1]))}")
        kept += [f"{name}={_quoted(value)}" for name, value in left.items()]
        write_private(path, "\n".join(kept) + "\n")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ConfigError(str(path), f"cannot be written: {reason}") from None


def write_private(path: Path, text: str) -> None:
    """Write a whole file in one step, for its owner's eyes only; a link stays a link."""
    real = path.resolve()
    fd, staged = tempfile.mkstemp(prefix=f".{real.name}-", dir=real.parent)  # made with mode 600
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(staged).replace(real)


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"[\w.+:/@%,=-]*", value) else f"'{value}'"
