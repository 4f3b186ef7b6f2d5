"""The server's process is killed in the middle of a page's call, and the next one goes on with it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone.console.line import Lines
from llcphone.testing import ACCOUNT_SID, open_stage
from tests.calls.test_kill_nine import served, speak
from tests.console.page import line_port, open_page
from tests.patience import HANG_S

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
async def test_the_pages_call_goes_on_after_a_kill_nine(tmp_path: Path) -> None:
    sections: dict[str, dict[str, Any]] = {
        "realtime": {"dialect": "ga"},
        "twilio": {"account_sid": ACCOUNT_SID},
        "records": {"path": "calls.jsonl"},
    }
    lines = Lines(model="of another server")
    with trio.fail_after(HANG_S):
        async with open_stage(speak) as stage, line_port(lines) as port:
            lines.twilio = stage.twilio
            stage.write_settings(tmp_path, sections)
            async with open_page(port) as page:
                async with served(tmp_path) as process:
                    page.send("call")
                    await page.hears(0.5)
                    await page.quiet(0.4)
                    page.send("line", name="yes_please")
                    await page.hears(1.5)
                    process.send_signal(signal.SIGKILL)
                    await process.wait()
                await page.until("stream", state="ended")
                async with served(tmp_path):
                    await page.until("stream", 2, state="started")
                    await page.hears(1.4)
                    page.send("hangup")
                    await page.until("state", state="over")
