"""The private port: scrapes and health for programs of the operator."""

from __future__ import annotations

import errno
import json

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone import Config, ConfigError
from llcphone.config.metrics import MetricsConfig
from llcphone.server import metrics_port
from llcphone.sim.ports import free_port
from tests.calls.stage import nothing_left, open_fds, rehearsal, task_names
from tests.telemetry.test_metrics import Figures


async def ask(port: int, request: bytes) -> tuple[int, bytes]:
    """One request by hand; its status and body."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(request)
        answer = b"".join([piece async for piece in stream])
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


async def test_a_served_phone_is_scraped_on_its_private_port(autojump_clock) -> None:
    port = free_port()
    async with rehearsal(metrics={"port": port}) as stage:
        call = await stage.ring()
        call.hang_up()
        await stage.record()
        status, page = await ask(port, get("/metrics?name=x"))
        assert status == 200
        assert Figures(page)("call_seconds_count") == 1
        assert Figures(page)("tasks") > 3
        assert b"process_open_fds" in page


async def test_health_and_readiness_say_why_not(autojump_clock) -> None:
    port = free_port()
    async with rehearsal(metrics={"port": port}) as stage:
        assert await ask(port, get("/healthz")) == (200, b'{"alive": true, "reasons": []}')
        assert await ask(port, get("/readyz")) == (200, b'{"ready": true, "reasons": []}')
        stage.phone.admission.draining, stage.phone.loop_monitor.orphans = True, 2
        status, body = await ask(port, get("/readyz"))
        assert (status, json.loads(body)) == (503, {"ready": False, "reasons": ["draining"]})
        status, body = await ask(port, get("/healthz"))
        assert (status, json.loads(body)["reasons"]) == (503, ["calls that have ended do not close"])
        stage.phone.admission.draining = False


async def test_the_public_port_has_no_figures(autojump_clock) -> None:
    async with rehearsal(metrics={"port": free_port()}) as stage:
        status, _ = await ask(stage.config.server.port, get("/metrics"))
        assert status == 404


async def test_without_a_private_port_nothing_is_counted(autojump_clock) -> None:
    async with rehearsal() as stage:
        kinds = {type(getattr(each, "__self__", None)).__name__ for each in stage.phone.observers}
        assert "Metrics" not in kinds
        assert "private port" not in task_names()


async def test_a_web_page_whose_name_leads_here_reads_nothing(autojump_clock) -> None:
    """DNS rebinding: a browser sends the name of the page as Host."""
    port = free_port()
    ours = ("localhost", f"LOCALHOST:{port}", f"127.0.0.1:{port}", f"[::1]:{port}")
    theirs = ("evil.example", f"127.0.0.1.evil.example:{port}", "localhost.evil.example", "192.168.0.7")
    async with rehearsal(metrics={"port": port}):
        for path in ("/metrics", "/healthz", "/readyz"):
            for host in ours + theirs:
                request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
                status, body = await ask(port, request)
                assert (status == 403) is (host in theirs), (host, path)
                assert bool(body) is (host in ours), (host, path)


async def test_a_private_port_that_other_machines_may_reach_takes_any_host(autojump_clock) -> None:
    port = free_port()
    async with rehearsal(metrics={"port": port, "host": "0.0.0.0"}):
        request = b"GET /healthz HTTP/1.1\r\nHost: prometheus-target.internal\r\n\r\n"
        assert (await ask(port, request))[0] == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/else"), 404),
        (b"\x16\x03\x01 a TLS hello\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 9_000 + b"\r\n\r\n", 431),
    ],
)
async def test_strange_requests_get_a_bare_status(autojump_clock, request_: bytes, status: int) -> None:
    port = free_port()
    async with rehearsal(metrics={"port": port}):
        assert await ask(port, request_) == (status, b"")


async def test_scrapers_that_hang_are_let_go_and_hold_nobody_up(autojump_clock) -> None:
    port = free_port()
    async with rehearsal(metrics={"port": port}), nothing_left():
        before, start = open_fds()["socket"], trio.current_time()
        silent = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(metrics_port.MOST * 3)]
        await wait_all_tasks_blocked()
        assert open_fds()["socket"] - before == len(silent) + metrics_port.MOST, "no more than that at once"
        assert (await ask(port, get("/healthz")))[0] == 200
        assert trio.current_time() == start
        with trio.fail_after(metrics_port.EXCHANGE_S + 1):
            for stream in silent:
                assert await stream.receive_some(10) == b""
                await stream.aclose()


async def test_a_process_out_of_descriptors_says_so_once_and_accepts_again(
    autojump_clock, monkeypatch, caplog
) -> None:
    """Both ports: a pause, one line, no traceback, nobody lost."""
    real = trio.SocketListener.accept

    async def accept(self: trio.SocketListener) -> trio.SocketStream:
        if trio.current_time() < until:
            raise OSError(errno.EMFILE, "Too many open files")
        return await real(self)

    port = free_port()
    async with rehearsal(metrics={"port": port}) as stage:
        ports = {"llcphone.server.private": port, "llcphone.server.listener": stage.config.server.port}
        for name, asked in ports.items():
            caplog.clear()
            until = trio.current_time() + 20
            monkeypatch.setattr(trio.SocketListener, "accept", accept)
            assert (await ask(asked, get("/healthz")))[0] == 200  # by the accept that waited
            assert (await ask(asked, get("/healthz")))[0] == 200
            monkeypatch.undo()
            said = [(each.event, each.error) for each in caplog.records if each.name == name]
            assert said == [("cannot accept", "EMFILE")]
            assert trio.current_time() >= until
            await trio.sleep(61)


async def test_a_taken_private_port_is_a_setting_to_change(autojump_clock) -> None:
    (taken,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = taken.socket.getsockname()[1]
    settings = Config.from_dict({"metrics": {"port": port}}).metrics
    async with taken:
        with pytest.raises(ConfigError, match=r"metrics\.port.*EADDRINUSE.*set metrics\.port"):
            async with metrics_port.open_private_port(None, settings):
                raise AssertionError("it is taken")


async def test_a_port_that_went_to_another_process_ends_nothing_here(autojump_clock) -> None:
    """After a restart the new process listens; the old one still has its live calls."""
    settings = MetricsConfig(port=free_port())
    async with (
        rehearsal() as stage,
        metrics_port.open_private_port(stage.phone, settings) as listeners,
    ):
        assert (await ask(settings.port, get("/metrics")))[0] == 200
        for each in listeners:
            each.socket.close()
        await wait_all_tasks_blocked()
        call = await stage.ring()
        await call.hears(0.2)
        call.hang_up()
