"""The server is full and more people call: how soon do they get the fallback, and do live calls notice?

    python -m bench.overload [--calls 100] [--rate 20] [--seconds 10] [--rounds 3]

``llcphone serve`` with ``server.max_calls`` live calls in a process of its own. In turns there are no
callers, and a number of callers a second: each must be given the fallback (TwiML without a stream) in 200 ms,
and audio of the live calls must come as before. Audio is timed from outside, both ways, as in ``bench.soak``.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bench.bridges import GENERATOR_CPU, Bridge, pin, run_bridge
from bench.churn import STEADY_S, Churn
from bench.load import FakeWorld
from bench.loop import connect, now
from bench.measure import quantile

if TYPE_CHECKING:
    from bench.loop import Conn

LIMIT_MS = 200.0


class Crowd(Churn):
    """As many as are let in; none hangs up, none comes after them."""

    def _ring(self) -> None:
        self.one_more()


class OneMore:
    """A caller of a full server: POSTs the voice webhook and reads the answer."""

    def __init__(self, world: FakeWorld, port: int, number: int) -> None:
        self._began = now()
        self._text = b""
        self.took_ms: float | None = None
        """Until the TwiML was whole."""
        form = (
            f"CallSid=CB{number:032d}&CallStatus=ringing&Direction=inbound"
            "&From=%2B15552224444&To=%2B15550001111"
        )
        self._conn = connect(world.loop, port, self)
        self._conn.send(
            f"POST /twiml HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(form)}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n{form}".encode()
        )

    def on_head(self, conn: Conn, head: bytes, rest: bytes) -> None:
        """The answer, or its head; then what is there is kept until more has come."""
        self._text = rest
        if b"</Response>" in rest:
            self.took_ms = (now() - self._began) * 1000
        else:
            conn._in = head + b"\r\n\r\n" + rest

    def on_end(self, conn: Conn) -> None:
        """All was said."""

    @property
    def sent_away(self) -> bool:
        """It was TwiML, and no stream."""
        return self.took_ms is not None and b"<Stream" not in self._text


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.overload", description="One call more than fits.")
    parser.add_argument("--calls", type=int, default=100, help="server.max_calls, all of them live")
    parser.add_argument("--rate", type=float, default=20.0, help="more people who ring, per second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each phase")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    pin(GENERATOR_CPU)
    world = FakeWorld()
    bridge = Bridge("llcphone", "llcphone", ("serve",), {"LLCPHONE_SERVER__MAX_CALLS": str(options.calls)})
    callers: list[OneMore] = []
    phases: list[tuple[str, float, float]] = []
    with run_bridge(bridge, world.model_url, greet=False, ca_file="") as running:
        world.idle(1.5)
        crowd = world.load = Crowd(world, running.port, options.calls, 0.0)
        world.idle(0.05 * options.calls + STEADY_S + 2.0)
        live = crowd.live()

        def ring() -> None:
            callers.append(OneMore(world, running.port, len(callers)))

        for rate in (0.0, options.rate) * options.rounds:
            for nth in range(round(rate * options.seconds)):
                world.loop.at(now() + nth / rate, ring)
            for delays in (crowd.forward, crowd.back):
                delays.take(0.99)
            world.idle(options.seconds)
            phases.append((f"{rate:g}/s ring", crowd.forward.take(0.99), crowd.back.take(0.99)))
        world.idle(1.0)
        after = crowd.live()
    world.close()
    for name, forward_ms, back_ms in phases:
        print(f"{name:>14}: audio p99 {forward_ms:6.2f} ms to the model, {back_ms:6.2f} ms to the phone")
    took = sorted(caller.took_ms for caller in callers if caller.took_ms is not None)
    away = sum(caller.sent_away for caller in callers)
    print(f"{live} calls live, {after} after it; {away} of {len(callers)} more were given the fallback")
    print(f"it took p50 {quantile(took, 0.5)}, p99 {quantile(took, 0.99)}, longest {quantile(took, 1.0)} ms")
    in_time = away == len(callers) and all(each <= LIMIT_MS for each in took)
    well = in_time and live == after == options.calls
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
