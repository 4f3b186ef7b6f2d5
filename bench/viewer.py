"""A page that watches the console of a bridge: ``python -m bench.viewer PORT KEY``, until it is killed."""

from __future__ import annotations

import http.client
import json
import sys
import time

import trio

from llcphone.console.access import make_code
from llcphone.errors import LegClosed
from llcphone.wire import websocket

OPENS_WITHIN_S = 20.0


def post(port: int, path: str, body: object, token: str = "") -> dict[str, str]:
    """A request of the page."""
    headers = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status}")
    return dict(json.loads(text))


def ticket(port: int, key: str) -> str:
    """Sign in, as soon as the console is there."""
    until = time.monotonic() + OPENS_WITHIN_S
    while True:
        try:
            token = post(port, "/api/in", {"code": make_code(key, time.time())})["token"]
            return post(port, "/api/ticket", {"for": "live"}, token)["ticket"]
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


async def view(port: int, key: str) -> None:
    """Take what comes, and watch one call until it ends, as the page of a call does; then the next one."""
    url, origin = f"ws://127.0.0.1:{port}/live/{ticket(port, key)}", f"http://127.0.0.1:{port}"
    watched = ""
    leg = await websocket.connect(url, headers=[("Origin", origin)], timeout_s=5)
    async with trio.open_nursery() as nursery:
        leg.attach(nursery.start_soon, lambda lost: None)
        try:
            while True:
                for message in await leg.receive():
                    said = json.loads(message)
                    if said["event"] != "rows":
                        continue
                    watched = "" if watched in said["gone"] else watched
                    if said["set"] and not watched:
                        watched = said["set"][-1]["id"]
                        asked = {"event": "watch", "call": watched, "words": True}
                        leg.send_nowait(json.dumps(asked).encode())
        except LegClosed:
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(view, int(sys.argv[1]), sys.argv[2])
