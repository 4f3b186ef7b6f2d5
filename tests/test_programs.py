"""Programs that people copy, README's and the examples, as processes: a signal ends them well."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from llcphone.sim.model import Say
from llcphone.sim.twilio import Callee
from llcphone.testing import open_stage
from tests.patience import HANG_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llcphone.sim.twilio import SimCall

ROOT = Path(__file__).parent.parent
GREETING = Say("Good morning, this is the bakery.", 800)
GOODBYE = Say("We close now. Good-bye!", 700)
ANSWERING = sorted(
    path
    for path in (ROOT / "examples").glob("*.py")
    if not path.name.startswith("_") and path.stem != "test_my_agent"
)
"""Examples that answer calls; with ``--real`` by the settings of the folder they run in."""


def speak(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Say:
    """Greets; says good-bye when it was told that the line must close."""
    return GOODBYE if turn > 1 and past[-1].get("role") == "system" else GREETING


def readme_program(folder: Path) -> Path:
    """README's first program as somebody has copied it."""
    (program,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
    file = folder / "program.py"
    file.write_text(program, "utf-8")
    return file


@attrs.frozen
class Run:
    """A program with a caller on the line."""

    process: trio.Process
    call: SimCall
    folder: Path

    async def ended(self) -> None:
        """It ends by itself, and says nothing of an error."""
        assert self.process.stderr is not None
        said = b"".join([chunk async for chunk in self.process.stderr]).decode()
        assert await self.process.wait() == 0, said
        assert "Traceback" not in said

    def reasons(self) -> list[str]:
        """Why its calls ended, by the file of records."""
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        return [json.loads(line)["reason"] for line in lines]


@asynccontextmanager
async def running(program: Path, folder: Path, **drain: float) -> AsyncIterator[Run]:
    """The program beside both vendors, once a caller has heard it greet."""
    async with open_stage(speak, callee=Callee(hangs_up_after_s=30)) as stage:
        stage.write_settings(folder, {"drain": drain, "records": {"path": "calls.jsonl"}})
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LLCPHONE_")}
        process = await trio.lowlevel.open_process(
            [sys.executable, str(program), "--real"], cwd=folder, env=environ, stderr=subprocess.PIPE
        )
        try:
            with trio.fail_after(HANG_S):
                await answers(stage.port)
                call = await stage.twilio.ring()
                await call.hears(0.8)
                yield Run(process, call, folder)
        finally:
            if process.returncode is None:
                process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()


async def answers(port: int) -> None:
    """Wait until somebody listens on this port of ours."""
    while True:
        try:
            await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
        except OSError:
            await trio.sleep(0.05)
        else:
            return


@pytest.mark.slow
@pytest.mark.parametrize("path", [None, *ANSWERING], ids=lambda path: "readme" if path is None else path.stem)
async def test_a_program_drains_on_sigterm_says_good_bye_and_keeps_its_records(
    path: Path | None, tmp_path: Path
) -> None:
    program = path or readme_program(tmp_path)
    # The call ends after the agent's good-bye; with less time than that the stored apology would break in.
    async with running(program, tmp_path, limit_s=60.1, goodbye_s=60.0) as run:
        run.process.send_signal(signal.SIGTERM)
        await run.call.heard_audio(800 + 700)
        await run.ended()
        assert "drained" in run.reasons()


@pytest.mark.slow
@pytest.mark.parametrize("example", ["", "from_asyncio", "asyncio_tool"], ids=lambda name: name or "readme")
async def test_ctrl_c_lets_the_call_end_by_itself(example: str, tmp_path: Path) -> None:
    program = ROOT / "examples" / f"{example}.py" if example else readme_program(tmp_path)
    async with running(program, tmp_path) as run:
        run.process.send_signal(signal.SIGINT)
        await trio.sleep(0.3)  # the call goes on meanwhile, whether it is long or short
        assert run.process.returncode is None
        run.call.hang_up()
        await run.ended()
        assert run.reasons() == ["caller hung up"]


@pytest.mark.slow
async def test_a_second_signal_ends_all_calls_at_once_and_keeps_their_records(tmp_path: Path) -> None:
    async with running(readme_program(tmp_path), tmp_path) as run:
        run.process.send_signal(signal.SIGTERM)
        await trio.sleep(0.3)
        run.process.send_signal(signal.SIGTERM)
        await run.ended()
        assert len(run.reasons()) == 1


CANCELS = """
import asyncio, sys
import trio
from llcphone import run_in_asyncio

async def calls():
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.2)
        print("trio has ended")

async def main():
    task = asyncio.create_task(run_in_asyncio(calls))
    await asyncio.sleep(float(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        task.cancel()
        await asyncio.sleep(0.05)
    try:
        await task
    except asyncio.CancelledError:
        print("asyncio goes on")

asyncio.run(main())
"""


@pytest.mark.parametrize("after_s", [0.0, 0.1])
@pytest.mark.parametrize("times", [1, 3])
def test_cancelling_the_asyncio_task_ends_trios_part_first(after_s: float, times: int) -> None:
    words = [sys.executable, "-c", CANCELS, str(after_s), str(times)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=HANG_S, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("trio has ended\nasyncio goes on\n", "", 0)
