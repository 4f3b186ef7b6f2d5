"""Reads and replaces files that a person edits too, such as llcphone.toml and .env."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def read_file(path: Path) -> str:
    """The text of a file that a person edits: UTF-8, whatever its editor put before the first line.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    return path.read_bytes().decode("utf-8-sig")  # as bytes: its line ends stay


def replace_file(target: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replace a file whole or not at all; a link stays a link.

    Whose it was it stays, for the server may run as another user than we do.

    Args:
        target: which; a new one belongs to whom its folder belongs.
        content: what is to be in it.
        mode: its permissions; by default as they were, or 0600.
    """
    target = target.resolve()
    there = target.exists()
    like = (target if there else target.parent).stat()
    if mode is None:
        mode = like.st_mode & 0o7777 if there else 0o600
    fd, staged = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(PermissionError):
            os.chown(staged, like.st_uid, like.st_gid)
        Path(staged).chmod(mode)
        Path(staged).replace(target)
    finally:
        Path(staged).unlink(missing_ok=True)
