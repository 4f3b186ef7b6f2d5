"""Calls with a model that misbehaves at random: is a line dead without an alarm, does every call end?

    python -m bench.misbehaving [--calls 2000] [--seed 0] [--seconds 60]

In virtual time, through the decoder and the engine, without sockets (``tests/engine/misbehaving.py`` is the
model, the telephone and the caller). Each seed is one call and plays the same each time.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.engine.misbehaving import DEAD_LINE_MS, World


def main() -> None:
    """Play the calls, print what happened; exit 1 if something was wrong."""
    parser = argparse.ArgumentParser(prog="bench.misbehaving", description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first call; the next ones count on")
    parser.add_argument("--seconds", type=int, default=60, help="until the caller hangs up")
    options = parser.parse_args()
    reasons: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    waits: list[int] = []
    unreadable, faulty = 0, 0
    for seed in range(options.seed, options.seed + options.calls):
        world = World(seed)
        try:
            wrong = [
                f"{each.what} at {each.at_ms} ms" for each in world.run(lasts_ms=options.seconds * 1_000)
            ]
        except Exception as exc:
            wrong = [f"raised {type(exc).__name__} at {world.now_ms} ms"]
        faulty += bool(wrong)
        for each in wrong:
            print(f"seed {seed}: {each}")
        reasons[world.engine.ended.value if world.engine.ended is not None else "never"] += 1
        notes.update(note.kind for note in world.notes)
        waits.append(world.longest_ms)
        unreadable += world.bad_messages
    waits.sort()
    print(f"{options.calls} calls, {faulty} with something wrong; {unreadable} events unreadable")
    print("ended by: " + ", ".join(f"{word} {number}" for word, number in reasons.most_common()))
    for kind in ("model lost", "model restored", "dead air", "item refused", "session update refused"):
        print(f"{kind}: {notes[kind]}")
    middle, high = waits[len(waits) // 2], waits[len(waits) * 95 // 100]
    print(
        f"longest wait for a sound per call: p50 {middle} ms, p95 {high} ms, most {waits[-1]} ms "
        f"(without an alarm at most {DEAD_LINE_MS} ms)"
    )
    sys.exit(faulty > 0)


if __name__ == "__main__":
    main()
