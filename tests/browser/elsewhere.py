"""``llcphone serve`` with a journal, in front of a simulated model: ``python -m tests.browser.elsewhere``.

It prints where the server is. Each line of its input kills it, and the next one is started in its place.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import trio

from llcphone.testing import ACCOUNT_SID, open_stage
from tests.calls.test_kill_nine import served, speak

SECTIONS: dict[str, dict[str, Any]] = {
    "realtime": {"dialect": "ga"},
    "twilio": {"account_sid": ACCOUNT_SID},
    "records": {"path": "calls.jsonl"},
}


async def serve_again_and_again() -> None:
    async with open_stage(speak) as stage:
        stage.write_settings(Path.cwd(), SECTIONS)
        place = {"url": "", "origin": f"http://127.0.0.1:{stage.port}", "port": stage.port}
        while True:
            async with served(Path.cwd()) as process:
                print(json.dumps(place), flush=True)
                await trio.lowlevel.wait_readable(0)
                os.read(0, 100)
                process.kill()
                await process.wait()


async def main() -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_again_and_again)
            async for _ in signals:
                break
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
