"""The safe fixes, each done only when the person at the terminal says so."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

from llcphone.carrier.rest import open_carrier
from llcphone.process.pidfile import forget, read_pid_file

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping

    from llcphone.doctor.context import DoctorContext
    from llcphone.doctor.report import Finding

Ask = Callable[[str], bool]


async def _webhook(context: DoctorContext) -> str:
    async with open_carrier(context.config) as carrier:
        number = await carrier.number(context.config.twilio.phone_number)
        if number is None:
            return "the number is not the account's any more"
        await carrier.set_webhook(number.number_sid, f"{context.config.server.public_url}/twiml")
    return "set"


async def _file_modes(context: DoctorContext) -> str:
    for file in (context.path.parent / ".env", context.path):
        if file.exists():
            file.chmod(0o600)
    return "done"


async def _stale_pid_file(context: DoctorContext) -> str:
    pid_file = read_pid_file(context.config.process.pid_file)
    if pid_file is not None and not pid_file.alive and not pid_file.elsewhere:
        forget(context.config.process.pid_file)
    return "removed"


FIXES: Mapping[str, tuple[str, Callable[[DoctorContext], Awaitable[str]]]] = MappingProxyType(
    {
        "webhook": ("Set the number's voice webhook at Twilio to POST <public URL>/twiml?", _webhook),
        "file modes": ("Make .env and the settings file readable for you only (chmod 600)?", _file_modes),
        "stale pid file": ("Remove the stale pid file?", _stale_pid_file),
    }
)


async def offer_fixes(
    context: DoctorContext, findings: Iterable[Finding], *, ask: Ask, tell: Callable[[str], None]
) -> int:
    """Offer the fixes of these findings, by ``ask`` to a person; how many were done."""
    done = 0
    for name in dict.fromkeys(each.offer for each in findings if each.offer):
        question, apply = FIXES[name]
        if ask(question):
            tell(f"  {name}: {await apply(context)}")
            done += 1
    return done
