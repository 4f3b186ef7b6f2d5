"""The process: does it run, which process has the port, does it answer, what did it log last."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]
import trio
from attrs import frozen

from llcphone.doctor.report import Finding, fail, good, unknown, warn
from llcphone.process.health import Health, ask_health, ask_ready
from llcphone.process.pidfile import PidFile, read_pid_file, trouble_with
from llcphone.process.start import ServerJob
from llcphone.server.port_owners import Kind, Owner, port_owners, real_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llcphone.doctor.context import Check, DoctorContext

SLOW_MS = 500.0
_OTHER_PROJECT = "set server.port (PORT) here, or stop it there"
_MARKED_OTHER = "set process.pid_file and server.port (PORT) to others here, or stop it there"
_LOG_BYTES = 65_536
_LOG_S = 5.0
_JOURNAL = ("--no-pager", "--output=cat", "--lines=500", "--unit={unit}")
_LOG_COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "systemd": ("journalctl", *_JOURNAL),
        "systemd-user": ("journalctl", "--user", *_JOURNAL),
        "docker": ("docker", "logs", "--tail=500", "{unit}"),
    }
)
_ERROR = re.compile(r'\[(?:error|critical)\s*\]\s*(?P<text>[^\[\n]{3,80})|"level":\s*"(?:error|critical)"')
_EVENT = re.compile(r'"event":\s*"([^"]{3,80})"')
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@frozen
class Facts:
    port: int
    pid_file: PidFile | None
    alive: bool
    owners: Sequence[Owner]
    health: Health | None
    not_ready: Sequence[str] | None
    errors: Sequence[str] | None
    """None: there is no log where it should be, or it cannot be read."""
    settings: str = ""
    """The settings file of this project; its real path."""
    is_own: bool = True
    """Whether the process that the pid file names is of this project."""
    trouble: str = ""
    """Why the pid file cannot be read; "" when it can, or there is none."""


async def process(context: DoctorContext) -> list[Finding]:
    settings, path = context.config.process, real_path(context.path)
    pid_file = read_pid_file(settings.pid_file)
    alive = pid_file is not None and pid_file.alive
    host, port = context.config.server.host, context.config.server.port
    if pid_file is not None and alive:  # where it listens, whatever the settings say by now
        host, port = pid_file.host, pid_file.port
    health = await ask_health(host, port)
    not_ready = await ask_ready(host, port) if health is not None else None
    errors = await last_errors(context)
    ours = pid_file is None or ServerJob(config=context.config, path=context.path).owns(pid_file)
    trouble = trouble_with(settings.pid_file)
    owners = port_owners(port)
    return judge(Facts(port, pid_file, alive, owners, health, not_ready, errors, path, ours, trouble))


def judge(facts: Facts) -> list[Finding]:
    if not facts.alive and not facts.owners and facts.health is None:
        return [_nobody(facts), _log(facts)]  # port and answers would only say so again
    return [_process(facts), _port(facts), *_health(facts), _log(facts)]


def _nobody(facts: Facts) -> Finding:
    nobody = f"no program listens on {facts.port}"
    if (finding := _unseen(facts)) is not None:
        return finding
    if facts.pid_file is None:
        seen = f"no server runs: {nobody}, and there is no pid file"
        return fail("process", seen, "llcphone start   (or llcphone serve, to watch it)")
    seen = f"the server has died: {nobody}, and the pid file names {facts.pid_file.pid}, which does not run"
    return fail("process", seen, "llcphone start; the end of its log may say why", offer="stale pid file")


def _unseen(facts: Facts) -> Finding | None:
    """What the pid file names, where that cannot be seen from here."""
    if facts.trouble:
        seen = f"the pid file cannot be read ({facts.trouble}), so it is not known which process it names"
        fix = "run llcphone doctor as the user of the server; if none runs, delete the file"
        return unknown("process", seen, fix)
    if facts.pid_file is not None and facts.pid_file.elsewhere:
        seen = f"the pid file names pid {facts.pid_file.pid} of another container, not visible from here"
        return unknown("process", seen, "run llcphone doctor in that container")
    return None


def _process(facts: Facts) -> Finding:
    ours = [each for each in facts.owners if each.kind is Kind.OURS]
    marked = facts.pid_file is not None and facts.alive
    if other := _other_project(facts):
        of_port = f"port {facts.port} belongs to another project"
        whose = f"the pid file names {other}" if marked else f"{of_port}: {other}"
        fix = _MARKED_OTHER if marked else _OTHER_PROJECT
        return fail("process", f"no server of this project runs; {whose}", fix)
    if facts.pid_file is not None and facts.alive:
        return good("process", f"pid {facts.pid_file.pid}{_since(facts.pid_file.pid)}")
    if (finding := _unseen(facts)) is not None:
        return finding
    if facts.pid_file is not None:
        seen = f"the pid file names {facts.pid_file.pid}, which does not run"
        if ours:
            return warn("process", f"{seen}; {ours[0]} serves", "llcphone restart", offer="stale pid file")
        if facts.health is not None:
            return warn("process", f"{seen}; another one answers", "llcphone restart", offer="stale pid file")
        return fail("process", f"{seen}: the server has died", "llcphone restart", offer="stale pid file")
    if ours and not any(each.settings for each in ours):
        seen = f"{ours[0]} serves, without a pid file; of which project cannot be seen by this user"
        return unknown("process", seen, "run llcphone doctor as the user of the server")
    if ours:
        return good("process", f"{ours[0]} serves, without a pid file")
    if facts.health is not None:
        seen = f"a llcphone answers on port {facts.port}; whose it is cannot be seen: there is no pid file"
        return unknown("process", seen, "run llcphone doctor as the user of the server, and in its container")
    return fail(
        "process", "no server of this project runs", "free the port (see below), then: llcphone start"
    )


def _other_project(facts: Facts) -> str:
    """The server of another project that runs in place of ours; "" when there is none to be seen."""
    if facts.pid_file is not None and facts.alive:
        return "" if facts.is_own else f"pid {facts.pid_file.pid}, a llcphone of {facts.pid_file.cwd}"
    ours = [each for each in facts.owners if each.kind is Kind.OURS]
    known = [each.settings for each in ours if each.settings]
    return str(ours[0]) if known and facts.settings not in ("", *known) else ""


def _since(pid: int) -> str:
    try:
        began = datetime.fromtimestamp(psutil.Process(pid).create_time(), UTC)
    except psutil.Error:
        return ""
    return f" since {began:%Y-%m-%d %H:%M} UTC"


def _port(facts: Facts) -> Finding:
    owners = [each for each in facts.owners if each.kind is not Kind.SYSTEMD]
    pids = {each.pid for each in owners}
    named = "; ".join(map(str, owners))
    if not owners:
        if any(each.kind is Kind.SYSTEMD for each in facts.owners):
            return good("port", f"{facts.port} is held for the server")
        if facts.health is not None:
            seen = f"who listens on {facts.port} cannot be seen by this user, so it may be two programs"
            return unknown("port", seen, f"sudo ss -ltnp 'sport = :{facts.port}'")
        return fail("port", f"no program listens on {facts.port}", "llcphone restart")
    if len(pids) > 1:
        strangers = [each for each in owners if facts.pid_file is None or each.pid != facts.pid_file.pid]
        fix = "; ".join(each.fix(facts.port) for each in strangers)
        seen = f"{facts.port} has {len(pids)} owners, so calls go astray: {named}"
        return fail("port", seen, f"llcphone restart ends ours; {fix}")
    if len(owners) > 1 and owners[0].pid is None:
        seen = f"{named}: whether that is one program cannot be seen by this user"
        return unknown("port", seen, owners[0].fix(facts.port))
    if owners[0].kind is Kind.OURS or facts.health is not None:
        return good("port", f"{facts.port} has one owner: {named}")
    fix = f"{owners[0].fix(facts.port)}, or set server.port (PORT) to another one"
    return fail("port", f"{facts.port} belongs to {named}", fix)


def _health(facts: Facts) -> list[Finding]:
    if other := _other_project(facts):
        seen = f"not by a server of this project; on port {facts.port} is {other}"
        return [fail(each, seen, _OTHER_PROJECT) for each in ("answers", "takes calls")]
    if facts.health is None:
        if facts.owners:
            seen = f"who listens on {facts.port} does not answer /healthz within 2 s"
            return [fail("answers", seen, "it hangs, or is not llcphone: llcphone restart")]
        return [fail("answers", f"no program answers on {facts.port}", "llcphone restart")]
    took = f"/healthz within {facts.health.took_ms:.0f} ms"
    if not facts.health.alive:
        seen = f"it says of itself: {'; '.join(facts.health.reasons)}"
        return [fail("answers", seen, "llcphone restart; then look at the log for what blocked it")]
    if facts.health.took_ms > SLOW_MS:
        found = [warn("answers", f"{took}: slow", "something blocks the event loop: see docs/reliability.md")]
    else:
        found = [good("answers", took, took_ms=round(facts.health.took_ms, 1))]
    reasons = facts.not_ready
    if reasons is None:
        return [*found, unknown("takes calls", "/readyz does not answer", "llcphone restart")]
    if reasons:
        return [
            *found,
            fail("takes calls", f"new calls are turned away: {'; '.join(reasons)}", _unready(reasons)),
        ]
    return [*found, good("takes calls", "yes")]


def _unready(reasons: Sequence[str]) -> str:
    fixes = {
        "draining": "it was asked to stop: llcphone restart starts the next one",
        "at server.max_calls": "raise server.max_calls, or wait until calls end",
        "the day's budget is spent": "raise the budget in [money], or wait for tomorrow",
        "the event loop is late": "less load, or another node: overload.redirect_url",
    }
    found = [fixes[each] for each in reasons if each in fixes]
    return "; ".join(found) or "the model's session is refused: see the checks of the session below"


def _log(facts: Facts) -> Finding:
    if facts.errors is None:
        fix = "read it where the server's output goes; process.supervisor and process.log_file say where"
        return warn(
            "server log", "not read: it is not where the settings say, or this user may not read it", fix
        )
    if not facts.errors:
        return good("server log", "no recent errors")
    counted = Counter(facts.errors).most_common(3)
    seen = ", ".join(f"{text} ({count}x)" if count > 1 else text for text, count in counted)
    return warn("server log", f"recent errors: {seen}", "read the log around them")


# -- the log ------------------------------------------------------------------------------------


async def last_errors(context: DoctorContext) -> list[str] | None:
    """Phrases of the last errors in the server's log, wherever its supervisor keeps it; None without one."""
    settings = context.config.process
    command = _LOG_COMMANDS.get(settings.supervisor, ())
    if command:
        text = await _told_by([each.format(unit=settings.unit) for each in command])
        return None if text is None else errors_in(text)
    pm2 = Path.home() / ".pm2" / "logs" / f"{settings.unit}-error.log"
    text = _end_of(pm2 if settings.supervisor == "pm2" else Path(settings.log_file))
    return None if text is None else errors_in(text)


def errors_in(text: str) -> list[str]:
    """The errors among lines of a log; their phrases are static, as all that the server logs."""
    found = []
    for line in _COLOUR.sub("", text).splitlines():
        if (match := _ERROR.search(line)) is not None:
            event = match["text"] or next(iter(_EVENT.findall(line)), "an error")
            found.append(event.strip())
    return found


async def _told_by(command: list[str]) -> str | None:
    """The output of a program that keeps logs; None when it is not there, fails, or is too slow."""
    with trio.move_on_after(_LOG_S):
        try:
            done = await trio.run_process(command, capture_stdout=True, stderr=subprocess.STDOUT, check=False)
        except OSError:
            return None
        return bytes(done.stdout).decode(errors="replace") if done.returncode == 0 else None
    return None


def _end_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return None


CHECKS: Mapping[str, Check] = MappingProxyType({"process": process})
