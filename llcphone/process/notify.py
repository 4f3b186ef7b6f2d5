"""What the serving process does so that others can find, watch and stop it.

- the pid file (``pidfile``), once it listens;
- systemd's protocol, when ``NOTIFY_SOCKET`` is set: ready, stopping, and a sign of life twice per watchdog
  interval from the very loop that carries the calls;
- where the event loop hangs, in files and lines, if it has not turned for `HANGS_S`: that is written to the
  log while it hangs, as nothing could be written later if the watchdog or a person ends the process;
- sockets that systemd passes on (``LISTEN_FDS``), so that no connection is refused between two processes;
- the last alarm: a process that was asked to stop ends within ``drain.limit_s`` and two seconds more,
  whatever hangs. The kernel's own timer does it, so a loop that does not turn any more ends too.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, MutableMapping

LAST_S = 2.0
"""Beyond the drain limit."""
HANGS_S = 5.0
"""Callers have heard nothing for that long; a proxy with other nodes has left this one."""
_TURN_S = 1.0
_FIRST_FD = 3


def notify(state: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Notify systemd; False when systemd does not listen. It never raises for that."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
        out.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        return True
    return False


def watchdog_s(environ: Mapping[str, str] = os.environ) -> float | None:
    """How often systemd wants a sign of life, halved; None when it does not."""
    usec = environ.get("WATCHDOG_USEC", "")
    mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(usec) / 2e6 if usec.isdigit() and int(usec) and mine else None


@asynccontextmanager
async def watched() -> AsyncIterator[None]:
    """Ready now; signs of life, and a look at a loop that hangs, for as long as the block lasts."""
    notify(f"READY=1\nMAINPID={os.getpid()}")
    async with trio.open_nursery() as nursery:
        every_s = watchdog_s()
        if every_s is not None:
            nursery.start_soon(_live, every_s, name="systemd watchdog")
        nursery.start_soon(_tell_where_it_hangs, min(HANGS_S, every_s or HANGS_S), name="hang watch")
        yield
        nursery.cancel_scope.cancel(reason="served to the end")


async def _live(every_s: float) -> None:
    while True:
        notify("WATCHDOG=1")
        await trio.sleep(every_s)


async def _tell_where_it_hangs(hangs_s: float) -> None:
    """Python's own watch writes the frames of all threads, by a thread that needs no lock of ours.

    Each turn of the loop sets it anew. SIGABRT, by which systemd's watchdog ends a process, writes them, too.
    """
    try:
        while True:
            _set_watch(hangs_s)
            await trio.sleep(min(_TURN_S, hangs_s / 2))
    finally:
        faulthandler.cancel_dump_traceback_later()


def _set_watch(hangs_s: float) -> None:
    if (log := sys.__stderr__) is not None:
        with suppress(OSError, RuntimeError, ValueError):  # one without a descriptor
            faulthandler.enable(log)
            faulthandler.dump_traceback_later(hangs_s, file=log)


def passed_sockets(environ: MutableMapping[str, str] = os.environ) -> list[trio.SocketListener]:
    """Sockets that systemd listens on for us; none usually. They are taken once."""
    count, pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if not count.isdigit() or pid != str(os.getpid()):
        return []
    listeners = []
    for fd in range(_FIRST_FD, _FIRST_FD + int(count)):
        os.set_inheritable(fd, False)
        listeners.append(trio.SocketListener(trio.socket.from_stdlib_socket(socket.socket(fileno=fd))))
    return listeners


def stopping(limit_s: float) -> None:
    """The process was asked to stop: say so, and see to it that it does."""
    notify("STOPPING=1")
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, limit_s + LAST_S)


def stopped() -> None:
    """It has ended by itself: no alarm."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
