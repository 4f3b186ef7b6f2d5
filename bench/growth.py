"""What calls ask of PostgreSQL: each kind of transaction, by how many calls there are at once.

    python -m bench.growth [--calls 100 10000 100000 1000000] [--seconds 4] [--mixed 15]

For each size the tables are filled with the rows of that many live calls. Then every kind of transaction runs
alone, one after the other, by the product's own statements and its own way from Trio. Told are its time, the
CPU of the node and of PostgreSQL, and the bytes of its log. A second table has the rate of each kind at that
size, and how much of a core of PostgreSQL and of a lock it would take: this is arithmetic.
``--mixed`` then runs all kinds together for so many seconds, at the rates of the first size that is above
1,000 calls, from two processes, and tells what was reached, and how many connections waited for a lock.
Commits wait for the disk. PostgreSQL has its defaults.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio
from sqlalchemy import create_engine, text

from bench.bridges import raise_priority
from bench.nodes import family_cpu_s
from llcphone.config import Config
from llcphone.shared import pace, places, sent, spend
from llcphone.shared.beat import Beat, _News
from llcphone.shared.nodes import Node
from llcphone.shared.places import Place
from llcphone.shared.tables import CREATES, VERSIONED
from llcphone.store.database import Database
from llcphone.store.journal import CallRow, Change, Journal, prepare
from tests.store.servers import empty, postgres_server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine

    Work = Callable[[Connection], Any]

PER_NODE = 350
"""Calls of one node."""
CALL_S = 180.0
"""Length of a call."""
CHANGED = 0.6
"""Calls that a round of the journal writes: those whose agent speaks, or that have a new line."""
BATCH = 32
"""Calls in a transaction of the journal."""
OUTBOUND = 0.1
"""Calls that we place."""
NEW_LINE = 4
"""One change in so many has a new line; the others say how much of the last one was heard."""
LAG = 64
"""Transactions of one kind that may wait before one is left out."""
_FILL = """
INSERT INTO llcphone_nodes (life, name, url, live, capacity, version, state, began_at, beat_at)
SELECT 'life' || n, 'n' || n, 'http://10.0.0.1:8081', {per_node}, 400, '0.1', 'serving', 0, 9e9
FROM generate_series(0, {nodes} - 1) n;
INSERT INTO llcphone_places (id, life, outbound)
SELECT 'CA' || md5('' || n), 'life' || mod(n, {nodes}), mod(n, 10) = 0 AND n <= 50000
FROM generate_series(1, {calls}) n;
INSERT INTO llcphone_sent (kind, n, number, at)
SELECT 'call', n, md5('' || mod(n, 90000)) || md5('' || mod(n, 90000)), 0 FROM generate_series(1, {sent}) n;
INSERT INTO llcphone_calls
(id, call_sid, generation, run, salt, token_hash, direction, agent, context, state, owed, born_at,
touched_at, over, life)
SELECT 'n1-' || n, 'CA' || md5('' || n), 0, 'n1-' || n, md5('s' || n), md5('t' || n) || md5('u' || n),
'inbound', 'agent', '', '{{"name":"Ann","order":[1,2,3]}}', 'nothing', 0, 0, '', 'life0'
FROM generate_series(1, {calls}) n;
INSERT INTO llcphone_lines (call, item_id, place, body)
SELECT 'n1-' || n, 'item_' || l, l, '{{"item_id":"item_' || l || '","text":"' || repeat('word ', 14) || '"}}'
FROM generate_series(1, {calls}) n, generate_series(1, {lines}) l;
"""


def node_count(calls: int) -> int:
    return max(2, -(-calls // PER_NODE))


class Kinds:
    """The transactions of one process, each on rows of its own."""

    def __init__(self, place: Database, calls: int, process: int) -> None:
        self.calls = calls
        self._numbers = iter(range(process * 10**8, 10**12))
        self._changed = process * calls // 2 % calls
        self._journal = Journal("secret")
        node = Node(life="life0", name="n0", url="http://10.0.0.1:8081", capacity=400, version="0.1")
        self._beat = Beat(place, node)
        far: dict[str, Any] = {"max_concurrent": 10_000, "max_per_day": 100_000, "calls_per_minute": 10_000}
        rules = Config.from_dict({"outbound": far | {"calls_per_second": 1000.0}}).outbound
        self._dials = sent.calls_of(rules, 2_000_000)
        self._held: list[str] = []
        self._born: list[CallRow] = []

    def of(self, kind: str) -> Work:
        """One transaction of this kind."""
        work: Work = getattr(self, kind)()
        return work

    def take(self) -> Work:
        """An inbound call asks for its place (``shared.max_calls``)."""
        self._held.append(id_ := f"CAnew{next(self._numbers)}")
        return partial(places.take, place=Place(id_), life="life0", most=2_000_000)

    def release(self) -> Work:
        """Calls of one beat are over."""
        gone, self._held = self._held[:2], self._held[2:]
        return partial(places.release, ids=gone or ["CAnone"], life="life0")

    def admit(self) -> Work:
        """An outbound call is let be placed."""
        number = next(self._numbers)
        self._held.append(call_id := f"n0-{number}")
        hashed = f"{number:064d}"
        return partial(
            sent.admit, kind=self._dials, number=f"+1{number}", hashed=hashed, life="life0", call_id=call_id
        )

    def turn(self) -> Work:
        """It waits for its turn at Twilio."""
        return lambda db: pace.take_turn(db, CREATES, 0.000_001)

    def beat(self) -> Work:
        """A node's beat: it is there, who else is, and what was spent."""
        news = _News(spent_usd={spend.today(): 0.01})
        return lambda db: self._beat._beat(db, self._beat.node, news, [])

    def born(self) -> Work:
        """A call's first row in the journal."""
        number = next(self._numbers)
        row = CallRow(
            id=f"n0-{number}",
            call_sid=f"CA{number}",
            run=f"n0-{number}",
            salt=f"{number:032d}",
            token_hash=f"{number:064d}",
            direction="inbound",
            agent="agent",
            born_at=time.time(),
            life="life0",
        )
        self._born.append(row)
        return partial(self._journal.write, changes=[self._change(row.id, row.call_sid, birth=row)])

    def ended(self) -> Work:
        """A call's end in the journal, with its lines."""
        row = self._born.pop(0) if self._born else None
        values = {"over": "caller_hung_up", "context": "", "state": "", "touched_at": time.time()}
        change = Change(id=row.id if row else "none", run_number=0, life="life0", values=values)
        return partial(self._journal.write, changes=[change])

    def round(self) -> Work:
        """What has changed of a batch of calls."""
        first, self._changed = self._changed, (self._changed + BATCH) % max(BATCH, self.calls - BATCH)
        changes = []
        for n in range(first + 1, first + 1 + BATCH):
            item = next(self._numbers) if n % NEW_LINE == 0 else 1
            body = json.dumps({"item_id": f"item_{item}", "text": "word " * 14, "heard_ms": time.time()})
            changes.append(self._change(f"n1-{n}", f"CA{n}", lines=((f"item_{item}", 99, body),)))
        return partial(self._journal.write, changes=changes)

    @staticmethod
    def _change(id_: str, call_sid: str, **more: Any) -> Change:
        values = {
            "call_sid": call_sid,
            "touched_at": time.time(),
            "owed": "nothing",
            "state": '{"name":"Ann"}',
        }
        return Change(id=id_, run_number=0, life="life0", values=values, **more)


def rates(calls: int) -> dict[str, float]:
    """Transactions per second of that many calls."""
    births, many = calls / CALL_S, node_count(calls)
    return {
        "take": births * (1 - OUTBOUND),
        "admit": births * OUTBOUND,
        "turn": births * OUTBOUND,
        "release": births / 2,
        "beat": many,
        "born": births,
        "ended": births,
        "round": many * -(-min(calls, PER_NODE) * CHANGED // BATCH),
    }


LOCKED = ("take", "admit")
"""Kinds of which one at a time is done."""


@attrs.frozen
class Seen:
    """One kind of transaction, alone."""

    p50_ms: float
    p99_ms: float
    node_ms: float
    """CPU of the node, per transaction."""
    database_ms: float
    log_bytes: float


async def alone(place: Database, kind: str, kinds: Kinds, engine: Engine, pid: int, seconds: float) -> Seen:
    for _ in range(3):  # connections, plans, caches of statements
        await place.ask(kinds.of(kind))
    took: list[float] = []
    base, wal, cpu, began = family_cpu_s(pid), wal_bytes(engine), time.process_time(), time.perf_counter()
    while time.perf_counter() - began < seconds or len(took) < 20:
        work, asked = kinds.of(kind), time.perf_counter()
        await place.ask(work)
        took.append((time.perf_counter() - asked) * 1000)
    many = len(took)
    return Seen(
        statistics.median(took),
        sorted(took)[many * 99 // 100],
        (time.process_time() - cpu) * 1000 / many,
        (family_cpu_s(pid) - base) * 1000 / many,
        (wal_bytes(engine) - wal) / many,
    )


def wal_bytes(engine: Engine) -> float:
    return float(_one(engine, "SELECT pg_current_wal_insert_lsn() - '0/0'"))


def _one(engine: Engine, query: str) -> Any:
    with engine.connect() as db:
        return db.execute(text(query)).scalar()


def fill(engine: Engine, calls: int, lines: int) -> None:
    """The rows of that many live calls."""
    with engine.begin() as db:
        VERSIONED.prepare(db)
        prepare(db)
        many = {"calls": calls, "nodes": node_count(calls), "sent": min(100_000, calls * 10)}
        db.exec_driver_sql(_FILL.format(**many, lines=lines, per_node=PER_NODE))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.exec_driver_sql("VACUUM ANALYZE")
        db.exec_driver_sql("CHECKPOINT")


def opened(url: str, threads: int) -> Database:
    return Database(url, key="bench", timeout_s=60.0, threads=threads)


def one_size(url: str, engine: Engine, pid: int, calls: int, lines: int, seconds: float) -> None:
    """Fill, measure each kind, and print both tables."""
    began = time.monotonic()
    fill(engine, calls, lines)
    size_mb = _one(engine, "SELECT pg_database_size(current_database())") / 1e6
    print(
        f"\n{calls} calls, {node_count(calls)} nodes, {lines} lines each: {size_mb:.0f} MB, "
        f"filled in {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}"
    )
    print("kind     p50 ms  p99 ms  node CPU ms  database CPU ms  log bytes | a second  cores  of its lock")
    place = opened(url, 2)
    kinds, cores, locked, log = Kinds(place, calls, 0), 0.0, 0.0, 0.0
    for kind, rate in rates(calls).items():
        seen = trio.run(alone, place, kind, kinds, engine, pid, seconds)
        share = rate * seen.p50_ms / 1000 if kind in LOCKED else 0.0
        cores, locked, log = (
            cores + rate * seen.database_ms / 1000,
            locked + share,
            log + rate * seen.log_bytes,
        )
        print(
            f"{kind:8} {seen.p50_ms:6.2f} {seen.p99_ms:7.2f} {seen.node_ms:12.2f} {seen.database_ms:16.2f} "
            f"{seen.log_bytes:10.0f} | {rate:8.1f} {rate * seen.database_ms / 1000:6.2f} {share:8.2f}",
            flush=True,
        )
    print(f"all: {cores:.2f} cores of PostgreSQL, lock {locked:.2f}, log {log / 1e6:.1f} MB/s")
    place.close()


# -- all together -------------------------------------------------------------------------------


async def _worker(url: str, calls: int, process: int, seconds: float) -> dict[str, list[float]]:
    """Half of the calls' transactions, at their pace."""
    place = opened(url, 8)
    kinds = Kinds(place, calls, process)
    took: dict[str, list[float]] = {kind: [] for kind in rates(calls)}

    async def ask(kind: str, work: Work, waiting: set[object]) -> None:
        asked = time.perf_counter()
        waiting.add(token := object())
        await place.ask(work, patient=True)
        waiting.discard(token)
        took[kind].append((time.perf_counter() - asked) * 1000)

    async def paced(kind: str, rate: float) -> None:
        waiting: set[object] = set()
        start = trio.current_time()
        for number in range(round(rate * seconds)):
            await trio.sleep_until(start + number / rate)
            if len(waiting) < LAG:
                nursery.start_soon(ask, kind, kinds.of(kind), waiting, name=kind)

    async with trio.open_nursery() as nursery:
        for kind, rate in rates(calls).items():
            nursery.start_soon(paced, kind, rate / 2, name=f"pace of {kind}")
    place.close()
    return took


def mixed(url: str, engine: Engine, pid: int, calls: int, seconds: float) -> None:
    """All kinds together, from two processes."""
    command = [sys.executable, "-m", "bench.growth", "--worker", url, "--calls", str(calls)]
    command += ["--mixed", str(seconds)]
    base, wal, began = family_cpu_s(pid), wal_bytes(engine), time.monotonic()
    workers = [subprocess.Popen([*command, "--process", str(n)], stdout=subprocess.PIPE) for n in (1, 2)]
    waits = []
    try:
        while any(worker.poll() is None for worker in workers):
            waits.append(_one(engine, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
            time.sleep(0.1)
        # A worker prints little: the pipe holds it until here.
        found = [json.loads(worker.communicate()[0]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    spent_s = time.monotonic() - began
    print(f"\nall kinds together, at the rates of {calls} calls, for {seconds:.0f} s:")
    for kind, rate in rates(calls).items():
        p50s, p99s, most, many = zip(*(each[kind] for each in found), strict=True)
        print(
            f"{kind:8} {sum(many) / seconds:8.1f} of {rate:.1f} a second, p50 {max(p50s):.1f} ms, "
            f"p99 {max(p99s):.1f} ms, longest {max(most):.0f} ms"
        )
    print(
        f"PostgreSQL {(family_cpu_s(pid) - base) / seconds:.2f} cores, "
        f"log {(wal_bytes(engine) - wal) / 1e6 / seconds:.1f} MB/s; waited for a lock: "
        f"{statistics.mean(waits):.2f} connections, {max(waits)} at most; took {spent_s:.0f} s, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def _figures(took: Sequence[float]) -> tuple[float, float, float, int]:
    ordered = sorted(took) or [0.0]
    return (
        statistics.median(ordered),
        ordered[(len(ordered) - 1) * 99 // 100],
        ordered[-1],
        len(took),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.growth", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, nargs="+", default=[100, 10_000, 100_000, 1_000_000])
    parser.add_argument("--lines", type=int, default=4, help="of the conversation of each call")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each kind of transaction")
    parser.add_argument("--mixed", type=float, default=15.0, help="seconds with all kinds; 0: none")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--process", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--nice", type=int, default=0, help="priority on a shared machine; -15 needs root")
    options = parser.parse_args()
    if options.worker:
        found = trio.run(_worker, options.worker, options.calls[0], options.process, options.mixed)
        print(json.dumps({kind: _figures(took) for kind, took in found.items()}))
        return
    raise_priority(options.nice)
    with postgres_server(durable=True) as server:
        engine = create_engine(server.url.replace("postgresql:", "postgresql+psycopg:", 1))
        together = next((calls for calls in options.calls if calls > 1_000), None)
        for calls in options.calls:
            empty(server.url)
            one_size(server.url, engine, server.pid, calls, options.lines, options.seconds)
            if calls == together and options.mixed:
                mixed(server.url, engine, server.pid, calls, options.mixed)
        engine.dispose()


if __name__ == "__main__":
    main()
