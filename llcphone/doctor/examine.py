"""The groups of checks in their order: infrastructure first, for most failed calls fail there."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import trio

from llcphone.config import Config
from llcphone.doctor.case import Case, Check
from llcphone.doctor.machine import machine
from llcphone.doctor.process import process
from llcphone.doctor.public import public
from llcphone.doctor.report import Finding, fail, unknown
from llcphone.doctor.session import session
from llcphone.doctor.settings import settings
from llcphone.doctor.twilio import twilio
from llcphone.doctor.vendors import vendors
from llcphone.errors import ConfigError
from llcphone.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

GROUPS: Mapping[str, Check] = MappingProxyType(
    {
        "settings": settings,
        "process": process,
        "machine": machine,
        "public": public,
        "twilio": twilio,
        "session": session,
        "vendors": vendors,
    }
)
TITLES = {
    "settings": "Settings",
    "process": "Process and port",
    "machine": "Machine",
    "public": "Public URL",
    "twilio": "Twilio",
    "session": "The model's session",
    "vendors": "Vendors' status pages (they lag behind)",
}
QUICK = ("settings", "process", "session")
INFRASTRUCTURE = ("process", "machine", "public", "twilio")
_WITHOUT_SETTINGS = frozenset({"settings", "process", "vendors"})
"""What can be looked at when the settings cannot be read: the port is then the default one."""
GROUP_S = 45.0
"""Longest one group may take; each question in it has a limit of its own."""


def case_of(path: Path | None, agent: Path | None = None, *, live: bool = False) -> Case:
    """What the files and the environment say; settings that cannot be read are a finding, not an error."""
    from llcphone.settings import DEFAULT_FILE

    where = path or DEFAULT_FILE
    try:
        loaded = load(path)
        return Case(config=loaded.config, origin=loaded.origin, path=where, agent=agent, live=live)
    except ConfigError as exc:
        return Case(config=Config(), trouble=exc, path=where, agent=agent, live=live)


async def examine(
    case: Case,
    groups: Iterable[str] = tuple(GROUPS),
    *,
    tell: Callable[[str, list[Finding]], None] = lambda title, findings: None,
) -> list[Finding]:
    """Look at everything, group by group; no fault of a check ends the others.

    Args:
        case: what is examined.
        groups: which; names in ``GROUPS``.
        tell: told of each group as soon as it was looked at.
    """
    names = list(groups)
    if case.trouble is not None and "settings" not in names:
        names.insert(0, "settings")  # whatever was asked for, nothing is well with such settings
    found: list[Finding] = []
    for name in names:
        if case.trouble is not None and name not in _WITHOUT_SETTINGS:
            findings = [unknown(name, "not examined: the settings cannot be read", "correct the settings")]
        else:
            findings = [each.concealed(case.conceal) for each in await _bounded(name, case)]
        found += findings
        tell(TITLES[name], findings)
    return found


async def _bounded(name: str, case: Case) -> list[Finding]:
    with trio.move_on_after(GROUP_S):
        try:
            return await GROUPS[name](case)
        except Exception as exc:  # a bug in one check must not hide what the others see
            seen = f"this check failed itself: {type(exc).__name__}"
            return [fail(name, seen, "report it, with the output of llcphone doctor --json")]
    return [fail(name, f"no answer within {GROUP_S:.0f} s", "see what it waits for: the network, or a disk")]
