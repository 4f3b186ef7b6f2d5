"""The groups of checks in their order: infrastructure first, for most failed calls fail there."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import trio

from llcphone.doctor import machine, process, public, session, settings, twilio, vendors
from llcphone.doctor.report import Finding, fail, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from llcphone.doctor.context import Check, DoctorContext

GROUPS: Mapping[str, Mapping[str, Check]] = MappingProxyType(
    {
        "settings": settings.CHECKS,
        "process": process.CHECKS,
        "machine": machine.CHECKS,
        "public": public.CHECKS,
        "twilio": twilio.CHECKS,
        "session": session.CHECKS,
        "vendors": vendors.CHECKS,
    }
)
"""Each group's checks in their order, by the name of the finding when one fails itself."""
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
_WITHOUT_SETTINGS = frozenset({"configuration", "file modes", "process", "status pages"})
"""Checks that are of use when the settings cannot be read: the port is then the default one."""
CHECK_S = 45.0
"""Longest one check may take; each question in it has a limit of its own."""


async def run_checks(
    context: DoctorContext,
    groups: Iterable[str] = tuple(GROUPS),
    *,
    tell: Callable[[str, list[Finding]], None] = lambda title, findings: None,
) -> list[Finding]:
    """Look at these groups of ``GROUPS``, and tell each at once; no fault of a check ends the others."""
    names = list(groups)
    if context.trouble is not None and "settings" not in names:
        names.insert(0, "settings")  # whatever was asked for, nothing is well with such settings
    found: list[Finding] = []
    for name in names:
        findings = [each.concealed(context.conceal) for each in await _group(name, context)]
        found += findings
        tell(TITLES[name], findings)
    return found


async def _group(name: str, context: DoctorContext) -> list[Finding]:
    checks = GROUPS[name]
    if context.trouble is not None:
        checks = {check: look for check, look in checks.items() if check in _WITHOUT_SETTINGS}
    if not checks:
        return [unknown(name, "not examined: the settings cannot be read", "correct the settings")]
    found: list[Finding] = []
    for check in checks:
        with trio.move_on_after(CHECK_S) as limit:
            seen = {(each.check, each.evidence) for each in found}  # what two checks meet is said once
            found += [
                each
                for each in await _examined(check, checks[check], context)
                if (each.check, each.evidence) not in seen
            ]
        if limit.cancelled_caught:
            fix = "see what it waits for: the network, or a disk"
            found.append(fail(check, f"no answer within {CHECK_S:.0f} s", fix))
    return found


async def _examined(check: str, look: Check, context: DoctorContext) -> list[Finding]:
    """What one check finds; whatever it raises is a finding too, so it hides nothing that the others see."""
    try:
        return await look(context)
    except PermissionError as exc:
        seen = f"not examined: {exc.filename or 'something'} may not be read by this user"
        return [unknown(check, seen, "run llcphone doctor as the user of the server")]
    except Exception as exc:
        seen = f"this check failed itself: {type(exc).__name__}"
        return [fail(check, seen, "report it, with the output of llcphone doctor --json")]
