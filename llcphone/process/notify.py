"""What the serving process does so that others can find, watch and stop it.

- the pid file (``pidfile``), once it listens;
- systemd's protocol, when ``NOTIFY_SOCKET`` is set: ready, stopping, and a sign of life twice per watchdog
  interval from the very loop that carries the calls;
- sockets that systemd passes on (``LISTEN_FDS``), so that no connection is refused between two processes;
- the last alarm: a process that was asked to stop ends within ``drain.limit_s`` and two seconds more,
  whatever hangs. The kernel's own timer does it, so a loop that does not turn any more ends too.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, MutableMapping

LAST_S = 2.0
"""Beyond the drain limit."""
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
async def watched_by_systemd() -> AsyncIterator[None]:
    """Ready now; signs of life for as long as the block lasts."""
    notify(f"READY=1\nMAINPID={os.getpid()}")
    async with trio.open_nursery() as nursery:
        if (every_s := watchdog_s()) is not None:
            nursery.start_soon(_live, every_s, name="systemd watchdog")
        yield
        nursery.cancel_scope.cancel(reason="served to the end")


async def _live(every_s: float) -> None:
    while True:
        notify("WATCHDOG=1")
        await trio.sleep(every_s)


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
