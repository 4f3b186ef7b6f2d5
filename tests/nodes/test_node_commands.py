"""What an operator and a program see of all nodes from one: status, a call of another node, restart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trio

from llcphone.process.pidfile import read_pid_file
from llcphone.server.api.other_nodes import PASSED_ON
from llcphone.sim import voices
from tests.calls.test_kill_nine import speak
from tests.nodes.cluster import open_cluster, until
from tests.nodes.lost import VOICE_S, in_mid_answer

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.sim.twilio import SimCall
    from tests.nodes.cluster import Cluster, Node

KEY = "key-of-the-nodes-0123456789"
HEADERS = {"Authorization": f"Bearer {KEY}"}
API = {"api": {"key": KEY}}


async def command(node: Node, *words: str) -> tuple[int, str]:
    """One llcphone command in a node's folder; its exit code, and what it told."""
    done = await trio.run_process(
        [sys.executable, "-m", "llcphone", *words],
        cwd=node.folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_stdout=True,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout.decode()


async def ids_of(cluster: Cluster, node: Node) -> list[str]:
    """The live calls that a node lists."""
    answer = await cluster.ask("GET", "/calls", node, headers=HEADERS)
    return [each["id"] for each in answer.json()["calls"] if each["state"] != "ended"]


@pytest.mark.slow
async def test_a_call_is_asked_about_and_ended_at_a_node_that_has_it_not(
    tmp_path: Path, database: str
) -> None:
    async with open_cluster(tmp_path, database, speak, **API) as cluster:
        n1, n2 = cluster.nodes.values()
        await in_mid_answer(cluster, 4)
        call_id, another, *_ = await ids_of(cluster, n2)
        assert call_id.startswith("n2-")
        theirs = await cluster.ask("GET", f"/calls/{call_id}", n1, headers=HEADERS)
        assert (theirs.status_code, theirs.json()["id"]) == (200, call_id)
        assert theirs.headers[PASSED_ON] == "n2"
        refused = await cluster.ask("POST", f"/calls/{call_id}/end", n1, headers={})
        assert refused.status_code == 401  # before it is passed on
        no_loop = await cluster.ask("GET", f"/calls/{call_id}", n1, headers=HEADERS | {PASSED_ON: "n3"})
        assert PASSED_ON not in no_loop.headers
        logs = await cluster.ask("GET", f"/logs?call={call_id}", n1, headers=HEADERS)
        assert (logs.status_code, logs.json()["code"]) == (422, "other_node")

        ended = await cluster.ask("POST", f"/calls/{call_id}/end", n1, headers=HEADERS)
        assert (ended.status_code, ended.headers[PASSED_ON]) == (202, "n2")
        await until(lambda: len(cluster.calls_of(n2)) == 1)

        n2.signal(signal.SIGKILL)
        await n2.gone()
        lost = await cluster.ask("POST", f"/calls/{another}/end", n1, headers=HEADERS)
        assert (lost.status_code, lost.json()["code"]) == (503, "node_gone")
        assert int(lost.headers["Retry-After"]) > 0


@pytest.mark.slow
async def test_all_nodes_are_seen_and_replaced_from_one(tmp_path: Path, database: str) -> None:
    async with open_cluster(tmp_path, database, speak, **API, drain={"limit_s": 2}) as cluster:
        n1, n2 = cluster.nodes.values()
        live = await in_mid_answer(cluster, 4)
        code, told = await command(n1, "status", "--nodes", "--json")
        seen = {each["name"]: each for each in json.loads(told)["nodes"]}
        assert (code, set(seen)) == (0, {"n1", "n2"})
        assert {each["state"] for each in seen.values()} == {"serving"}
        assert {each["url"] for each in seen.values()} == {n1.url, n2.url}
        await until_told(n1, calls="2/")

        before = {node.name: node.process.pid for node in (n1, n2) if node.process}
        try:
            code, told = await command(n2, "restart", "--all-nodes")
            assert code == 0, told
            assert "restarted, and well: n1, n2" in told
            after = {node.name: pid_of(node) for node in (n1, n2)}
            assert not set(after.values()) & set(before.values())
            assert [call.record.ended_by for call in live if call.over] == []
            for call in live:
                await is_answered(call)
            n1_pid = after["n1"]
            os.kill(n1_pid, signal.SIGSTOP)  # it hangs
            await until_told(n2, code=1, state="silent")
            os.kill(n1_pid, signal.SIGCONT)
        finally:
            for node in (n1, n2):
                os.kill(pid_of(node), signal.SIGKILL)


def pid_of(node: Node) -> int:
    pid_file = read_pid_file(str(node.folder / "llcphone.pid"))
    assert pid_file is not None
    return pid_file.pid


async def is_answered(call: SimCall) -> None:
    await call.speak(voices.load("yes_please"))
    await call.hears(VOICE_S)


async def until_told(node: Node, *, code: int = 0, **words: str) -> None:
    """``status --nodes`` shows it in the end; a node beats once a second."""
    while True:
        found, told = await command(node, "status", "--nodes")
        if found == code and all(word in told for word in words.values()):
            return
