"""Whether honest callers get in, and live ones notice, while an unauthorized client floods the public port.

Three processes on one machine: the server (a small phone that echoes), the flood (unsigned requests at
a given rate, each on a connection of its own, held open), and the honest side: live streams, a frame
every 20 ms each, and beside them signed webhooks and media upgrades in turn. Twice: the flood from an address
of its own (127.0.0.2), then from the address of the honest, as it is behind a proxy.

    python -m bench.flood [--rate 1000] [--seconds 30] [--honest 100] [--calls 20] [--request webhook]
"""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from bench.bridges import raise_priority
from bench.door_fuzz import beside_server, hold_calls, next_token, tell
from tests.server import hostile
from tests.server.support import Server, body_of, get, make_config, media_request, webhook_request

if TYPE_CHECKING:
    import psutil

HOLD_S = 2.0
"""The flood keeps each socket open for this long, whatever the server does."""
REQUESTS = {
    "nothing": get("/nothing"),
    "webhook": webhook_request(
        "&".join(f"Field{n}=value%20{n}" for n in range(40)).encode(), signature="A" * 28
    ),
    "stream": media_request("t", signature="A" * 28),
}
"""Requests without a signature, or with a wrong one."""
WHERE = {"an address of its own": "127.0.0.2", "the address of the honest": "127.0.0.1"}
ROOT = Path(__file__).parent.parent


def flood(port: int, address: str, rate: float, seconds: float, request: bytes) -> None:
    """Role of a child: an open loop, so a server that is slow is not spared; real attackers do not run on our
    cores, so its priority is below ours."""
    os.setpriority(os.PRIO_PROCESS, 0, 0 if os.getpriority(os.PRIO_PROCESS, 0) < 0 else 19)
    waiting: deque[tuple[float, socket.socket]] = deque()
    connecting = selectors.DefaultSelector()
    start, sent, failed = time.monotonic(), 0, 0
    while (now := time.monotonic()) < start + seconds:
        while sent < rate * (now - start):
            sent += 1
            sock = socket.socket()
            sock.setblocking(False)
            try:
                sock.bind((address, 0))
                sock.connect_ex(("127.0.0.1", port))
            except OSError:
                failed += 1
                sock.close()
                continue
            waiting.append((now + HOLD_S, sock))
            try:
                sock.send(request)  # a connection to our own machine is there at once
            except BlockingIOError:
                connecting.register(sock, selectors.EVENT_WRITE)
            except OSError:
                failed += 1
        for key, _ in connecting.select(0.001):
            connecting.unregister(key.fileobj)
            try:
                key.fileobj.send(request)
            except OSError:
                failed += 1
        while waiting and waiting[0][0] < now:
            sock = waiting.popleft()[1]
            if sock.fileno() in connecting.get_map():
                connecting.unregister(sock)
                failed += 1
            sock.close()
    print(f"  flood: {sent / seconds:.0f} requests a second, {failed} not sent", flush=True)


class Honest:
    """The honest clients, and what became of them."""

    def __init__(self, port: int) -> None:
        self.peers = Server(hostile.FakePhone(make_config(), None), None, port, None)
        self.came_of: Counter[str] = Counter()
        self.took_ms: list[float] = []

    async def come(self, count: int, seconds: float) -> None:
        """This many of them, evenly over the time: webhooks and upgrades in turn."""
        async with trio.open_nursery() as nursery:
            for number in range(count):
                nursery.start_soon(self._webhook if number % 2 else self._upgrade, number)
                await trio.sleep(seconds / count)

    async def _webhook(self, number: int) -> None:
        began = time.monotonic()
        try:
            with trio.fail_after(10):
                answer = await self.peers.ask(webhook_request(b"CallSid=CA%d" % number), within_s=10)
            good = answer.startswith(b"HTTP/1.1 200 ") and body_of(answer).startswith(b"<Response>")
            self._note(began, "" if good else answer[:12].decode() or "closed")
        except (trio.TooSlowError, OSError) as error:
            self._note(began, type(error).__name__)

    async def _upgrade(self, number: int) -> None:
        began = time.monotonic()
        try:
            with trio.fail_after(10):
                peer = await self.peers.stream(next_token())
            self._note(began, "")
            peer.stream.socket.close()
        except (trio.TooSlowError, OSError, EOFError, AssertionError, trio.BrokenResourceError) as error:
            self._note(began, type(error).__name__)

    def _note(self, began: float, trouble: str) -> None:
        self.came_of[trouble or "served"] += 1
        if not trouble:
            self.took_ms.append(1000 * (time.monotonic() - began))

    def tell(self) -> None:
        took = sorted(self.took_ms) or [0.0]
        print(
            f"  honest: {dict(self.came_of)}, half within {took[len(took) // 2]:.0f}, all {took[-1]:.0f} ms"
        )


async def measure(options: argparse.Namespace, port: int, server: psutil.Process) -> None:
    started = time.monotonic()
    print(f"alone, {options.calls} calls, 5 s")
    tell(await hold_calls(port, options.calls, lambda: time.monotonic() - started > 5))
    for name, address in WHERE.items():
        print(f"flood from {name}")
        used_s, honest = sum(server.cpu_times()[:2]), Honest(port)
        role = ["flood", str(port), address, str(options.rate), str(options.seconds), options.request]
        child = subprocess.Popen([sys.executable, "-m", "bench.flood", *role], cwd=ROOT)  # noqa: ASYNC220
        async with trio.open_nursery() as nursery:
            nursery.start_soon(honest.come, options.honest, options.seconds)
            tell(await hold_calls(port, options.calls, lambda: child.poll() is not None))  # noqa: B023
        honest.tell()
        print(f"  server CPU {(sum(server.cpu_times()[:2]) - used_s) / options.seconds:.0%} of a core")
        await trio.sleep(3)  # what the flood left open is gone


def main() -> None:
    if sys.argv[1:2] == ["flood"]:
        _, _, port, address, rate, seconds, request = sys.argv
        return flood(int(port), address, float(rate), float(seconds), REQUESTS[request])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=float, default=1000, help="requests a second")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--honest", type=int, default=100, help="webhooks and upgrades during a flood")
    parser.add_argument("--calls", type=int, default=20, help="live streams that are watched")
    parser.add_argument("--request", choices=REQUESTS, default="nothing", help="what the flood asks for")
    parser.add_argument("--nice", type=int, default=0, help="priority on a shared machine; -15 needs root")
    options = parser.parse_args()
    if options.nice:
        raise_priority(options.nice)
    beside_server(measure, options)


if __name__ == "__main__":
    main()
