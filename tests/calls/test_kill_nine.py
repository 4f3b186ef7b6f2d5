"""The server's process ends in the middle of calls, and the next one goes on: real processes in real time."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone.sim import voices
from llcphone.sim.model import Say
from llcphone.testing import ACCOUNT_SID, open_stage
from tests.patience import HANG_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llcphone.sim.twilio import SimCall

GREETING = "Good morning, this is the bakery."
ANSWER = (
    "We open at nine in the morning, we close at five in the afternoon, and on Saturdays we are here from "
    "eight until noon, with fresh bread, warm rolls, and a cake of the week that nobody forgets."
)
GREETING_MS, ANSWER_MS = 1_500, 12_000
BACK = "The line is back."


def speak(turn: int, conversation: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Say:
    """A new session greets and answers; one that was told of a broken line says that it is back."""
    if any(item.get("role") == "system" and "line broke" in str(item) for item in conversation):
        return Say(BACK, 1_500)
    return Say(GREETING, GREETING_MS) if turn == 1 else Say(ANSWER, ANSWER_MS)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[trio.Process]:
    """``llcphone serve`` in a process of its own, once it serves; killed at the end."""
    command = [sys.executable, "-m", "llcphone", "serve", "--config", "llcphone.toml"]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = await trio.lowlevel.open_process(command, cwd=folder, env=environ, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        told = b""
        while b"serving" not in told:
            more = await process.stderr.receive_some()
            assert more, told.decode()
            told += more
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drain, process.stderr, name="log reader")
            yield process
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.wait()
            await process.stderr.aclose()


async def drain(pipe: trio.abc.ReceiveStream) -> None:
    async for _ in pipe:
        pass


async def talk(call: SimCall) -> None:
    """The greeting to its end, a question, and the beginning of a long answer."""
    await call.stream_started()
    await call.heard_audio(GREETING_MS)  # by its length: a busy machine makes pauses that are no end
    await call.silence_for(400)
    await call.speak(voices.load("yes_please"))
    await call.heard_audio(GREETING_MS + 1_500)


def heard_ms(call: SimCall) -> int:
    return sum(len(audio) for _, audio in call.ear) // 8


async def all_of(work: Any, calls: list[SimCall]) -> None:
    async with trio.open_nursery() as nursery:
        for call in calls:
            nursery.start_soon(work, call)


async def talks_again(call: SimCall) -> None:
    await call.hears(1.4, stream=2)  # since it started: a busy machine looks late
    await call.silence_for(400)


async def hangs_up(call: SimCall) -> None:
    """And lets Twilio tell the server that the call is over."""
    before = len(call.record.requests)
    call.hang_up()
    while len(call.record.requests) == before:
        await call.log.wait_change(math.inf)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "count"),
    [(signal.SIGKILL, 20), (signal.SIGTERM, 3)],
    ids=["kill -9 in the middle of twenty calls", "a deploy that does not wait for calls"],
)
async def test_all_calls_talk_again_after_a_restart_and_none_twice(
    how: signal.Signals, count: int, tmp_path: Path
) -> None:
    async with open_stage(speak) as stage:
        model, twilio = stage.model, stage.twilio
        sections: dict[str, dict[str, Any]] = {
            "realtime": {"dialect": "ga"},
            "drain": {"limit_s": 0},
            "twilio": {"account_sid": ACCOUNT_SID},
            "records": {"path": "calls.jsonl"},
        }
        stage.write_settings(tmp_path, sections)
        with trio.fail_after(HANG_S):
            async with served(tmp_path) as process:
                calls = [twilio.ring_nowait() for _ in range(count)]
                await all_of(talk, calls)
                process.send_signal(how)
                await process.wait()
            before = {call.sid: heard_ms(call) for call in calls}
            sessions = len(model.sessions)
            async with served(tmp_path) as process:
                await all_of(talks_again, calls)
                resumed = model.sessions[sessions:]
                await all_of(hangs_up, calls)
                process.send_signal(signal.SIGTERM)
                await process.wait()
    # every caller was talked to again, exactly once, by one new session on one new stream
    assert [len(call.record.streams) for call in calls] == [2] * count
    said_again = [session for session in resumed if any(item.role == "assistant" for item in session.items)]
    spoken = [sum(BACK in str(item.render()) for item in session.items) for session in said_again]
    assert spoken == [1] * count
    for call in calls:
        again_ms = heard_ms(call) - before[call.sid]
        assert 1_400 <= again_ms <= 1_600
    lines = (tmp_path / "calls.jsonl").read_text().splitlines()
    records = {record["call_sid"]: record for record in map(json.loads, lines)}
    assert {record["run_number"] for record in records.values()} == {1}
    for call in calls:
        # what the new session was told is what was heard: the greeting, and the answer as far as it got
        greeting, answer, back = (line["text"] for line in records[call.sid]["transcript"])
        assert (greeting, back) == (GREETING, BACK)
        assert ANSWER.startswith(answer)
        heard_share = (before[call.sid] - GREETING_MS) / ANSWER_MS
        assert heard_share - 0.2 < len(answer) / len(ANSWER) <= heard_share + 0.02
        assert any(answer in str(item.render()) for session in said_again for item in session.items)
