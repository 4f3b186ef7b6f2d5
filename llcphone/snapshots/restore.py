"""Puts a snapshot back: the settings file and the agent modules, together or not at all.

Several files cannot be replaced in one step. So all that is to be written, and all that it replaces, is
first written whole into ``.llcphone-restore/<time>/`` beside the settings; then the file ``pending``, that
names this folder, appears there in one step. From that moment the restore has happened: each file is
replaced by its new text, and who finds ``pending`` after a crash does the same again. The replaced files
stay in that folder, secrets and comments included, for their owner's eyes only.

Of the settings file what belongs to the deployment (keys, addresses, numbers) stays, as do its comments and
its order; of the rest only what is not the default is written. What .env and the environment say wins over
that file, so a restore that they would undo is refused, and says which variable is in the way.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from llcphone import settings
from llcphone.config import SETTINGS, Config, parse_toml, toml_value
from llcphone.errors import ConfigError
from llcphone.runtime.atomic_write import read_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llcphone.snapshots.format import Snapshot

PLACE = ".llcphone-restore"
_PENDING = "pending"


@frozen
class Plan:
    """What a restore will write."""

    snapshot: Snapshot
    path: Path
    """The settings file."""
    files: tuple[tuple[Path, bytes], ...]
    """Each file with its new content, the settings file last."""
    lost: tuple[str, ...]
    """What of the present settings file cannot be carried over, in words."""
    base: Path
    """The folder from which the settings name agent modules: below it all of them are."""


def plan_restore(
    snapshot: Snapshot, path: Path, *, base: Path = Path(), environ: Mapping[str, str] | None = None
) -> Plan:
    """Look whether a snapshot can be put back, and what that would write; nothing is changed.

    The settings file at ``path`` need not exist or be readable; from ``base`` it names agent modules.

    Raises:
        ConfigError: this version refuses a setting of it, a module is no Python or has no place, or a
            variable would win over it.
    """
    wanted = snapshot.config
    text, lost = _settings_text(snapshot, path)
    _refuse_overridden(wanted, text, path, environ)
    files = []
    for module in snapshot.modules:
        target = base / module.path
        try:
            compile(module.source, module.path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            raise ConfigError(
                f"module {module.path}",
                "of the snapshot cannot be run by this Python",
                "use the Python that it was saved with, or another snapshot",
            ) from None
        if not target.resolve().is_relative_to(base.resolve()):
            fix = "restore in the folder it belongs to"
            raise ConfigError(f"module {module.path}", "would be written outside this folder", fix)
        if not target.parent.is_dir():
            fix = "restore in the folder in which llcphone serve runs"
            raise ConfigError(f"module {module.path}", "has no folder here", fix)
        files.append((target, module.source))
    return Plan(snapshot, path, (*files, (path, text.encode())), lost, base)


def put_back(plan: Plan) -> Path:
    """Write all files of the plan, or none; the folder that keeps what they replaced.

    Raises:
        ConfigError: a file cannot be written.
    """
    with writing():
        folder = _stage(plan)
        try:
            _replace(_entries(folder, "new", plan.path, plan.base))
        except OSError:  # a disk that is full, a folder that is not ours: none of it, then
            _replace(_entries(folder, "old", plan.path, plan.base))
            (folder.parent / _PENDING).unlink()
            raise
        (folder.parent / _PENDING).unlink()
    return folder


def _stage(plan: Plan) -> Path:
    """Write down all that is to be written and all that it replaces; the last step announces it."""
    place = plan.path.parent / PLACE
    place.mkdir(mode=0o700, exist_ok=True)
    if not _is_ours(place):
        why = "is not a folder that only you can use"
        raise ConfigError(str(place), why, "move it away, or chmod 700 it")
    _write(place / ".gitignore", b"*\n")  # there are secrets in it
    folder = place / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S-%fZ")
    folder.mkdir(mode=0o700)
    entries = []
    for number, (target, content) in enumerate(plan.files):
        real = target.resolve()  # a link stays a link
        _write(folder / f"{number}.new", content)
        if real.exists():
            _write(folder / f"{number}.old", real.read_bytes())
        entries.append({"target": str(real), "number": number})
    _write(folder / "files.json", json.dumps(entries).encode())
    _announce(folder, "new")
    return folder


def _announce(folder: Path, which: str) -> None:
    """From here on the restore is decided: a process that finds this file completes it."""
    part = folder.parent / f"{_PENDING}.part"
    _write(part, f"{folder.name} {which}".encode())
    part.replace(folder.parent / _PENDING)


def broken_off(path: Path) -> bool:
    """Whether a restore of this settings file died halfway, and is ours to finish.

    A folder may be somebody else's: unpacked, cloned, shared. So only one that this user made (mode 0700) is
    obeyed.
    """
    place = path.parent / PLACE
    try:
        return (place / _PENDING).is_file() and _is_ours(place)
    except PermissionError:  # another user's, root's for one, is theirs to finish
        return False


def finish(path: Path, *, base: Path = Path()) -> bool:
    """Do what a restore left undone when its process died; True if there was something.

    It replaces nothing but the settings file and what is below the ``base``.

    Raises:
        ConfigError: what was left is broken, or would replace another file; nothing was changed.
    """
    if not broken_off(path):
        return False
    place = path.parent / PLACE
    pending = place / _PENDING
    try:
        words = pending.read_text("utf-8").split()
    except UnicodeDecodeError:
        words = []
    if len(words) != 2 or Path(words[0]).name != words[0] or words[1] not in ("new", "old"):
        raise _broken(pending)
    _replace(_entries(place / words[0], words[1], path, base))
    pending.unlink(missing_ok=True)
    return True


def _is_ours(place: Path) -> bool:
    """Whether this user made the folder, and no other user may write in it; a link does not count."""
    found = place.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _broken(pending: Path) -> ConfigError:
    why = "a restore was broken off, and what it left is damaged"
    return ConfigError(str(pending), why, f"delete {pending}, then restore again")


def _entries(folder: Path, which: str, path: Path, base: Path) -> list[tuple[Path, bytes | None]]:
    """Each file that is to be replaced with its content; None: it is to be gone."""
    try:
        listed = json.loads((folder / "files.json").read_bytes())
        entries = [(Path(each["target"]), folder / f"{int(each['number'])}.{which}") for each in listed]
    except (OSError, ValueError, TypeError, KeyError):
        raise _broken(folder.parent / _PENDING) from None
    for target, _ in entries:
        if target.resolve() != path.resolve() and not target.resolve().is_relative_to(base.resolve()):
            raise ConfigError(
                str(target),
                "is outside this folder, so no restore may replace it",
                "restore in the folder in which llcphone serve runs",
            )
    missing = [content for _, content in entries if which == "new" and not content.is_file()]
    if missing:
        raise _broken(folder.parent / _PENDING)
    return [(target, content.read_bytes() if content.exists() else None) for target, content in entries]


def take_back(plan: Plan, folder: Path) -> None:
    """Undo a restore: put every file that it replaced back in its place; also all or nothing."""
    with writing():
        _announce(folder, "old")
        _replace(_entries(folder, "old", plan.path, plan.base))
        (folder.parent / _PENDING).unlink()


def _replace(entries: Sequence[tuple[Path, bytes | None]]) -> None:
    for target, content in entries:
        if content is None:  # there was no such file before
            target.unlink(missing_ok=True)
        else:
            replace_file(target, content, mode=None if target.exists() else _usual_mode(target))


@contextmanager
def writing() -> Iterator[None]:
    """An error of the disk is shown in one line."""
    try:
        yield
    except OSError as exc:
        why = f"cannot be written: {exc.strerror}; nothing was changed"
        raise ConfigError(
            str(exc.filename), why, "free space or allow this user to write there, then try again"
        ) from None


def _usual_mode(target: Path) -> int:
    return 0o644 if target.suffix == ".py" else 0o600


def _write(path: Path, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _settings_text(snapshot: Snapshot, path: Path) -> tuple[str, tuple[str, ...]]:
    """The settings file with the snapshot's settings; and, in words, what of the present one cannot stay."""
    from llcphone.process.settings_file import (  # with tomlkit, which ``serve`` has no use for
        edited,
        strangers,
    )

    wanted = {key: snapshot.config.value(key) for key, each in SETTINGS.items() if not each.private}
    text = f"# Written by `llcphone snapshot restore` out of {snapshot.stem}.\n"
    unreadable: tuple[str, ...] = ()
    tables: dict[str, Any] = {}
    try:
        present = read_file(path)
        tables, text = parse_toml(present), present
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError, ConfigError):
        unreadable = (f"all of {path}: it cannot be read",)
    lost = dict.fromkeys(strangers(tables), "is no setting")
    for key, setting in SETTINGS.items():
        table = tables.get(setting.section)
        if setting.private and isinstance(table, dict) and setting.name in table:
            try:
                setting.check(setting.read_value(table[setting.name]))
            except ConfigError as exc:
                lost[key] = f"{exc.why}. Fix: {exc.fix}"
    words = tuple(f"{key}: it {why}" for key, why in lost.items())
    return edited(text, wanted, without=lost), (*unreadable, *words)


def _refuse_overridden(wanted: Config, text: str, path: Path, environ: Mapping[str, str] | None) -> None:
    """Ask the real loader what would be in effect with the new text."""
    loaded = settings.load(path, environ=environ, text=text)
    for key, setting in SETTINGS.items():
        if not setting.private and loaded.config.value(key) != wanted.value(key):
            why = f"would not come back: {loaded.origin[key]} says {toml_value(loaded.config.value(key))}"
            raise ConfigError(key, why, "unset it there, then restore")
