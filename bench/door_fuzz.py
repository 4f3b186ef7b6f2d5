"""How much later live calls are while the public port is under attack.

Three processes on one machine: the server (a small phone that echoes), the callers (20 streams,
a frame every 20 ms each), the attackers (mutations of the packets that killed other servers).
Prints the added one-way-and-back latency of the frames, alone and under attack, and what is left
in the server afterwards.

    python bench/door_fuzz.py [--cases 20000] [--seconds 60] [--calls 20]
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import trio

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.server import hostile
from tests.server.support import Server, body_of, make_config, open_server, webhook_request

SLOW_SOCKETS = 500


class Turns(trio.abc.Instrument):
    """CPU time of the server between two looks at its sockets: what a frame waits for at most.

    Unlike the callers' figures it does not count what other programs on the machine took.
    """

    def __init__(self) -> None:
        self.ms: list[float] = []
        self._began = time.thread_time()

    def after_io_wait(self, timeout: float) -> None:
        self._began = time.thread_time()

    def before_io_wait(self, timeout: float) -> None:
        self.ms.append(1000 * (time.thread_time() - self._began))

    def tell(self) -> None:
        ms = sorted(self.ms)
        p50, p99, p999 = (ms[int((len(ms) - 1) * share)] for share in (0.5, 0.99, 0.999))
        print(f"server turns (CPU): p50 {p50:.2f}, p99 {p99:.2f}, p99.9 {p999:.2f}, longest {ms[-1]:.1f} ms")


async def serve() -> None:
    """Role of the child: print the port, serve until our standard input ends."""
    async with open_server(make_config(), phone_type=hostile.OpenPhone) as server:
        await server.ask(webhook_request())  # the first one loads half of quart
        gc.collect()
        gc.freeze()  # as serve_until_signal does
        turns = Turns()
        trio.lowlevel.add_instrument(turns)
        server.phone.tokens |= {f"live-{number}" for number in range(1000)}
        print(server.port, flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        turns.tell()
        print(dict(server.phone.connections), file=sys.stderr)


async def attack(port: int, cases: int, seconds: float) -> None:
    """Role of the other child: this many hostile connections, spread evenly over the time."""
    os.nice(40)  # the lowest: real attackers do not run on our cores
    start, rng = time.monotonic(), random.Random(1)
    async with trio.open_nursery() as nursery:
        for number in range(cases):
            await trio.sleep(max(0, start + seconds * number / cases - time.monotonic()))
            nursery.start_soon(hostile.attack, port, random.Random(rng.random()))


async def hold_calls(port: int, count: int, until) -> list[float]:
    """Speak on this many streams until ``until()`` says stop; the delays of all frames, in ms."""
    server = Server(hostile.FakePhone(make_config(), None), None, port, None)
    try:
        calls = [hostile.LiveCall(await server.stream(next_token())) for _ in range(count)]
        async with trio.open_nursery() as nursery:
            for call in calls:
                nursery.start_soon(call.run)
                await trio.sleep(0.02 / count)
            while not until():  # noqa: ASYNC110
                await trio.sleep(0.1)
            for call in calls:
                call.over = True
        lost = sum(call.sent - call.heard for call in calls)
        print(f"  frames {sum(call.sent for call in calls)}, lost {lost}")
        return sorted(1000 * delay for call in calls for delay in call.delays_s)
    finally:
        server.hang_up()


_tokens = iter(range(1000))


def next_token() -> str:
    return f"live-{next(_tokens)}"


def tell(delays_ms: list[float]) -> None:
    last = len(delays_ms) - 1
    p50, p95, p99, p999 = (delays_ms[int(last * share)] for share in (0.5, 0.95, 0.99, 0.999))
    print(
        f"  echo p50 {p50:.2f}, p95 {p95:.2f}, p99 {p99:.2f}, p99.9 {p999:.2f}, worst {delays_ms[-1]:.1f} ms"
    )


async def measure(arguments: argparse.Namespace, port: int, server: psutil.Process) -> None:
    started = time.monotonic()
    print(f"alone, {arguments.calls} calls, 5 s")
    tell(await hold_calls(port, arguments.calls, lambda: time.monotonic() - started > 5))
    await trio.sleep(2)  # those calls have closed their sockets
    before = server.num_fds(), server.memory_info().rss
    cpu_s = sum(server.cpu_times()[:2])
    print(f"under attack, {arguments.cases} hostile connections in {arguments.seconds:.0f} s")
    roles = ["attack", str(port), str(arguments.cases), str(arguments.seconds)]
    attackers = subprocess.Popen([sys.executable, __file__, *roles])  # noqa: ASYNC220
    tell(await hold_calls(port, arguments.calls, lambda: attackers.poll() is not None))
    print(f"  server CPU {(sum(server.cpu_times()[:2]) - cpu_s) / arguments.seconds:.0%} of a core")
    await slow_loris(port)
    await trio.sleep(10)
    grown = (server.memory_info().rss - before[1]) / 2**20
    print(f"left after 10 s: descriptors {server.num_fds() - before[0]:+d}, memory {grown:+.1f} MiB")


async def slow_loris(port: int) -> None:
    """Half the slow sockets send a piece of a head, half nothing; a webhook must get through."""
    peers = Server(hostile.FakePhone(make_config(), None), None, port, None)
    for number in range(SLOW_SOCKETS * 2):
        stream = await peers.connect()
        if number % 2:
            await stream.send_all(b"GET /media/x HTT")
    start = time.monotonic()
    answered = body_of(await peers.ask(webhook_request())).startswith(b"<Response>")
    took_ms = 1000 * (time.monotonic() - start)
    print(f"beside {SLOW_SOCKETS * 2} slow sockets a webhook is answered: {answered}, {took_ms:.0f} ms")
    peers.hang_up()


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        return trio.run(serve)
    if sys.argv[1:2] == ["attack"]:
        return trio.run(attack, int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--calls", type=int, default=20)
    beside_server(measure, parser.parse_args())


def beside_server(measure, options: argparse.Namespace) -> None:
    """Measure at a server in a process of its own, and tell what has become of it."""
    child = subprocess.Popen(
        [sys.executable, __file__, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        trio.run(measure, options, int(child.stdout.readline()), psutil.Process(child.pid))
        print(f"server alive: {child.poll() is None}; load average {os.getloadavg()[0]:.1f}")
    finally:
        print(child.communicate(timeout=20)[0].decode(), end="")


if __name__ == "__main__":
    main()
