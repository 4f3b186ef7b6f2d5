"""Twilio asks nothing after a lost stream, its worst behaviour: the other node redirects the calls."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING

import pytest

from llcphone.phone.sweep import _A_LOOK
from llcphone.shared.nodes import BEAT_S, SILENT_S
from llcphone.shared.shared import REDIRECTS_PER_S
from llcphone.sim.twilio import CallFaults
from tests.calls.test_kill_nine import speak
from tests.nodes.cluster import open_cluster
from tests.nodes.lost import in_mid_answer, lose_by, stalled_s
from tests.nodes.test_database_away import VOICE_AGAIN_S
from tests.nodes.test_lost_nodes import check

if TYPE_CHECKING:
    from pathlib import Path


COUNT = 8
FOUND_S = SILENT_S + 3 * BEAT_S
"""A beat, the next look of the other node, and its view of the table, which may be a beat old."""


@pytest.mark.slow
async def test_callers_of_a_node_that_is_gone_are_brought_to_the_other(tmp_path: Path, database: str) -> None:
    assert COUNT <= _A_LOOK
    async with open_cluster(tmp_path, database, speak, shared={"sweep": True}) as cluster:
        await in_mid_answer(cluster, COUNT, faults=CallFaults(asks_nothing=True))
        node = cluster.nodes["n1"]
        before_s = stalled_s()
        loss = await lose_by(cluster, node, partial(node.signal, signal.SIGKILL))
        bar_s = FOUND_S + len(loss.silent_s) / REDIRECTS_PER_S + VOICE_AGAIN_S
        check(cluster, loss, database, bar_s + stalled_s() - before_s)
        assert updates(cluster) == len(loss.silent_s), "each is redirected once"


def updates(cluster: object) -> int:
    requests = cluster.twilio.rest.requests  # type: ignore[attr-defined]
    return sum(method == "POST" and path.startswith("Calls/") for method, path in requests)
