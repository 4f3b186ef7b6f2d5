"""What the dial guard needs from this machine: the do-not-call file, and the clocks of other places.

The file has one number per line, in any spelling; ``#`` begins a comment. llcphone reads it again when it
changes. Replace it by renaming a complete file over it, because a half-written file is a short list. If a
line is not a number, the whole file counts as unreadable, and no call is placed until it can be read. A
typing mistake must not cause a call to a person who asked not to be called.
"""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from llcphone.errors import ConfigError
from llcphone.runtime.log_lines import logger
from llcphone.runtime.time_zones import NO_TABLE, has_table, known_zone
from llcphone.validation.e164 import country_of, e164
from llcphone.validation.phone_numbers import identity

if TYPE_CHECKING:
    from llcphone.config.outbound import OutboundConfig
    from llcphone.dial_guard.guard import DialGuard

log = logger("llcphone.guard")

_KEY = "outbound.do_not_call_file"
_READ_EVERY_S = 5.0
_READABLE = "name a file that llcphone may read"
_Stamp = tuple[int, int, int]


class DoNotCallFile:
    """Keeps a guard's do-not-call list as its file is now."""

    def __init__(self, path: str | Path, guard: DialGuard) -> None:
        """Take the file; national spellings are read as in the country of the guard's usual number."""
        self._path = Path(path)
        self._guard = guard
        self._country = country_of(guard.own_numbers[0]) if guard.own_numbers else None
        self._read_at: _Stamp | None = None
        self.trouble = ""
        """Why the list cannot be read; empty: it was."""
        self._lock = trio.Lock()

    async def refresh(self) -> None:
        """Await this before each ``guard.check``: it reads the file if it has changed.

        It never raises for the file's sake: an unreadable file makes the guard refuse every call, and
        is logged once. A long list is parsed in a thread, so it does not hold up the audio.
        """
        async with self._lock:  # calls that come while it is read wait for it, not for a reading each
            try:
                found = await trio.to_thread.run_sync(self._look, abandon_on_cancel=True)
            except ConfigError as exc:
                self._guard.do_not_call, self._read_at = None, None
                if str(exc) != self.trouble:
                    log.error("no outbound calls", extra={"error": str(exc)})
                self.trouble = str(exc)
                return
            if found is not None:
                self._read_at, self._guard.do_not_call = found
                self.trouble = ""

    def _look(self) -> tuple[_Stamp, frozenset[str]] | None:
        """In a thread: the new list, or None when the file is the one already read."""
        try:
            status = self._path.stat()
        except OSError as exc:
            raise ConfigError(_KEY, f"cannot be read: {exc.strerror}", _READABLE) from None
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        return None if stamp == self._read_at else (stamp, read_numbers(self._path, self._country))


class DialLists:
    """What a guard has to know of this machine, for the life of a phone."""

    def __init__(self, rules: OutboundConfig, guard: DialGuard) -> None:
        self._rules = rules
        self._file = DoNotCallFile(rules.do_not_call_file, guard) if rules.do_not_call_file else None

    @property
    def trouble(self) -> str:
        """Why no call can be placed at all; empty: calls can be placed."""
        return "" if self._file is None else self._file.trouble

    async def read(self) -> None:
        """Read at the start what would stop every call."""
        if self._file is not None:
            await self._file.refresh()
        if self._rules.quiet_hours and not has_table():
            error = ". Fix: ".join(NO_TABLE)
            log.error("no outbound calls outside this machine's own time zone", extra={"error": error})

    async def keep(self) -> None:
        """Keep the do-not-call list as its file is, until cancelled."""
        while self._file is not None:
            await self._file.refresh()
            await trio.sleep(_READ_EVERY_S)


def read_numbers(path: Path, country: str | None, key: str = _KEY) -> frozenset[str]:
    """The numbers of a do-not-call file, by their `identity`; national spellings are read as of ``country``.

    ``key`` is the setting or option that names the file, for complaints.

    Raises:
        ConfigError: it cannot be read, or a line is no number; the text names the line, not what it holds.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as exc:
        raise ConfigError(key, f"cannot be read: {exc.strerror}", _READABLE) from None
    except UnicodeDecodeError:
        raise ConfigError(key, "cannot be read: it is not UTF-8 text", "save it as UTF-8") from None
    numbers = set()
    for at, line in enumerate(lines, start=1):
        if not (text := line.partition("#")[0].strip()):
            continue
        if (number := e164(text, country)) is None:
            raise ConfigError(key, f"line {at} is not a telephone number", "write + and the country code")
        numbers.add(identity(number))
    return frozenset(numbers)


def offset_s(zone: str, unix_s: int) -> int | None:
    """How far a zone's clock is ahead of UTC at a moment; "" is this machine's zone, None an unknown one."""
    if not zone:
        return time.localtime(unix_s).tm_gmtoff
    table = known_zone(zone)
    offset = None if table is None else datetime.fromtimestamp(unix_s, table).utcoffset()
    return None if offset is None else round(offset.total_seconds())
