"""Binding, the order of a stop, and what signals do."""

import gc
import signal
from contextlib import asynccontextmanager
from functools import partial

import attrs
import pytest
import trio

from llcphone.agent import Agent
from llcphone.errors import ConfigError
from llcphone.process.health import ask_health
from llcphone.server import run
from tests.server.support import (
    FakePhone,
    MediaPeer,
    Server,
    get,
    make_config,
    media_request,
    open_server,
    read_to_end,
    status_of,
    webhook_request,
)


async def test_port_zero_reports_the_real_port(autojump_clock):
    async with open_server() as server:
        assert server.port > 0
        assert server.listener.addresses == [("127.0.0.1", server.port)]


async def test_every_address_of_both_kinds_is_served_and_asked_for_its_health(autojump_clock):
    async with open_server(make_config(host="::")) as server:
        for host in ("127.0.0.1", "::1"):
            async with await trio.open_tcp_stream(host, server.port) as stream:
                await stream.send_all(get("/healthz"))
                assert status_of(await read_to_end(stream)) == 200
        for host in ("::", "0:0::0", "0.0.0.0", "*", "", "::1", "127.0.0.1"):
            health = await ask_health(host, server.port)
            assert health is not None, host
            assert health.alive


async def test_a_host_that_makes_no_url_has_no_health_and_raises_nothing(autojump_clock, no_threads):
    for host in ("fe80::1%eth0", "a b", "[", "x" * 70_000):
        assert await ask_health(host, 1) is None


async def test_a_taken_port_is_a_setting_to_change(autojump_clock):
    async with open_server() as server, trio.open_nursery() as nursery:
        config = make_config(port=server.port)
        with pytest.raises(
            ConfigError, match=rf"port {server.port} on 127.0.0.1 is taken.*Fix: .*PORT"
        ) as caught:
            await run.serve(FakePhone(config, nursery), config)
        assert caught.value.key == "server.port"


async def test_a_taken_port_stops_the_process_before_a_phone_is_opened(autojump_clock):
    async with open_server() as server:
        with pytest.raises(ConfigError, match="PORT"):  # bare: no exception group for the command line
            await run.run_until_signal(None, make_config(port=server.port))


@pytest.mark.parametrize("other", ["0.0.0.0", "::"])
async def test_everywhere_is_taken_where_one_kind_is(autojump_clock, other):
    (taken,) = await run.bind(make_config(host=other).server)
    async with taken:
        with pytest.raises(ConfigError, match="is taken"):
            await run.bind(make_config(host="::", port=taken.socket.getsockname()[1]).server)


async def test_an_address_of_another_machine_is_a_setting_to_change(autojump_clock):
    with pytest.raises(ConfigError, match=r"server.host: 192.0.2.1") as caught:
        await run.bind(make_config(host="192.0.2.1").server)
    assert caught.value.key == "server.host"


async def test_a_port_is_free_again_at_once(autojump_clock):
    async with open_server() as server:
        await server.stream()
        port = server.port
    async with open_server(make_config(port=port)) as server:
        assert status_of(await server.ask(get("/healthz"))) == 200


@asynccontextmanager
async def signalled_process(config=None):
    """A process of ours under `run_until_signal`, with the phone it opened."""
    config = config or make_config()
    opened = []

    @asynccontextmanager
    async def open_phone():
        async with trio.open_nursery() as nursery:
            opened.append(FakePhone(config, nursery))
            yield opened[0]

    async with trio.open_nursery() as nursery:
        listener = await nursery.start(partial(run.run_until_signal, open_phone, config))
        server = Server(opened[0], listener, listener.addresses[0][1], nursery)
        yield server
        server.hang_up()


async def test_the_first_signal_drains_and_born_calls_still_get_their_streams(autojump_clock):
    async with signalled_process() as server:
        peer = await server.stream("live")
        server.phone.tokens.add("born")
        signal.raise_signal(signal.SIGTERM)
        await trio.sleep(1)
        assert b"draining" in await server.ask(get("/readyz"))
        assert status_of(await server.ask(webhook_request())) == 200  # the fallback, not a refused connection
        born = await server.connect()
        await born.send_all(media_request("born"))
        joined = MediaPeer(born)
        await joined.accepted()
        for each in (peer, joined):
            await each.send(b"hello")
            assert await each.receive() == b"hello"
        start = trio.current_time()
        peer.stream.socket.close()
        born.socket.close()
    assert trio.current_time() - start < 1  # exit within a second of the last call


async def test_a_drain_ends_at_its_limit_with_calls_still_open(autojump_clock):
    async with signalled_process(make_config(drain={"limit_s": 30})) as server:
        await server.stream()
        signal.raise_signal(signal.SIGINT)
        start = trio.current_time()
        await trio.sleep(29)
        assert server.phone.live_calls == 1
        server.phone.nursery.cancel_scope.deadline = start + 31  # leaving open_phone ends late calls
        await trio.sleep(5)
        assert server.phone.live_calls == 0
        assert server.nursery.child_tasks == frozenset()


async def test_the_second_signal_ends_everything_at_once(autojump_clock):
    async with signalled_process() as server:
        await server.stream()
        signal.raise_signal(signal.SIGTERM)
        await trio.sleep(5)
        start = trio.current_time()
        signal.raise_signal(signal.SIGTERM)
    assert trio.current_time() - start < 1
    assert server.phone.live_calls == 0


async def test_the_listener_is_closed_after_the_drain_not_before(autojump_clock):
    @attrs.define(eq=False)
    class Watched(FakePhone):
        open_during_drain: bool = False

        async def drain(self, limit_s: float) -> None:
            stream = await trio.open_tcp_stream("127.0.0.1", ports[0])
            self.open_during_drain = True
            await stream.aclose()

    ports, phones = [], []
    config = make_config()

    @asynccontextmanager
    async def open_phone():
        async with trio.open_nursery() as nursery:
            phones.append(Watched(config, nursery))
            yield phones[0]

    async with trio.open_nursery() as nursery:
        listener = await nursery.start(partial(run.run_until_signal, open_phone, config))
        ports.append(listener.addresses[0][1])
        signal.raise_signal(signal.SIGTERM)
    assert phones[0].open_during_drain
    with pytest.raises(OSError, match="127"):
        await trio.open_tcp_stream("127.0.0.1", ports[0])


async def test_the_real_phone_is_served_until_a_signal(autojump_clock):
    config = make_config()
    config = attrs.evolve(
        config, realtime=attrs.evolve(config.realtime, url="ws://127.0.0.1:9", api_key="k", dialect="ga")
    )
    gc.unfreeze()  # what this suite has set aside: a server leaves that as it is
    try:
        async with trio.open_nursery() as nursery:
            listener = await nursery.start(
                run.serve_until_signal, config, Agent(name="front", instructions="Hi.")
            )
            server = Server(None, listener, listener.addresses[0][1], nursery)
            assert status_of(await server.ask(get("/healthz"))) == 200
            assert status_of(await server.ask(webhook_request(signature="AAAA"))) == 403
            assert gc.get_freeze_count() > 0  # no full collection over the imports while calls are live
            signal.raise_signal(signal.SIGTERM)
        server.hang_up()
        assert gc.get_freeze_count() == 0
    finally:
        gc.freeze()
