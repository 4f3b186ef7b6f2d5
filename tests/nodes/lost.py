"""A node is lost in the middle of calls: when each of its callers hears the agent again."""

from __future__ import annotations

import math
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.sim.twilio import CallOver
from tests.calls.test_kill_nine import all_of, talk

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from llcphone.sim.twilio import SimCall
    from tests.nodes.cluster import Cluster, Node

VOICE_S = 0.1
"""So much voice is a word again."""


@attrs.frozen
class Loss:
    """What became of the calls of a node that was lost."""

    silent_s: dict[str, float]
    """By CallSid: from the loss to the agent's next word; infinite for a call that ended."""
    kept: list[SimCall]
    """Calls of the other nodes."""

    @property
    def longest_s(self) -> float:
        return max(self.silent_s.values())

    def untouched(self) -> bool:
        """Whether the calls of the other nodes noticed nothing."""
        return all(len(call.record.streams) == 1 and not call.over for call in self.kept)


def stalled_s() -> float:
    """How long some program of this machine has waited for a processor since it started, by Linux."""
    try:
        found = re.search(r"total=(\d+)", Path("/proc/pressure/cpu").read_text())
    except OSError:  # not counted here
        return math.inf
    return int(found[1]) / 1e6 if found else math.inf


async def in_mid_answer(cluster: Cluster, count: int, **how: Any) -> list[SimCall]:
    """So many calls, divided over the nodes, while the agent gives a long answer; ``how``: as for a ring."""
    calls = [cluster.twilio.ring_nowait(**how) for _ in range(count)]
    await all_of(talk, calls)
    return calls


async def lose(cluster: Cluster, node: Node, how: signal.Signals) -> Loss:
    """Do this to a node, and wait until each of its callers has heard the agent again, or is gone."""
    return await lose_by(cluster, node, partial(node.signal, how))


async def lose_by(cluster: Cluster, node: Node, deed: Callable[[], object]) -> Loss:
    """`lose`, by something else than a signal."""
    lost = cluster.calls_of(node)
    kept = [call for call in cluster.twilio.calls if call not in lost]
    began_s = trio.current_time()
    silent_s: dict[str, float] = {}

    async def hears_again(call: SimCall) -> None:
        silent_s[call.sid] = math.inf
        try:
            await call.hears(VOICE_S, stream=2)
        except CallOver:
            return
        silent_s[call.sid] = trio.current_time() - began_s - VOICE_S

    deed()
    await all_of(hears_again, lost)
    return Loss(silent_s, kept)
