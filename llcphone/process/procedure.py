"""Stop, start and restart, step by step; each step is told.

    restart   the settings are read first: wrong ones stop nothing
      stop    by the supervisor, if there is one (it must not respawn what we end); else TERM, and it drains
      sweep   what still listens on the port: ours is ended, by pid; a foreign one is named, and left alone
      start   by the supervisor, or as the old server was started
      verify  exactly one process listens, it is the new one, and it answers
      doctor  a quick one; if it finds something, the infrastructure first

A server is recognised by its pid file, and without one by its command line on the port. Whoever still carries
calls gets the time of a drain; whoever does not even answer ``/healthz`` gets ``process.term_timeout_s``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone import settings
from llcphone.owners import Kind, Owner, port_owners
from llcphone.process.ending import EVERY_S, end, gone
from llcphone.process.health import ask_health
from llcphone.process.pidfile import Mark, forget, read_mark
from llcphone.process.supervisors import Supervisor, respawner_of, run_command, supervisor_of

if TYPE_CHECKING:
    from llcphone.config import Config

Tell = Callable[[str], None]

EXIT_S = 5.0
"""What a server gets beyond its drain limit; it promises to need two."""
_SETTLE_S = 2.0
_TAIL = 8
"""Lines of the log that are told when a start fails."""


@attrs.frozen(kw_only=True)
class Job:
    """What is to be stopped or started, and how far one may go."""

    config: Config
    path: Path | None = None
    agent: Path | None = None
    force: bool = False
    """End foreign processes on the port too, and servers whose supervisor is not configured."""
    tell: Tell = print

    @property
    def patience_s(self) -> float:
        """Longest a server may take to end."""
        return self.config.server.drain_limit_s + EXIT_S

    @property
    def supervisor(self) -> Supervisor:
        """Who keeps the server running."""
        return supervisor_of(self.config, self.patience_s)

    @property
    def mark(self) -> Mark | None:
        """What the pid file says."""
        return read_mark(self.config.process.pid_file)


# -- stop ---------------------------------------------------------------------------------------


async def stop(job: Job) -> bool:
    """Stop the server and clear its port; whether both are so."""
    return await _stop_server(job) and await sweep(job)


async def _stop_server(job: Job) -> bool:
    mark, supervisor = job.mark, job.supervisor
    if mark is not None and not mark.alive:
        job.tell(f"stale pid file: pid {mark.pid} does not run any more; removed")
        forget(job.config.process.pid_file)
        mark = None
    if supervisor.stop:
        job.tell(f"stopping by {' '.join(supervisor.stop)}")
        if trouble := await run_command(supervisor.stop, job.patience_s + EXIT_S):
            job.tell(f"the supervisor's stop command {trouble}")
            return False
        if mark is not None and not await gone(mark.pid, mark.created, EXIT_S):
            job.tell(f"pid {mark.pid} still runs after the supervisor's stop command")
            return job.force
        return True
    if mark is None:
        job.tell("no server is known by a pid file")
        return True
    return await _end(job, mark.pid, mark.created, mark.port, "the server")


async def sweep(job: Job) -> bool:
    """End what of ours still listens on the port; whether it is free then."""
    port = job.config.server.port
    if not port:
        return True
    for owner in await _settled(job, port):
        if not await _clear(job, owner, port):
            return False
    left = [each for each in await _settled(job, port) if not _may_stay(job, each)]
    for owner in left:
        again = "; something starts it again: set process.stop_command" if owner.kind is Kind.OURS else ""
        job.tell(f"port {port} is still taken by {owner}: {owner.mend(port)}{again}")
    return not left


async def _settled(job: Job, port: int) -> list[Owner]:
    """Who has the port; a socket without a process may be that of one that is just being cleared away."""
    owners = port_owners(port)
    with trio.move_on_after(_SETTLE_S):
        while any(each.kind is Kind.HIDDEN and not _may_stay(job, each) for each in owners):
            await trio.sleep(EVERY_S)
            owners = port_owners(port)
    return owners


async def _clear(job: Job, owner: Owner, port: int) -> bool:
    if _may_stay(job, owner):
        job.tell(f"port {port} is held for the server by {owner.name or 'systemd'}: left alone")
        return True
    if owner.kind is Kind.OURS and owner.pid is not None:
        return await _end(job, owner.pid, owner.started_at, port, "an orphan of ours")
    if owner.kind is Kind.FOREIGN and job.force and owner.pid is not None:
        job.tell(f"ending {owner}, as --force says")
        how = await end(owner.pid, owner.started_at, job.config.process.term_timeout_s)
        job.tell(f"pid {owner.pid}: {how}")
        return how in ("ended", "killed")
    force = " (--force does it)" if owner.kind is Kind.FOREIGN else ""
    job.tell(f"port {port} belongs to {owner}; it is not ours to end: {owner.mend(port)}{force}")
    return False


def _may_stay(job: Job, owner: Owner) -> bool:
    """A socket that is held for us is neither an orphan nor a second owner."""
    kind = job.config.process.supervisor
    by_docker = kind == "docker" and (owner.name == "docker-proxy" or owner.kind is Kind.HIDDEN)
    by_systemd = kind == "systemd" and owner.kind is Kind.HIDDEN  # its sockets are root's
    return owner.kind is Kind.SYSTEMD or by_docker or by_systemd


async def _end(job: Job, pid: int, created: float, port: int, who: str) -> bool:
    """End one server of ours: with the time of a drain, unless it hangs."""
    keeper = respawner_of(pid)
    if keeper and not job.supervisor.stop and not job.force:
        job.tell(
            f"{who}, pid {pid}, is kept running by {keeper}, which would start it again at once: "
            f'set process.supervisor = "{keeper}" (or process.stop_command), or use --force'
        )
        return False
    answers = await ask_health(job.config.server.host, port) is not None
    patience_s = job.patience_s if answers else job.config.process.term_timeout_s
    waits = f"live calls may go on for {job.config.server.drain_limit_s:.0f} s" if answers else "it hangs"
    job.tell(f"stopping {who}, pid {pid}: {waits}")
    how = await end(pid, created, patience_s, lambda s: job.tell(f"still draining after {s:.0f} s"))
    job.tell(f"pid {pid}: {how}")
    return how in ("ended", "killed")


# -- start --------------------------------------------------------------------------------------


async def start(job: Job, former: Mark | None = None) -> bool:
    """Start the server and see it serve.

    Args:
        job: what is to be started.
        former: the server before it, which tells how it was started.
    """
    supervisor = job.supervisor
    if supervisor.start:
        job.tell(f"starting by {' '.join(supervisor.start)}")
        if trouble := await run_command(supervisor.start, job.config.process.start_timeout_s):
            job.tell(f"the supervisor's start command {trouble}")
            return False
        return await verify(job, former, None)
    argv, cwd = _command(job, former)
    log_file = Path(cwd) / job.config.process.log_file
    began_at = log_file.stat().st_size if log_file.exists() else 0
    child = _spawn(argv, cwd, log_file)
    job.tell(f"started pid {child.pid}; it tells of itself in {log_file}")
    if await verify(job, former, child):
        child.returncode = 0  # it outlives us: nobody waits for it
        return True
    for line in _tail(log_file, began_at):
        job.tell(f"  {line}")
    return False


def _command(job: Job, former: Mark | None) -> tuple[list[str], str]:
    """As the former server was started; else `serve` with the settings of this command."""
    told_anew = job.path is not None or job.agent is not None
    if former is not None and not told_anew and "serve" in former.argv and Path(former.cwd).is_dir():
        return former.argv, former.cwd
    argv = [sys.executable, "-m", "llcphone", "serve"]
    argv += ["--config", str(job.path)] if job.path else []
    argv += ["--agent", str(job.agent)] if job.agent else []
    return argv, str(Path.cwd())


def _spawn(argv: list[str], cwd: str, log_file: Path) -> subprocess.Popen[bytes]:
    """A process of its own session, which outlives us; its log is for its owner's eyes only."""
    with os.fdopen(os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as out:
        return subprocess.Popen(
            argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )


async def verify(job: Job, former: Mark | None, child: subprocess.Popen[bytes] | None) -> bool:
    """Wait until exactly one new process listens and answers."""
    port, host = job.config.server.port, job.config.server.host
    process = job.config.process
    unmarked = not process.pid_file or process.supervisor == "docker"  # its file is in the container
    began_s = trio.current_time()
    with trio.move_on_after(process.start_timeout_s):
        while child is None or child.poll() is None:
            mark = job.mark
            answer = await ask_health(host, mark.port if mark is not None else port)
            fresh = answer is not None and (former is None or answer.process != former.identity)
            ours = answer is not None and (unmarked or (mark is not None and mark.identity == answer.process))
            if fresh and ours:
                job.tell(_serving(port, mark, trio.current_time() - began_s))
                return _only_one(job, mark.port if mark is not None else port)
            await trio.sleep(EVERY_S)
    if child is not None and child.poll() is not None:
        job.tell(f"the new server ended at once, with exit code {child.returncode}")
    else:
        job.tell(f"no new server answers within {process.start_timeout_s:.0f} s")
    return False


def _serving(port: int, mark: Mark | None, took_s: float) -> str:
    who = f"pid {mark.pid}" if mark is not None else "the server"
    return f"serving: {who} answers on port {mark.port if mark is not None else port}, after {took_s:.1f} s"


def _only_one(job: Job, port: int) -> bool:
    owners = [each for each in port_owners(port) if not _may_stay(job, each)]
    pids = {each.pid for each in owners}
    if len(pids) > 1:
        job.tell(f"port {port} has {len(pids)} owners: " + "; ".join(map(str, owners)))
    return len(pids) <= 1


def _tail(path: Path, began_at: int) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(began_at, path.stat().st_size - 4096))
            return file.read().decode(errors="replace").splitlines()[-_TAIL:]
    except OSError:
        return []


def loaded_for_serve(path: Path | None) -> Config:
    """The settings as ``serve`` takes them.

    Raises:
        ConfigError: it would refuse them.
    """
    config = settings.load(path).config
    config.check_ready_to_serve()
    return config
