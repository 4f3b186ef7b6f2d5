"""The machine: descriptors, folders, databases, disk, clock."""

from __future__ import annotations

import os
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]

from llcphone.doctor.context import ask
from llcphone.doctor.databases import databases
from llcphone.doctor.places import written
from llcphone.doctor.report import Finding, fail, good, unknown, warn
from llcphone.process.pidfile import read_pid_file
from llcphone.process.units import OTHER_DESCRIPTORS, SOCKETS_PER_CALL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.doctor.context import Check, DoctorContext

_SKEW_SEEN_S, _SKEW_BAD_S = 2.0, 30.0


async def descriptors(context: DoctorContext) -> list[Finding]:
    """Of the server; of this command, when none runs."""
    pid_file = read_pid_file(context.config.process.pid_file)
    pid = pid_file.pid if pid_file is not None and pid_file.alive else None
    limit = _limit_of(pid)
    if limit is None:
        seen = f"not examined: this system does not say how many files {pid or 'a process'} may open"
        fix = "run llcphone doctor as the user of the server; elsewhere than on Linux see ulimit -n"
        return [unknown("descriptors", seen, fix)]
    return [judge_descriptors(limit, context.config.server.max_calls, "" if pid else " (of this shell)")]


def _limit_of(pid: int | None) -> int | None:
    """How many descriptors a process may open; None: of this one. None is answered when it cannot be seen."""
    try:
        if pid is None:
            import resource  # only where there is such a thing

            return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return int(psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE)[0])
    except (psutil.Error, ImportError, AttributeError, OSError):
        return None


def judge_descriptors(limit: int, max_calls: int, whose: str = "") -> Finding:
    """Whether all calls that are let in find sockets."""
    wanted = SOCKETS_PER_CALL * max_calls + OTHER_DESCRIPTORS
    least = SOCKETS_PER_CALL // 2 * max_calls + OTHER_DESCRIPTORS
    seen = f"{limit} may be open{whose}, {max_calls} calls want {wanted}"
    fix = f"ulimit -n {wanted} before the start, LimitNOFILE={wanted} in the unit, or lower server.max_calls"
    if 0 <= limit < least:
        return fail("descriptors", seen, fix)
    return warn("descriptors", seen, fix) if 0 <= limit < wanted else good("descriptors", seen)


async def user(context: DoctorContext) -> list[Finding]:
    """Whether files and limits are looked at as the server's user: only then do they say what it may do."""
    pid_file = read_pid_file(context.config.process.pid_file)
    if pid_file is None or not pid_file.alive or not hasattr(os, "geteuid"):
        return []
    try:
        process = psutil.Process(pid_file.pid)
        if process.uids().effective == os.geteuid():
            return []
        name = process.username()
    except psutil.Error:
        return []
    seen = f"the server runs as {name}, so what that user may read and write was not examined"
    return [unknown("user", seen, f"sudo -u {name} llcphone doctor")]


async def clock(context: DoctorContext) -> list[Finding]:
    """Compare with the first vendor that sends the time."""
    for url in clock_urls(context):
        answer = await ask(url)
        if not isinstance(answer, str) and (date := answer.headers.get("date")):
            try:
                theirs = parsedate_to_datetime(date).timestamp()
            except ValueError:
                continue
            return [judge_clock(context.now() - theirs)]
    fix = "check this machine's network and DNS"
    return [unknown("clock", "not checked: no vendor could be reached", fix)]


def clock_urls(context: DoctorContext) -> list[str]:
    """The vendors' pages that are requested; they need no key."""
    model = context.config.realtime.url.replace("wss:", "https:", 1).replace("ws:", "http:", 1)
    return [f"{context.config.twilio.api_url}/", model]


def judge_clock(skew_s: float) -> Finding:
    seen = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the vendor's"
    fix = "set the clock: timedatectl set-ntp true (certificates, quiet hours and look-ups go by it)"
    if abs(skew_s) >= _SKEW_BAD_S:
        return fail("clock", seen, fix, skew_s=round(skew_s, 1))
    if abs(skew_s) >= _SKEW_SEEN_S:
        return warn("clock", seen, fix, skew_s=round(skew_s, 1))
    return good("clock", "agrees with the vendor's to two seconds")


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "user": user,
        "descriptors": descriptors,
        "folders": written,
        "databases": databases,
        "clock": clock,
    }
)
