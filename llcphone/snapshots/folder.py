"""Where snapshots stand: the folder beside the settings, and the ones that ship with llcphone.

A saved snapshot is never written again: the copies of its modules first, its text last and whole, both
read-only. A name means the newest of that name, in the folder before those that ship.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llcphone
from llcphone.config import SETTINGS, Config
from llcphone.errors import ConfigError
from llcphone.snapshots.format import NAME, TUNED, Snapshot, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path("snapshots")
"""The folder, beside llcphone.toml."""
RESCUE = "rescue"
SHIPPED_BY = "llcphone"
"""The ``who`` of the shipped snapshots."""
_PACKAGE = Path(llcphone.__file__).resolve().parent
_SHORTEST_KEY = 8
_NUMBER = re.compile(r"\+[0-9]{7,15}")
_LIKE_A_KEY = re.compile(r"\b(?:sk-[A-Za-z0-9_-]{16,}|(?:AC|SK)[0-9a-f]{32})\b")


def folder_of(path: Path) -> Path:
    """Where the snapshots of a settings file stand: beside it."""
    return path.parent / FOLDER


def shipped_folder() -> Path:
    """The snapshots of this version: package data, or the folder of the checkout."""
    data = _PACKAGE / "_snapshots"
    return data if data.is_dir() else _PACKAGE.parent / "snapshots"


def load_file(path: Path) -> Snapshot:
    """Read one snapshot and the folder beside it; the modules of one that ships are the package's modes.

    Raises:
        ConfigError: it cannot be read, is no snapshot, or is damaged.
    """
    ships = path.parent.resolve() == shipped_folder()
    beside = _PACKAGE / "modes" if ships else path.with_suffix("")
    try:
        text = path.read_bytes().decode()  # every byte of it: reading as text would change line ends
        copies = sorted(beside.iterdir()) if beside.is_dir() else []
        sources = {each.name: each.read_bytes() for each in copies if each.is_file()}
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            path.name, f"cannot be read: {type(exc).__name__}", "make it readable, or use another snapshot"
        ) from None
    try:
        return read_text(text, sources, path.name)
    except KeyError as exc:
        raise ConfigError(
            path.name, f"is damaged: [snapshot] has no {exc.args[0]}", "use another snapshot"
        ) from None
    except ConfigError as exc:
        raise ConfigError(path.name, exc.why, exc.fix) from None


def paths_in(folder: Path) -> list[Path]:
    """The files of a folder that are named like snapshots, the newest date first."""
    found = [path for path in folder.glob("*.toml") if TUNED in path.stem or path.stem == RESCUE]
    return sorted(found, key=lambda path: (path.stem.rpartition(TUNED)[2], path.stem), reverse=True)


def find(name: str, folder: Path = FOLDER) -> Snapshot:
    """The snapshot of this name, of this ``<name>-TUNED-<date>``, or in this file.

    Raises:
        ConfigError: there is none, or it is damaged.
    """
    if name.endswith(".toml"):
        return load_file(Path(name))
    for place in (folder, shipped_folder()):
        for path in paths_in(place):
            if name in (path.stem, path.stem.rpartition(TUNED)[0]):
                return load_file(path)
    raise ConfigError(name, "there is no such snapshot", "use a name of `llcphone snapshot list`")


def load_last_good(folder: Path = FOLDER) -> Snapshot | None:
    """The snapshot that was saved here as good last; None: there is none that can be read.

    Those that ship do not count: nobody has held a call under them here.
    """
    good = [each for each in _readable(folder) if each.good and each.who != SHIPPED_BY]
    return max(good, key=lambda each: each.saved_at, default=None)


def _readable(folder: Path) -> Iterator[Snapshot]:
    for path in paths_in(folder):
        with contextlib.suppress(ConfigError):
            yield load_file(path)


def put(snapshot: Snapshot, folder: Path, config: Config) -> Path:
    """Write a snapshot that does not exist yet; the path of its text.

    Raises:
        ConfigError: its name is none or taken, or it would hold a secret of ``config``.
    """
    if not NAME.fullmatch(snapshot.name):
        raise ConfigError(
            snapshot.name, "cannot be the name of a snapshot", "use a-z, 0-9 and single hyphens"
        )
    text, path = snapshot.text(), folder / f"{snapshot.stem}.toml"
    _refuse_secrets(snapshot, text, config)
    if path.exists():
        raise ConfigError(snapshot.stem, "exists, and a snapshot is never changed", "take another name")
    folder.mkdir(parents=True, exist_ok=True)
    if snapshot.modules:
        _put_copies(snapshot, folder)
    _put_text(text, path)
    return path


def _put_copies(snapshot: Snapshot, folder: Path) -> None:
    target = folder / snapshot.stem
    shutil.rmtree(target, ignore_errors=True)  # of a save that was broken off before its text was written
    staged = Path(tempfile.mkdtemp(prefix=".saving-", dir=folder))
    for module in snapshot.modules:
        (staged / module.file).write_bytes(module.source)
        (staged / module.file).chmod(0o444)
    staged.chmod(0o755)
    staged.rename(target)


def _put_text(text: str, path: Path) -> None:
    fd, staged = tempfile.mkstemp(prefix=".saving-", dir=path.parent)
    with os.fdopen(fd, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(staged).chmod(0o444)
    Path(staged).rename(path)


def _telling(value: Any) -> Iterator[str]:
    """What gives a secret away: a key; of a table, which holds names and paths too, its numbers."""
    match value:
        case str() if len(value) >= _SHORTEST_KEY:
            yield value
        case Mapping() | tuple() | list():
            parts = [*value, *value.values()] if isinstance(value, Mapping) else value
            yield from (each for part in parts for each in _telling(part) if _NUMBER.fullmatch(each))


def _refuse_secrets(snapshot: Snapshot, text: str, config: Config) -> None:
    """What is kept for ever, and shown to others, has no key in it: neither ours nor what looks like one."""
    places = {"the settings or a prompt": text}
    places |= {module.path: module.source.decode("utf-8", "replace") for module in snapshot.modules}
    for place, content in places.items():
        for key, setting in SETTINGS.items():
            if setting.secret and any(each in content for each in _telling(config.value(key))):
                fix = "read it from the environment there, then save"
                raise ConfigError(key, f"its value is in {place}", fix)
        if _LIKE_A_KEY.search(content):
            raise ConfigError(snapshot.name, f"{place} holds what looks like a key", "take it out, then save")
