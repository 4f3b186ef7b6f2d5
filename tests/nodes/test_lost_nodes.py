"""A node of two is killed or freezes in the middle of calls: its callers talk again on the other, none twice.

The bars are those of a machine with time to spare. How long this machine had programs wait for a processor
meanwhile is added, as Linux counts it.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
import trio
from sqlalchemy import create_engine, text

from tests.calls.test_kill_nine import speak
from tests.nodes.cluster import open_cluster, until
from tests.nodes.lost import in_mid_answer, lose, stalled_s
from tests.store.servers import empty

if TYPE_CHECKING:
    from pathlib import Path

    from tests.nodes.cluster import Cluster, Node
    from tests.nodes.lost import Loss

KILLED_S, FROZEN_S = 3.0, 5.0
"""From the loss of a node to the next word that its callers hear."""

STALL_S = 1.0
"""As long as the longest stall for which a node must not lose its calls."""
TRIES = 3


def rows(database: str) -> dict[str, tuple[str, int, str]]:
    """By CallSid what the journal says: the run that has the call, its number, and why it ended."""
    engine = create_engine(database.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.begin() as db:
        found = db.execute(text("SELECT call_sid, run, generation, over FROM llcphone_calls")).all()
    engine.dispose()
    return {row.call_sid: (row.run, row.generation, row.over) for row in found}


def told_that_the_line_broke(cluster: Cluster) -> int:
    """Model sessions that know so: one for each call that went on."""
    told = (str([item.render() for item in session.items]) for session in cluster.model.sessions)
    return sum("line broke" in text for text in told)


def check(cluster: Cluster, loss: Loss, database: str, bar_s: float) -> None:
    late = {sid: round(silent_s, 1) for sid, silent_s in loss.silent_s.items() if silent_s > bar_s}
    assert not late, f"the bar is {bar_s:.1f} s"
    assert loss.untouched()
    found = rows(database)
    assert {found[sid][1] for sid in loss.silent_s} == {1}, "each was claimed once"
    assert all(found[sid][0].startswith("n2-") for sid in loss.silent_s)
    assert all(
        len(call.record.streams) == 2
        for call in cluster.calls_of(cluster.nodes["n2"])
        if call.sid in loss.silent_s
    )
    assert told_that_the_line_broke(cluster) == len(loss.silent_s)


@pytest.mark.slow
@pytest.mark.parametrize("count", [4, 40])
async def test_a_node_is_killed(count: int, tmp_path: Path, database: str) -> None:
    async with open_cluster(tmp_path, database, speak) as cluster:
        await in_mid_answer(cluster, count)
        before_s = stalled_s()
        loss = await lose(cluster, cluster.nodes["n1"], signal.SIGKILL)
        assert len(loss.silent_s) >= count // 4
        check(cluster, loss, database, KILLED_S + stalled_s() - before_s)


@pytest.mark.slow
@pytest.mark.parametrize("run", range(10))
async def test_a_node_freezes_and_wakes(run: int, tmp_path: Path, database: str) -> None:
    async with open_cluster(tmp_path, database, speak, watched=["n1"]) as cluster:
        node = cluster.nodes["n1"]
        await in_mid_answer(cluster, 6)
        before_s = stalled_s()
        loss = await lose(cluster, node, signal.SIGSTOP)
        check(cluster, loss, database, FROZEN_S + stalled_s() - before_s)
        owners = rows(database)
        node.signal(signal.SIGCONT)
        await until(lambda: node.log.count("call ended") == len(loss.silent_s))
        await until(lambda: cluster.servers()["node_n1/n1"] == "UP")
        call = await cluster.ring()  # whoever wakes takes new calls
        await call.hears(0.2, stream=1)
        found = rows(database)
        assert {sid: found[sid] for sid in owners} == owners, "the sleeper has written nothing"
        check(cluster, loss, database, float("inf"))


@pytest.mark.slow
async def test_a_node_that_stalls_meanwhile_still_takes_them(tmp_path: Path, database: str) -> None:
    """The other node is late for its health checks, too, but it is there when it is needed.

    On a machine so busy that it stalled for longer than it was told to, the proxy gives it up, and nothing
    is known: then it is tried again.
    """
    for number in range(TRIES):
        empty(database)
        folder = tmp_path / str(number)
        folder.mkdir()
        async with open_cluster(folder, database, speak, watched=["n1", "n2"]) as cluster:
            await in_mid_answer(cluster, 6)
            before_s = stalled_s()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stall, cluster.nodes["n2"])
                loss = await lose(cluster, cluster.nodes["n1"], signal.SIGSTOP)
            busy_s = stalled_s() - before_s
            if busy_s < STALL_S or "node_n2/n2 is DOWN" not in cluster.proxy_log:
                check(cluster, loss, database, FROZEN_S + busy_s)
                return
    pytest.skip("this machine is so busy that nodes stall for seconds")


async def stall(node: Node) -> None:
    node.signal(signal.SIGSTOP)
    await trio.sleep(STALL_S)
    node.signal(signal.SIGCONT)
