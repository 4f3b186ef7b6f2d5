"""Starting the server, alone or beside the one it replaces, and what a restart does; each step is reported.

restart   the settings are read first: wrong ones stop nothing
  replace the new server is started beside the old one and takes its port once it is ready (``serve
          --replace``); the old one drains. Without a supervisor, and while the old one answers; else:
  stop    by the supervisor, if there is one (it must not respawn what we end); else TERM, and it drains
  sweep   what still listens on the port: ours is ended, by pid; any other is named, and left alone
  start   by the supervisor, or as the old server was started
  verify  exactly one process listens, it is the new one, it answers, and it takes calls
  doctor  if it does not: the infrastructure first
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone import settings
from llcphone.config.drain import LEAVING_S
from llcphone.process.health import ask_health, ask_ready
from llcphone.process.pidfile import REPLACE, PidFile, read_pid_file
from llcphone.process.supervisors import Supervisor, respawner_of, run_command, supervisor_of
from llcphone.process.terminate import EVERY_S
from llcphone.server.port_owners import Kind, Owner, port_owners, real_path
from llcphone.server.previous_process import PreviousProcess
from llcphone.settings import DEFAULT_FILE
from llcphone.snapshots import finish

if TYPE_CHECKING:
    from llcphone.config import Config

Tell = Callable[[str], None]

EXIT_S = 5.0
"""What a server gets beyond its drain limit; it promises to need two."""
_SETTLE_S = 2.0
_TAIL = 8
"""Lines of the log that are shown when a start fails."""
_MOST_READ = 256 * 1024
_RECORD = re.compile(r"\{|\d{4}-\d\d-\d\dT")
"""How a log record begins; why a command ends is a plain line."""


@attrs.frozen(kw_only=True)
class ServerJob:
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
        leaving_s = LEAVING_S if self.config.server.node else 0.0
        return leaving_s + self.config.drain.limit_s + EXIT_S

    @property
    def supervisor(self) -> Supervisor:
        """The supervisor that keeps the server running."""
        return supervisor_of(self.config, self.patience_s)

    @property
    def pid_file(self) -> PidFile | None:
        """What the pid file says."""
        return read_pid_file(self.config.process.pid_file)

    @property
    def settings(self) -> str:
        """The settings file of this command; its real path."""
        return real_path(self.path or DEFAULT_FILE)

    def owns(self, server: PidFile | Owner) -> bool:
        """Whether this server is the one that this command is about."""
        here = isinstance(server, PidFile) and real_path(Path(server.cwd)) == real_path(Path.cwd())
        return here or server.settings == self.settings


def kept_by(job: ServerJob, pid: int, who: str) -> bool:
    """Whether a supervisor that is not configured would start this process again; if so, it is reported."""
    keeper = respawner_of(pid)
    if not keeper or job.supervisor.stop or job.force:
        return False
    job.tell(
        f"{who}, pid {pid}, is kept running by {keeper}, which would start it again at once: "
        f'set process.supervisor = "{keeper}" (or process.stop_command), or use --force'
    )
    return True


def may_stay(job: ServerJob, owner: Owner) -> bool:
    """A socket that is held for us is neither an orphan nor a second owner."""
    kind = job.config.process.supervisor
    by_docker = kind == "docker" and (owner.name == "docker-proxy" or owner.kind is Kind.HIDDEN)
    by_systemd = kind == "systemd" and owner.kind is Kind.HIDDEN  # its sockets are root's
    return owner.kind is Kind.SYSTEMD or by_docker or by_systemd


async def can_replace(job: ServerJob, former: PidFile | None) -> bool:
    """Whether the new server can be started beside the old one, and take its port from it."""
    if former is None or not former.handover or job.supervisor.start or job.supervisor.stop:
        return False
    server = job.config.server
    if former.host != server.host and server.port in (0, former.port):
        job.tell("server.host has changed, so the old server is stopped before the new one starts")
        return False
    return not respawner_of(former.pid) and await PreviousProcess(former.handover).alive()


async def start(job: ServerJob, former: PidFile | None = None, *, replace: bool = False) -> bool:
    """Start the server with the former one's command, and see it serve; ``replace``: that one still runs."""
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
    child = _spawn([*argv, *([REPLACE] if replace else [])], cwd, log_file)
    job.tell(f"started pid {child.pid}; log: {log_file}")
    if await verify(job, former, child):
        child.returncode = 0  # it outlives this process, so no code waits for it
        if replace and former is not None:
            limit_s = job.config.drain.limit_s
            job.tell(f"the old server, pid {former.pid}: its live calls may continue for {limit_s:.0f} s")
        return True
    for line in _tail(log_file, began_at):
        job.tell(f"  {line}")
    if replace and former is not None and former.alive:
        if child.poll() is None and (job.pid_file is None or job.pid_file.pid != child.pid):
            child.terminate()  # it has not taken the port
        job.tell(f"the server that ran, pid {former.pid}, is left serving")
    return False


def _command(job: ServerJob, former: PidFile | None) -> tuple[list[str], str]:
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


async def verify(job: ServerJob, former: PidFile | None, child: subprocess.Popen[bytes] | None) -> bool:
    """Wait until exactly one new process listens and answers."""
    port, host = job.config.server.port, job.config.server.host
    process = job.config.process
    no_pid_file = not process.pid_file or process.supervisor == "docker"  # its file is in the container
    began_s = trio.current_time()
    with trio.move_on_after(process.start_timeout_s + _SETTLE_S):  # one that is not ready says so itself
        while child is None or child.poll() is None:
            pid_file = job.pid_file
            answer = await ask_health(host, pid_file.port if pid_file is not None else port)
            fresh = answer is not None and (former is None or answer.process != former.identity)
            ours = answer is not None and (
                no_pid_file or (pid_file is not None and pid_file.identity == answer.process)
            )
            if fresh and ours:
                job.tell(_serving(port, pid_file, trio.current_time() - began_s))
                return await _only_one(job, pid_file.port if pid_file is not None else port)
            await trio.sleep(EVERY_S)
    if child is not None and child.poll() is not None:
        job.tell(f"the new server ended at once, with exit code {child.returncode}")
    else:
        job.tell(f"no new server answers within {process.start_timeout_s:.0f} s")
    return False


async def not_ready(job: ServerJob) -> list[str]:
    """Why the new server turns calls away once it has had its time to start; empty when it takes them."""
    pid_file, server = job.pid_file, job.config.server
    reasons: list[str] | None = None
    port = server.port if pid_file is None else pid_file.port
    with trio.move_on_after(job.config.process.start_timeout_s):
        while (reasons := await ask_ready(server.host, port)) != []:  # noqa: ASYNC110
            await trio.sleep(EVERY_S)
    return ["/readyz does not answer"] if reasons is None else reasons


def _serving(port: int, pid_file: PidFile | None, took_s: float) -> str:
    who = f"pid {pid_file.pid}" if pid_file is not None else "the server"
    port = pid_file.port if pid_file is not None else port
    return f"serving: {who} answers on port {port}, after {took_s:.1f} s"


async def _only_one(job: ServerJob, port: int) -> bool:
    """Whether no other process listens; the old server closes its sockets as soon as the new one accepts."""
    owners: list[Owner] = []
    with trio.move_on_after(_SETTLE_S):
        while True:
            owners = [each for each in port_owners(port) if not may_stay(job, each)]
            if len({each.pid for each in owners}) <= 1:
                return True
            await trio.sleep(EVERY_S)
    job.tell(f"port {port} has {len(owners)} owners: " + "; ".join(map(str, owners)))
    return False


def _tail(path: Path, began_at: int) -> list[str]:
    """What a server that failed said last; the one before it may log into the same file meanwhile."""
    try:
        with path.open("rb") as file:
            file.seek(max(began_at, path.stat().st_size - _MOST_READ))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return ([line for line in lines if not _RECORD.match(line)] or lines)[-_TAIL:]


def loaded_for_serve(path: Path | None) -> Config:
    """The settings as ``serve`` takes them: if a restore was broken off, it is finished first.

    Raises:
        ConfigError: it would refuse them.
    """
    finish(path or DEFAULT_FILE)
    config = settings.load(path).config
    config.check_ready_to_serve()
    return config
