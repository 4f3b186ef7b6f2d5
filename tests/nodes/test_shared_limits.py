"""Limits of an account over several real nodes: at once, once, and at one pace."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone.sim.twilio import Callee
from llcphone.testing import NUMBER
from tests.nodes.cluster import open_cluster, until
from tests.patience import HANG_S
from tests.server.api_stage import KEY

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.nodes.cluster import Cluster, Node

API = {"api": {"key": KEY}}
FAR = {
    "allow_prefixes": ["+1555"],
    "calls_per_minute": 10_000,
    "max_per_day": 10_000,
    "per_number_min_gap_s": 0.0,
    "dial": "at_once",
}
"""Outbound limits that no test reaches, unless it sets its own."""


async def order(cluster: Cluster, node: Node, to: str, key: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {KEY}"} | ({"Idempotency-Key": key} if key else {})
    return await cluster.ask("POST", "/calls", node, json={"to": to}, headers=headers)


async def all_at_once(asks: list[Any]) -> list[httpx.Response]:
    """Do all of these; the answers in the order of the asks."""
    answers: dict[int, httpx.Response] = {}

    async def ask(at: int) -> None:
        answers[at] = await asks[at]()

    async with trio.open_nursery() as nursery:
        for at in range(len(asks)):
            nursery.start_soon(ask, at)
    return [answers[at] for at in range(len(asks))]


@pytest.mark.slow
async def test_four_nodes_place_as_many_calls_as_one_may_at_the_pace_of_one(
    tmp_path: Path, database: str
) -> None:
    outbound = {**FAR, "max_concurrent": 10, "calls_per_second": 1.0}
    more = {**API, "outbound": outbound}
    async with open_cluster(tmp_path, database, nodes=4, callee=Callee(), **more) as cluster:
        nodes, rest = list(cluster.nodes.values()), cluster.twilio.rest
        began_s = trio.current_time()

        async def ordered(at: int) -> httpx.Response:
            while True:
                answer = await order(cluster, nodes[at % 4], f"+1555321{at:04}")
                if answer.status_code != 503:  # too slow an answer on a crowded machine
                    return answer
                await trio.sleep(0.2)

        orders = [lambda at=at: ordered(at) for at in range(100)]
        statuses = [answer.status_code for answer in await all_at_once(orders)]
        assert Counter(statuses) == {202: 10, 429: 90}
        await until(lambda: len(rest.creates) == 10)
        created_s = sorted(call.log.born_at for call in cluster.twilio.calls)
        # each at its turn or later, however busy this machine is
        assert all(at_s >= began_s + turn for turn, at_s in enumerate(created_s)), created_s
        for call in cluster.twilio.calls:
            call.hang_up()

        async def once(at: int) -> httpx.Response:
            while True:  # the answer may be on its way still
                answer = await order(cluster, nodes[at % 4], "+15551249999", "one-key")
                if answer.status_code == 202:
                    return answer
                assert answer.status_code in {409, 429, 503}, answer.text  # places are free in a moment
                await trio.sleep(0.2)

        same = await all_at_once([lambda at=at: once(at) for at in range(20)])
        assert len({answer.content for answer in same}) == 1
        await until(lambda: len(rest.creates) == 11)
        assert [form["To"] for form in rest.creates].count(["+15551249999"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("asks", "most"), [(40, 8), (500, 100)])
async def test_two_nodes_let_in_as_many_callers_as_may_be_and_one_key_counts_once(
    asks: int, most: int, tmp_path: Path, database: str
) -> None:
    more = {
        **API,
        "outbound": FAR,
        "shared": {"max_calls": most},
        "server": {"check_signatures": False, "max_calls": 1_000},
        "call": {"token_ttl_s": 600},
    }
    async with open_cluster(tmp_path, database, callee=Callee(), **more) as cluster:
        nodes = list(cluster.nodes.values())
        limiter = trio.CapacityLimiter(40)

        async def rings(at: int) -> httpx.Response:
            form = {"CallSid": f"CA{at:032}", "CallStatus": "ringing", "Direction": "inbound"}
            form |= {"From": f"+1555200{at:04}", "To": NUMBER}
            async with limiter:
                return await cluster.ask("POST", "/twiml", nodes[at % 2], data=form)

        answers = await all_at_once([lambda at=at: rings(at) for at in range(asks)])
        assert {answer.status_code for answer in answers} == {200}
        assert sum("<Stream" in answer.text for answer in answers) == most
        again = await all_at_once([lambda at=at: rings(at) for at in range(asks)])
        assert [("<Stream" in each.text) for each in again] == [("<Stream" in each.text) for each in answers]
        refused = await order(cluster, nodes[0], "+15551230001", "k1")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_on_all_nodes")


@pytest.mark.slow
async def test_a_second_process_of_one_name_refuses_to_start_with_the_fix(
    tmp_path: Path, database: str
) -> None:
    async with open_cluster(tmp_path, database, nodes=1) as cluster:
        node = cluster.nodes["n1"]
        second = tmp_path / "second"
        second.mkdir()
        text = (node.folder / "llcphone.toml").read_text()
        (second / "llcphone.toml").write_text(text.replace(f"port = {node.port}", "port = 0"))
        command = [sys.executable, "-m", "llcphone", "serve"]
        with trio.fail_after(HANG_S):
            done = await trio.run_process(
                command, cwd=second, capture_stdout=True, stderr=subprocess.STDOUT, check=False
            )
        told = done.stdout.decode()
        assert done.returncode == 2, told
        assert f"server.node: n1 is the name of another process at {node.url}" in told
        assert "Fix: give each process a name of its own, or stop the other one" in told
        call = await cluster.ring()  # the first one is not disturbed
        await call.hears(0.2, stream=1)
        node.process.kill()  # type: ignore[union-attr]
        await node.gone()
        await node.start()  # its name is free once its last beat is old
        await until(lambda: set(cluster.servers().values()) <= {"UP", "OPEN", "no"})
        call = await cluster.ring()
        await call.hears(0.2, stream=1)
