"""PostgreSQL stops, falls silent, or holds a lock of a node that died: what callers and operators notice.

The bars are those of a machine with time to spare; what this one had programs wait for a processor is added.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trio
from sqlalchemy import text

from llcphone.sim.twilio import Callee
from llcphone.store.database import Database
from llcphone.store.journal_writer import _IDLE_S, _TIMEOUT_S
from tests.calls.test_a_slow_database import _processes
from tests.calls.test_kill_nine import speak
from tests.nodes.cluster import open_cluster, until
from tests.nodes.lost import in_mid_answer, lose, stalled_s
from tests.nodes.test_lost_nodes import rows, told_that_the_line_broke
from tests.nodes.test_shared_limits import API, FAR, order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from llcphone.sim.twilio import SimCall
    from tests.nodes.cluster import Cluster, Node
    from tests.store.servers import Postgres

pytestmark = pytest.mark.slow

LIMITED = {**API, "outbound": FAR, "shared": {"max_calls": 50}}
AWAY_S = 10.0
TOLD_S, WRITTEN_S, AGAIN_S, CLAIMED_S = 5.0, 2.0, 13.0, 3.0
VOICE_AGAIN_S = 1.6
"""From a claim to the agent's next word, with the model of these tests."""


@contextmanager
def silent(server: Postgres) -> Iterator[None]:
    """It answers nobody, and closes nothing."""
    group = _processes(server.pid)
    for pid in group:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in group:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def stopped(server: Postgres) -> Iterator[None]:
    """Every connection is closed, and none is taken."""
    server.stop()
    try:
        yield
    finally:
        server.start()


def told(node: Node) -> bool:
    """Whether its log says that journal and limits suffer."""
    return "the journal cannot be written" in node.log and "the shared limits cannot be reached" in node.log


@pytest.mark.parametrize("how", [stopped, silent])
async def test_while_the_database_is_away_calls_go_on_and_callers_are_let_in(
    how: Callable[[Postgres], AbstractContextManager[None]], tmp_path: Path, own_server: Postgres
) -> None:
    async with open_cluster(tmp_path, own_server.url, speak, callee=Callee(), **LIMITED) as cluster:
        calls = await in_mid_answer(cluster, 4)
        began_s, before_s = trio.current_time(), stalled_s()
        with how(own_server):
            calls.append(await noticed_and_let_in(cluster, began_s, before_s))
            await trio.sleep_until(began_s + AWAY_S)
        await all_is_written_and_well(cluster, calls, own_server)


async def test_a_restart_of_the_database_harms_no_call(tmp_path: Path, own_server: Postgres) -> None:
    """It closes its connections in good order, and those that a node keeps open are of no use afterwards."""
    async with open_cluster(tmp_path, own_server.url, speak, callee=Callee(), **LIMITED) as cluster:
        calls = await in_mid_answer(cluster, 4)
        began_s, before_s = trio.current_time(), stalled_s()
        await trio.to_thread.run_sync(own_server.stop, "fast")
        calls.append(await noticed_and_let_in(cluster, began_s, before_s))
        await trio.to_thread.run_sync(own_server.start)
        await all_is_written_and_well(cluster, calls, own_server)


async def noticed_and_let_in(cluster: Cluster, began_s: float, before_s: float) -> SimCall:
    """Logs say that the database is away; a caller is let in, and an order of a call is refused."""
    nodes = list(cluster.nodes.values())
    await until(lambda: all(told(node) for node in nodes))
    assert trio.current_time() - began_s <= TOLD_S + stalled_s() - before_s
    refused = await order(cluster, nodes[0], "+15551230001")
    assert (refused.status_code, refused.json()["code"]) == (503, "not_admitted")
    assert int(refused.headers["Retry-After"]) > 0
    new = await cluster.ring()
    await new.hears(0.5, stream=1)
    return new


async def all_is_written_and_well(cluster: Cluster, calls: list[SimCall], server: Postgres) -> None:
    """The database is back: the journal has all calls soon, none was harmed, and orders are taken."""
    back_s, before_s = trio.current_time(), stalled_s()
    sids = {call.sid for call in calls}
    await until(lambda: sids <= set(rows(server.url)))
    assert trio.current_time() - back_s <= WRITTEN_S + stalled_s() - before_s
    assert all(len(call.record.streams) == 1 and not call.over for call in calls)
    assert cluster.twilio.rest.creates == []
    node = cluster.nodes["n1"]
    while (await order(cluster, node, "+15551230001")).status_code != 202:  # noqa: ASYNC110
        await trio.sleep(0.2)  # it rests a little after failures


async def test_a_node_is_lost_while_the_database_is_silent(tmp_path: Path, own_server: Postgres) -> None:
    async with open_cluster(tmp_path, own_server.url, speak) as cluster:
        await in_mid_answer(cluster, 8)
        began_s, before_s = trio.current_time(), stalled_s()
        losses = []

        async def loses() -> None:
            losses.append(await lose(cluster, cluster.nodes["n1"], signal.SIGKILL))

        async with trio.open_nursery() as nursery:
            with silent(own_server):
                nursery.start_soon(loses)
                await trio.sleep_until(began_s + AWAY_S)
        (loss,) = losses
        assert loss.silent_s
        assert loss.longest_s <= AGAIN_S + stalled_s() - before_s
        assert loss.untouched()
        assert told_that_the_line_broke(cluster) == len(loss.silent_s)


async def test_a_node_that_died_inside_a_transaction_keeps_its_calls_from_nobody(
    tmp_path: Path, own_server: Postgres
) -> None:
    """It is cut off from the network with a transaction open, so PostgreSQL holds its locks."""
    async with open_cluster(tmp_path, own_server.url, speak) as cluster:
        await in_mid_answer(cluster, 4)
        locked, go_on = threading.Event(), threading.Event()

        def work(db: object) -> None:
            db.execute(text("UPDATE llcphone_calls SET touched_at = touched_at"))  # type: ignore[attr-defined]
            locked.set()
            go_on.wait()

        place = Database(own_server.url, key="test", timeout_s=_TIMEOUT_S, idle_s=_IDLE_S)

        def hold() -> None:
            with pytest.raises(Exception, match=r"idle-in-transaction|terminating|closed"):
                place.run(work)

        thread = threading.Thread(target=hold)
        thread.start()
        try:
            await trio.to_thread.run_sync(locked.wait)
            before_s = stalled_s()
            loss = await lose(cluster, cluster.nodes["n1"], signal.SIGKILL)
            assert loss.silent_s
            assert loss.longest_s <= CLAIMED_S + VOICE_AGAIN_S + stalled_s() - before_s
        finally:
            go_on.set()
            thread.join()
            place.close()
