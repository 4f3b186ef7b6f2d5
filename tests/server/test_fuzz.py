"""Twenty thousand hostile connections while a call is live."""

from __future__ import annotations

import gc
import os

import pytest
import trio
import trio.testing

from llcphone.server.pending import Allowance
from tests.server import hostile
from tests.server.support import body_of, make_config, open_server, webhook_request


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_the_known_killers_each_cost_only_their_own_connection(autojump_clock):
    async with open_server(phone_type=hostile.OpenPhone) as server:
        peer = await server.stream()
        for packet in hostile.SEEDS:
            async with await server.connect() as stream:
                await stream.send_all(packet)
                await stream.send_eof()
                with trio.move_on_after(20):
                    try:
                        while await stream.receive_some():
                            pass
                    except trio.BrokenResourceError:
                        pass
            await peer.send(b"alive")
            assert await peer.receive() == b"alive"
        assert server.phone.connections["failed"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("transport", "cases"), [("fast", 20_000), ("quart", 3_200)])
async def test_thousands_of_mutations_lose_no_frame_and_leave_nothing_behind(transport, cases):
    config = make_config(wire={"phone": transport})
    async with (
        open_server(config, phone_type=hostile.OpenPhone) as server,
        trio.open_nursery() as nursery,
    ):
        server.listener.allowance = Allowance(per_s=1e9, burst=1e9)  # all of it is to reach the HTTP stack
        calls = [hostile.LiveCall(await server.stream(f"live-{number}")) for number in range(2)]
        for call in calls:
            nursery.start_soon(call.run)
        await trio.testing.wait_all_tasks_blocked()
        fds, tasks = descriptors(), trio.lowlevel.current_statistics().tasks_living
        await hostile.attack_many(server.port, cases, workers=16, seed=20261121)
        assert body_of(await server.ask(webhook_request())).startswith(b"<Response>")
        with trio.fail_after(10):
            while (descriptors(), trio.lowlevel.current_statistics().tasks_living) != (fds, tasks):
                gc.collect()
                await trio.sleep(0.1)
        for call in calls:
            call.over = True
    ended = server.phone.connections
    assert [call.heard for call in calls] == [call.sent for call in calls]
    assert min(call.sent for call in calls) > 50
    assert ended["accepted"] >= cases
    assert min(ended["stream"], ended["request"]) > cases // 100  # it reached the rooms behind the door
    if transport == "fast":
        assert ended["failed"] == 0  # hypercorn's own WebSocket does fail, contained
