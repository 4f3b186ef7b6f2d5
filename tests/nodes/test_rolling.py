"""Both nodes are replaced, one after the other, while new callers ring: nobody is refused, nobody is cut."""

from __future__ import annotations

import itertools
import signal
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from llcphone.sim import voices
from llcphone.sim.twilio import CallOver
from tests.calls.test_kill_nine import all_of, speak
from tests.nodes.cluster import open_cluster, until
from tests.nodes.lost import VOICE_S, in_mid_answer, stalled_s

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llcphone.sim.twilio import SimCall
    from tests.nodes.cluster import Cluster, Node

RATE, AT_ONCE = 50, 8
"""Webhooks a second; fewer if the machine is too busy, as there are never more at once."""
RESUMED_S = 2.0
LIVE = 10
MANY = {"max_calls": 5_000}


@attrs.define
class Callers:
    """Those who ring, and hang up as soon as their stream has started."""

    answers: Counter[str] = attrs.field(factory=Counter)

    async def ring(self, cluster: Cluster) -> None:
        call = cluster.twilio.ring_nowait()
        try:
            await call.stream_started()
        except CallOver:
            self.answers["".join(call.record.documents) or str(call.record.errors)] += 1
            return
        self.answers["taken"] += 1
        call.hang_up()
        await call.ended()


@asynccontextmanager
async def callers_ring(cluster: Cluster) -> AsyncIterator[Callers]:
    """New callers at an even pace until the block is left; each is heard to the end."""
    callers, arriving = Callers(), trio.CancelScope()

    async def arrive() -> None:
        async with trio.open_nursery() as nursery:
            began_s = trio.current_time()
            with arriving:
                for number in itertools.count():
                    await trio.sleep_until(began_s + number / RATE)
                    if len(nursery.child_tasks) < AT_ONCE:
                        nursery.start_soon(callers.ring, cluster)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(arrive)
        yield callers
        arriving.cancel(reason="enough")


async def replaced(cluster: Cluster, node: Node) -> None:
    """It is asked to stop, ends well, and is started again."""
    node.signal(signal.SIGTERM)
    assert await node.gone() == 0
    await node.start()
    await until(lambda: cluster.servers()[f"nodes/{node.name}"] == "UP")


async def goes_on(call: SimCall, gaps_s: list[float], nth: int) -> None:
    """A live call that loses its node is heard by the next one."""
    await call.stream_started(nth)
    before = call.record.streams[nth - 2].ended_at_ms
    await call.hears(VOICE_S, stream=nth)
    assert before is not None
    gaps_s.append((call.log.now_ms - before) / 1000 - VOICE_S)


async def is_answered(call: SimCall) -> None:
    """A call at a node that drains goes on as ever; then the caller hangs up."""
    await call.speak(voices.load("yes_please"))
    await call.hears(VOICE_S)
    assert len(call.record.streams) == 1
    call.hang_up()


@pytest.mark.slow
async def test_nodes_that_do_not_wait_hand_their_calls_over(tmp_path: Path, database: str) -> None:
    async with open_cluster(tmp_path, database, speak, server=MANY, drain={"limit_s": 0}) as cluster:
        live = await in_mid_answer(cluster, LIVE)
        gaps_s: list[float] = []
        before_s = stalled_s()
        async with callers_ring(cluster) as callers, trio.open_nursery() as listening:
            for node in cluster.nodes.values():
                for call in cluster.calls_of(node):
                    if call in live:
                        listening.start_soon(goes_on, call, gaps_s, len(call.record.streams) + 1)
                await replaced(cluster, node)
        assert set(callers.answers) == {"taken"}, callers.answers
        assert not any(call.over for call in live)
        bar_s = RESUMED_S + stalled_s() - before_s
        assert len(gaps_s) >= LIVE
        assert max(gaps_s) <= bar_s


@pytest.mark.slow
async def test_nodes_that_wait_disturb_no_call(tmp_path: Path, database: str) -> None:
    async with open_cluster(tmp_path, database, speak, server=MANY, drain={"limit_s": 600}) as cluster:
        live = await in_mid_answer(cluster, LIVE)
        async with callers_ring(cluster) as callers:
            for node in cluster.nodes.values():
                mine = [call for call in cluster.calls_of(node) if call in live]
                node.signal(signal.SIGTERM)
                await until(lambda node=node: cluster.servers()[f"nodes/{node.name}"] == "DOWN")
                await all_of(is_answered, mine)
                assert await node.gone() == 0
                await node.start()
                await until(lambda node=node: cluster.servers()[f"nodes/{node.name}"] == "UP")
        assert set(callers.answers) == {"taken"}, callers.answers
        assert {call.record.ended_by for call in live} == {live[0].record.ended_by}
