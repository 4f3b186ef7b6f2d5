"""Every file and folder that the server writes: is its folder there, may it be written, is there room?

A journal or a record that cannot be written stops ``llcphone serve``, or is missed only when it is needed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from llcphone.doctor.report import Finding, fail, good, unknown, warn
from llcphone.errors import ConfigError
from llcphone.settings import with_journal, with_store
from llcphone.store.engines import known

if TYPE_CHECKING:
    from llcphone.doctor.context import DoctorContext

_DISK_LOW, _DISK_OUT = 1_000_000_000, 50_000_000


@frozen
class Place:
    """One file or folder that is written."""

    key: str
    """The setting that says where it is."""
    path: Path
    is_folder: bool = False
    """A folder for files of its own, made when it is needed."""


def places_of(context: DoctorContext) -> list[Place]:
    """What ``llcphone serve`` writes by these settings; databases elsewhere are not files."""
    config = with_store(with_journal(context.config), context.path)
    settings = config.process
    files = {
        "records.path": config.records.path,
        "money.state_file": config.money.state_file,
        "process.pid_file": settings.pid_file,
        "process.log_file": settings.log_file if settings.supervisor == "none" else "",
    }
    places = [Place(key, Path(path).absolute()) for key, path in files.items() if path]
    journal, store = config.journal, config.store
    databases = {
        "journal.url": journal.url if journal.enabled else "",
        "shared.url": config.shared.url,
        "store.url": store.url if store.enabled else "",
    }
    for key, url in databases.items():
        if file := _database_file(url, key):
            places.append(Place(key, file.absolute()))
    folders = {key: config.value(key) for key in ("records.blackbox_dir", "records.audio_dir")}
    return places + [
        Place(key, Path(path).absolute(), is_folder=True) for key, path in folders.items() if path
    ]


def place_of_database(url: str, key: str) -> Path | None:
    """The file of a database; None of one on a server.

    Raises:
        ConfigError: the address is none of a database that we can use.
    """
    parts = known(url, key)
    return Path(parts.database) if parts.get_backend_name() == "sqlite" and parts.database else None


def _database_file(url: str, key: str) -> Path | None:
    try:
        return place_of_database(url, key) if url else None
    except ConfigError:  # the databases' own check says so
        return None


async def written(context: DoctorContext) -> list[Finding]:
    """Whether all of it can be written, and whether there is room."""
    findings: list[Finding] = []
    free: dict[str, int] = {}
    unseen = ""
    for place in places_of(context):
        folder = _present(place.path) if place.is_folder else place.path.parent
        if (finding := judge_place(place, folder, _trouble(place, folder))) is not None:
            findings.append(finding)
            continue
        try:
            free[str(folder)] = shutil.disk_usage(folder).free
        except OSError as exc:
            unseen = f"the room left in {folder} cannot be read: {exc.strerror}"
    if not findings:
        findings.append(good("folders", f"each can be written: {', '.join(sorted(free))}"))
    if unseen:
        findings.append(unknown("disk", unseen, "see with df whether there is room"))
    if free:
        fullest = min(free, key=lambda folder: free[folder])
        findings.append(judge_disk(fullest, free[fullest]))
    return findings


def judge_place(place: Place, folder: Path, trouble: str) -> Finding | None:
    """What is wrong with a place; None when nothing is."""
    match trouble:
        case "":
            return None
        case "missing":
            seen, fix = f"{folder} is not there", f"mkdir -p {folder}, or set {place.key}"
        case "file":
            seen = f"{place.path} cannot be written by this user"
            fix = f"give it to the user of the server (chown), or set {place.key}"
        case _:
            seen = f"{folder} cannot be written ({trouble}); {place.path.name} belongs there"
            fix = f"let the user of the server write there (chown, or a mounted volume), or set {place.key}"
    return fail("folders", seen, fix, setting=place.key)


def _present(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there, as far as can be seen."""
    return next((each for each in (folder, *folder.parents) if os.path.exists(each)), folder)


def _trouble(place: Place, folder: Path) -> str:
    try:  # tried, not asked: a read-only mount and a full quota have the right mode
        if not folder.is_dir():
            return "missing"
        with tempfile.TemporaryFile(dir=folder):
            pass
        there = place.path.exists() and not place.is_folder
    except OSError as exc:
        return exc.strerror or type(exc).__name__
    return "file" if there and not (place.path.is_file() and os.access(place.path, os.W_OK)) else ""


def judge_disk(folder: str, free: int) -> Finding:
    """Whether what is written finds room."""
    seen = f"{free / 1e9:.1f} GB free in {folder}"
    fix = "make room, or move records.path, journal.url, store.url and the log elsewhere"
    if free < _DISK_OUT:
        return fail("disk", seen, fix)
    return warn("disk", seen, fix) if free < _DISK_LOW else good("disk", seen)
