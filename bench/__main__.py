"""``python -m bench`` or ``./dev bench``: measure the bridges and compare them.

``./dev bench NAME`` runs another bench.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import tempfile
from pathlib import Path

from bench.bridges import BRIDGES, DEFAULT_BRIDGES, GENERATOR_CPU, pin, raise_priority
from bench.measure import Plan, measure
from bench.report import NAIVE, Report

OTHERS = {
    "door_fuzz": "live calls beside mutations of the packets that kill other servers",
    "endings": "calls that end at random moments, and what is left of them",
    "first_audio": "how soon the first voice comes",
    "flood": "whether honest callers get in while unsigned requests flood the public port",
    "growth": "what up to a million calls ask of PostgreSQL, by kind of transaction",
    "hostile": "agents whose code raises and says anything at all, beside ordinary calls",
    "illness": "which calls are answered while a provider fails",
    "misbehaving": "calls with a model that misbehaves at random",
    "nodes": "one process, and several nodes behind HAProxy, under the same load",
    "outbound_endings": "the same for calls we place",
    "overload": "a full house, and more people ring",
    "parts": "where the time of one frame goes",
    "priming": "the first turn with and without priming",
    "recovery": "talking again after a lost session",
    "restart": "which calls are refused or cut off while the server is restarted again and again",
    "soak": "an hour of callers who come and go",
    "store": "how late a beat comes beside a slow database",
}
TESTS = ("lat", "load", "first")
QUICK = Plan(few=(10,), steps=(40,), rings=(1.5,), window_s=3.0)


def main() -> None:
    if sys.argv[1:2] and sys.argv[1] in OTHERS:
        runpy.run_module(f"bench.{sys.argv.pop(1)}", run_name="__main__")
        return
    parser = argparse.ArgumentParser(
        prog="bench",
        description="Latency and cost of bridges, in one run.",
        epilog="Other benches, each with --help: "
        + "; ".join(f"{name}: {what}" for name, what in OTHERS.items()),
    )
    parser.add_argument("--bridges", nargs="+", choices=BRIDGES, metavar="NAME", help=", ".join(BRIDGES))
    parser.add_argument("--tests", nargs="+", choices=TESTS, default=TESTS)
    parser.add_argument("--calls", nargs="+", type=int, default=[80, 200], help="steps of the load test")
    parser.add_argument("--window", type=float, default=8.0, help="seconds each load is watched")
    parser.add_argument("--quick", action="store_true", help="40 calls, two minutes: does it run at all?")
    parser.add_argument("--nice", type=int, default=0, help="priority on a shared machine; -15 needs root")
    parser.add_argument("--json", type=Path, default=Path(tempfile.gettempdir()) / "llcphone-bench.json")
    options = parser.parse_args()
    plan = Plan(steps=tuple(options.calls), window_s=options.window, tests=tuple(options.tests))
    chosen = options.bridges or DEFAULT_BRIDGES
    if options.quick:
        plan, chosen = QUICK, options.bridges or (NAIVE, "llcphone", "llcphone-tls")
    if not pin(GENERATOR_CPU):
        print("bench: processes cannot be pinned here; bridge and generator may share a CPU")
    if options.nice:
        raise_priority(options.nice)
    print(f"load average {os.getloadavg()[0]:.1f}; bridges: {', '.join(chosen)}")
    report = Report()
    # The naive bridge first, so that every later line shows its ratio.
    for name in sorted(chosen, key=lambda name: name != NAIVE):
        try:
            measure(BRIDGES[name], plan, report.add)
        except RuntimeError as exc:
            print(f"bench: {exc}")
    report.show()
    report.write(options.json)
    print(f"written to {options.json}")


if __name__ == "__main__":
    main()
