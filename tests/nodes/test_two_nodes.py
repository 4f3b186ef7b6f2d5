"""Two nodes behind a proxy, on one database: whose call is whose, when nothing goes wrong."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import trio

from llcphone.sim import voices
from tests.calls.test_kill_nine import GREETING_MS, speak
from tests.nodes.cluster import open_cluster

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.sim.twilio import SimCall
    from tests.nodes.cluster import Cluster

AT_ONCE = 20


async def greeted_and_gone(cluster: Cluster, limiter: trio.CapacityLimiter) -> None:
    """A whole call: greeting, a word, hang-up, and Twilio's last question."""
    async with limiter:
        call = await cluster.ring()
        await call.heard_audio(GREETING_MS)
        await call.speak(voices.load("yes_please"))
        await hung_up(call)


async def hung_up(call: SimCall) -> None:
    """The caller hangs up, and Twilio has said so to the server."""
    before = len(call.record.requests)
    call.hang_up()
    while len(call.record.requests) == before:
        await call.log.wait_change(math.inf)


async def whole_calls(cluster: Cluster, count: int) -> list[SimCall]:
    limiter = trio.CapacityLimiter(AT_ONCE)
    async with trio.open_nursery() as callers:
        for _ in range(count):
            callers.start_soon(greeted_and_gone, cluster, limiter)
    return cluster.twilio.calls


def misrouted(calls: list[SimCall]) -> Counter[str]:
    """What a request that came to the wrong node would have caused."""
    wrong: Counter[str] = Counter()
    for call in calls:
        wrong.update(
            f"{what} was answered {status}" for what, status, _ in call.record.requests if status >= 300
        )
        wrong.update(f"Twilio error {code}" for code in call.record.error_codes)
        wrong["resumed for nothing"] += len(call.record.streams) - 1
    return +wrong


@pytest.mark.slow
@pytest.mark.parametrize("count", [10, 100])
async def test_no_call_of_two_nodes_is_misrouted(count: int, tmp_path: Path, database: str) -> None:
    async with open_cluster(tmp_path, database, speak) as cluster:
        calls = await whole_calls(cluster, count)
        assert len(calls) == count
        assert misrouted(calls) == {}
        shares = Counter(cluster.node_of(call).name for call in calls)
        assert set(shares) == {"n1", "n2"}
        assert min(shares.values()) >= count // 4, "the proxy gives both nodes new calls"
