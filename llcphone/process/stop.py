"""Stopping the server, and clearing its port; each step is reported.

Ours is the server that the pid file names, or one with the same settings file on the port; any other is
named, and left alone without ``--force``. A server that answers gets the time of a drain. One that answers
neither before nor after TERM is killed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio

from llcphone.process.health import ask_health
from llcphone.process.pidfile import PidFile, forget
from llcphone.process.start import EXIT_S, ServerJob, kept_by, may_stay
from llcphone.process.supervisors import run_command
from llcphone.process.terminate import EVERY_S, end, gone, kill, terminate
from llcphone.server.port_owners import Kind, Owner, port_owners
from llcphone.server.previous_process import PreviousProcess

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_SETTLE_S = 2.0
_TRIES = 2
"""Questions to a server before it counts as one that does not answer."""


async def stop(job: ServerJob) -> bool:
    """Stop the server and clear its port; whether both are so."""
    return await _stop_server(job) and await sweep(job)


async def _stop_server(job: ServerJob) -> bool:
    pid_file, supervisor = known(job), job.supervisor
    if not supervisor.stop and (stranger := _strange(job)):
        job.tell(stranger)
        return False
    if supervisor.stop:
        job.tell(f"stopping by {' '.join(supervisor.stop)}")
        if trouble := await run_command(supervisor.stop, job.patience_s + EXIT_S):
            job.tell(f"the supervisor's stop command {trouble}")
            return False
        if pid_file is not None and not await gone(pid_file.pid, pid_file.created, EXIT_S):
            job.tell(f"pid {pid_file.pid} still runs after the supervisor's stop command")
            return job.force
        return True
    if pid_file is None:
        job.tell("there is no pid file of a server")
        return True
    return await _end(job, pid_file.pid, pid_file.created, pid_file, "the server")


def known(job: ServerJob) -> PidFile | None:
    """The running server of this command as the pid file names it; a stale file is removed."""
    pid_file = job.pid_file
    if (
        pid_file is None
        or pid_file.elsewhere
        or (pid_file.alive and not job.owns(pid_file) and not job.force)
    ):
        return None
    if not pid_file.alive:
        job.tell(f"stale pid file: pid {pid_file.pid} does not run any more; removed")
        forget(job.config.process.pid_file)
        return None
    return pid_file


def _strange(job: ServerJob) -> str:
    """Why the server that the pid file names is left alone; "" if it is not."""
    pid_file, file = job.pid_file, job.config.process.pid_file
    if pid_file is None or job.force:
        return ""
    if pid_file.elsewhere:
        return (
            f"{file} names pid {pid_file.pid} of another container: stop it there, or set process.supervisor"
        )
    if pid_file.alive and not job.owns(pid_file):
        return (
            f"{file} names pid {pid_file.pid}, a llcphone of {pid_file.cwd}: stop it there (--force ends it)"
        )
    return ""


async def sweep(job: ServerJob) -> bool:
    """End what of ours still listens on the port; whether it is free then."""
    port = job.config.server.port
    if not port:
        return True
    for owner in await _settled(job, port):
        if not await _clear(job, owner, port):
            return False
    left = [each for each in await _settled(job, port) if not may_stay(job, each)]
    for owner in left:
        again = "; something starts it again: set process.stop_command" if owner.kind is Kind.OURS else ""
        job.tell(f"port {port} is still taken by {owner}: {owner.fix(port)}{again}")
    return not left


async def _settled(job: ServerJob, port: int) -> list[Owner]:
    """The owners of the port; a socket without a process may belong to one that is just being removed."""
    owners = port_owners(port)
    with trio.move_on_after(_SETTLE_S):
        while any(each.kind is Kind.HIDDEN and not may_stay(job, each) for each in owners):
            await trio.sleep(EVERY_S)
            owners = port_owners(port)
    return owners


async def _clear(job: ServerJob, owner: Owner, port: int) -> bool:
    if may_stay(job, owner):
        job.tell(f"port {port} is held for the server by {owner.name or 'systemd'}: left alone")
        return True
    if owner.kind is Kind.OURS and owner.pid is not None and (job.owns(owner) or job.force):
        return await _end(job, owner.pid, owner.started_at, None, "an orphan of ours")
    if owner.kind is Kind.OURS:
        job.tell(
            f"port {port} belongs to another project: {owner}. Stop it there, or set server.port (PORT) here "
            "(--force ends it)"
        )
        return False
    if owner.kind is Kind.FOREIGN and job.force and owner.pid is not None:
        job.tell(f"ending {owner}, as --force says")
        how = await end(owner.pid, owner.started_at, job.config.process.term_timeout_s)
        job.tell(f"pid {owner.pid}: {how}")
        return how in ("ended", "killed")
    force = " (--force does it)" if owner.kind is Kind.FOREIGN else ""
    job.tell(f"port {port} belongs to {owner}; it is not ours to end: {owner.fix(port)}{force}")
    return False


async def _end(job: ServerJob, pid: int, created: float, pid_file: PidFile | None, who: str) -> bool:
    """End one server of ours: with the time of a drain, unless it hangs."""
    if kept_by(job, pid, who):
        return False
    server, short_s = job.config.server, job.config.process.term_timeout_s
    host, port = (pid_file.host, pid_file.port) if pid_file is not None else (server.host, server.port)
    ask = partial(_answers, host, port, "" if pid_file is None else pid_file.handover)
    waits = f"live calls may continue for {job.config.drain.limit_s:.0f} s"
    answers = await ask()
    job.tell(f"stopping {who}, pid {pid}: {waits if answers else 'it does not answer'}")
    try:
        terminate(pid, created)
    except PermissionError:
        job.tell(f"pid {pid}: forbidden")
        return False
    ended = not answers and await gone(pid, created, short_s)
    if not answers and not ended:  # one that was only busy has heard the signal, and drains
        answers = await ask()
        job.tell(f"pid {pid} answers now: {waits}" if answers else f"pid {pid} hangs")
    ended = ended or (answers and await gone(pid, created, job.patience_s, partial(_told, job)))
    how = "ended" if ended else await kill(pid, created)
    job.tell(f"pid {pid}: {how}")
    return how in ("ended", "killed")


def _told(job: ServerJob, passed_s: float) -> None:
    job.tell(f"still draining after {passed_s:.0f} s")


async def _answers(host: str, port: int, handover: str) -> bool:
    """Whether a server's loop turns: a busy one may miss a question, and a flooded port all of them."""
    found = False

    async def ask(question: Callable[[], Awaitable[object]]) -> None:
        nonlocal found
        found = found or await question() not in (None, False)

    for _ in range(_TRIES):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, partial(ask_health, host, port), name="ask the port")
            if handover:
                nursery.start_soon(ask, PreviousProcess(handover).alive, name="ask the process")
        if found:
            break
    return found
