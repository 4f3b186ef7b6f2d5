"""Time zones by name, and whether this machine knows any.

Windows and slim images have no table of time zones. The package ``tzdata`` is one, and llcphone requires it;
where it is missing all the same, that is said, and UTC works.
"""

from __future__ import annotations

import datetime
import functools
import zoneinfo
from typing import Final

from llcphone.errors import ConfigError

NO_TABLE: Final = ("this machine has no table of time zones", "install the package tzdata")

_ALWAYS_UTC = frozenset({"UTC", "Etc/UTC"})


def zone_of(name: str, key: str) -> datetime.tzinfo:
    """The time zone of this IANA name.

    Args:
        name: such as ``Europe/Madrid``.
        key: the setting or argument that names it.

    Raises:
        ConfigError: there is no such zone, or this machine has no table.
    """
    if name in _ALWAYS_UTC:
        return datetime.UTC
    if (zone := known_zone(name)) is not None:
        return zone
    if not has_table():
        raise ConfigError(key, *NO_TABLE)
    raise ConfigError(key, "is not a time zone", "write it as Europe/Madrid")


def has_table() -> bool:
    """Whether this machine has a table of time zones."""
    return known_zone("Europe/London") is not None


@functools.cache
def known_zone(name: str) -> zoneinfo.ZoneInfo | None:
    """The time zone of this name; None: it is not known here."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        return None
