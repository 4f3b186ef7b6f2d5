"""The console of ``llcphone serve``: over restarts, with the browser as telephone, and a drain from there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import trio

from llcphone.process.health import ask_ready
from llcphone.server.port_owners import port_owners
from llcphone.sim.ports import free_port
from llcphone.wire import websocket
from tests.console.browser import Browser
from tests.process.deployment import Deployment, deploy
from tests.process.test_handover import greeted, restarted

if TYPE_CHECKING:
    from pathlib import Path

KEY = "console-key-of-this-test-0123456789abcdef"


async def entered(deployed: Deployment, port: int) -> Browser:
    """A browser that has followed a link of the command, by the server that has the port now."""
    page = Browser(port)
    while not page.token:
        code = (await deployed.succeeds("console")).strip().partition("#in=")[2]
        try:
            page.token = (await page.ask("POST", "/api/in", {"code": code})).json["token"]
        except OSError:
            await trio.sleep(0.1)  # between two processes
    return page


async def process_of(page: Browser) -> str:
    return (await page.get("/api/state")).json["process"]


async def test_a_restart_hands_the_console_over_and_a_drain_from_there_ends_the_server(
    tmp_path: Path,
) -> None:
    port, figures = free_port(), free_port()
    async with deploy(tmp_path) as deployed:
        deployed.configure(
            console={"port": port, "key": KEY}, metrics={"port": figures}, drain={"limit_s": 300}
        )
        old = await deployed.serve()
        page = await entered(deployed, port)
        former = await process_of(page)
        live = deployed.twilio.ring_nowait()
        await greeted(live)
        assert (await page.get("/api/state")).json["health"]["live"] == 1

        new = await restarted(deployed, old)
        await deployed.until(lambda: old.poll() is not None or not _listens(port, old.pid))
        page = await entered(deployed, port)
        assert await process_of(page) == new.identity != former
        assert await ask_ready("127.0.0.1", figures) == []
        assert old.poll() is None, "its call goes on"
        live.hang_up()
        assert await old.wait() == 0

        rows = (await page.get("/api/settings")).json["settings"]
        assert {"key": "console.key", "value": "«hidden»", "origin": "llcphone.toml"} in rows
        assert (await page.ask("POST", "/api/drain", {})).status == 202
        await deployed.until(lambda: not new.alive)


def _listens(port: int, pid: int) -> bool:
    return any(owner.pid == pid for owner in port_owners(port))


async def test_the_browser_is_a_telephone_of_the_server_that_runs(tmp_path: Path) -> None:
    port = free_port()
    async with deploy(tmp_path) as deployed:
        deployed.configure(console={"port": port, "key": KEY})
        await deployed.serve()
        page = await entered(deployed, port)
        url = f"ws://127.0.0.1:{port}/line/{await page.ticket('line')}"
        leg = await websocket.connect(url, headers=[("Origin", f"http://{page.host}")], timeout_s=10)
        async with trio.open_nursery() as nursery:
            leg.attach(nursery.start_soon, lambda end: nursery.cancel_scope.cancel())
            assert (await until(leg, "ready"))["line"] == 1
            leg.send_nowait(b'{"event": "call"}')
            shown = await until(leg, "id")
            await until(leg, event="media")  # the greeting
            assert (await page.get("/api/state")).json["health"]["live"] == 1
            assert shown["call"]
            await leg.aclose()
        while (await page.get("/api/state")).json["health"]["live"]:  # noqa: ASYNC110 (another process)
            await trio.sleep(0.05)


async def until(leg: websocket.WebSocketLeg, what: str = "", event: str = "carrier") -> dict[str, Any]:
    """The next message of a kind."""
    while True:
        for text in await leg.receive():
            message: dict[str, Any] = json.loads(text)
            if message["event"] == event and what in ("", message.get("what")):
                return message


async def test_a_console_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    async with deploy(tmp_path) as deployed:
        deployed.configure(console={"port": urlsplit(deployed.model.url).port, "key": KEY})
        code, told = await deployed.run("serve")
        assert code == 2
        assert "console.port" in told.splitlines()[-1]
        assert "Fix: " in told
