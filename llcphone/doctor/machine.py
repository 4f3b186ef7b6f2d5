"""The machine: descriptors, folders, databases, disk, clock."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]

from llcphone.doctor.case import ask
from llcphone.doctor.databases import databases
from llcphone.doctor.places import written
from llcphone.doctor.report import Finding, fail, good, unknown, warn
from llcphone.process.pidfile import read_mark

if TYPE_CHECKING:
    from llcphone.doctor.case import Case

SOCKETS_PER_CALL = 4
"""Two in talk, two more while a session is renewed or resumed."""
OTHER_DESCRIPTORS = 64
_SKEW_SEEN_S, _SKEW_BAD_S = 2.0, 30.0


async def machine(case: Case) -> list[Finding]:
    """All of it."""
    config = case.config
    findings = []
    if (limit := _descriptors(read_mark(config.process.pid_file))) is not None:
        findings.append(judge_descriptors(limit, config.server.max_calls))
    findings += written(case)
    findings += await databases(case)
    findings.append(await _clock(case))
    return findings


def _descriptors(mark: object) -> int | None:
    """How many the server may open; of this command, when none runs."""
    try:
        pid = getattr(mark, "pid", None)
        return int(psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE)[0])
    except (psutil.Error, AttributeError, OSError):  # not this system, or not ours
        return None


def judge_descriptors(limit: int, max_calls: int) -> Finding:
    """Whether all calls that are let in find sockets."""
    wanted = SOCKETS_PER_CALL * max_calls + OTHER_DESCRIPTORS
    least = SOCKETS_PER_CALL // 2 * max_calls + OTHER_DESCRIPTORS
    seen = f"{limit} may be open, {max_calls} calls want {wanted}"
    fix = f"ulimit -n {wanted} before the start, LimitNOFILE={wanted} in the unit, or lower server.max_calls"
    if 0 <= limit < least:
        return fail("descriptors", seen, fix)
    return warn("descriptors", seen, fix) if 0 <= limit < wanted else good("descriptors", seen)


async def _clock(case: Case) -> Finding:
    """Compare with the first vendor who tells the time."""
    for url in clock_urls(case):
        answer = await ask(url)
        if not isinstance(answer, str) and (date := answer.headers.get("date")):
            try:
                theirs = parsedate_to_datetime(date).timestamp()
            except ValueError:
                continue
            return judge_clock(case.now() - theirs)
    return unknown("clock", "not checked: no vendor could be reached", "check this machine's network and DNS")


def clock_urls(case: Case) -> list[str]:
    """Who is asked; pages that need no key."""
    model = case.config.realtime.url.replace("wss:", "https:", 1).replace("ws:", "http:", 1)
    return [f"{case.config.twilio.api_url}/", model]


def judge_clock(skew_s: float) -> Finding:
    """Whether this machine's clock is right."""
    seen = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the vendor's"
    fix = "set the clock: timedatectl set-ntp true (certificates, quiet hours and look-ups go by it)"
    if abs(skew_s) >= _SKEW_BAD_S:
        return fail("clock", seen, fix, skew_s=round(skew_s, 1))
    if abs(skew_s) >= _SKEW_SEEN_S:
        return warn("clock", seen, fix, skew_s=round(skew_s, 1))
    return good("clock", "agrees with the vendor's to two seconds")
