"""A deployment in a folder: settings, both vendors simulated, the real commands in processes of their own.

Every process that a test starts, or lets a command start, is ended when its deployment is left: by the pid
file that it wrote in that folder, and by nothing else.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

import attrs
import psutil
import trio

from llcphone.process.pidfile import PidFile, read_pid_file, running
from llcphone.testing import ACCOUNT_SID, AUTH_TOKEN, NUMBER, Stage, open_stage, write_toml
from tests.patience import HANG_S, START_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from llcphone.sim.twilio import DialOutcome

KEY = "sk-deployed-0123456789"


@attrs.define(eq=False, kw_only=True)
class Deployment(Stage):
    folder: Path
    known: list[PidFile] = attrs.field(factory=list)
    extra: list[trio.Process] = attrs.field(factory=list)

    def configure(self, **sections: dict[str, Any]) -> None:
        """Write llcphone.toml and .env; ``sections`` go over the usual ones."""
        usual: dict[str, dict[str, Any]] = {
            "realtime": {"url": self.model.url, "dialect": "ga"},
            "server": {"public_url": self.url, "port": self.port},
            "drain": {"limit_s": 2},
            "twilio": {"account_sid": ACCOUNT_SID, "api_url": self.twilio.api_url},
            "process": {"start_timeout_s": START_S, "term_timeout_s": 1},
        }
        both = {name: usual.get(name, {}) | sections.get(name, {}) for name in {**usual, **sections}}
        write_toml(self.folder / "llcphone.toml", both)
        env = f"OPENAI_API_KEY={KEY}\nTWILIO_AUTH_TOKEN={AUTH_TOKEN}\nTWILIO_PHONE_NUMBER={NUMBER}\n"
        (self.folder / ".env").write_text(env)
        (self.folder / ".env").chmod(0o600)

    async def run(self, *words: str, environ: dict[str, str] | None = None) -> tuple[int, str]:
        """One llcphone command; its exit code, and what it told."""
        done = await trio.run_process(
            [sys.executable, "-m", "llcphone", *words],
            cwd=self.folder,
            env={**os.environ, "COLUMNS": "200", **(environ or {})},
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.note()
        return done.returncode, done.stdout.decode()

    async def succeeds(self, *words: str, environ: dict[str, str] | None = None) -> str:
        """What a command told that ended well."""
        code, told = await self.run(*words, environ=environ)
        assert code == 0, told
        return told

    def note(self) -> PidFile | None:
        """Remember who serves, to end it when the deployment is left."""
        pid_file = read_pid_file(str(self.folder / "llcphone.pid"))
        if pid_file is not None and pid_file.alive and pid_file not in self.known:
            self.known.append(pid_file)
        return pid_file

    async def spawn(self, *argv: str, environ: dict[str, str] | None = None) -> trio.Process:
        """A process of the test's own."""
        return await self._open(argv, environ, stdout=subprocess.PIPE)

    async def command(self, *words: str, out: IO[bytes], environ: dict[str, str]) -> trio.Process:
        """A llcphone command that goes on, until the test ends it."""
        return await self._open([sys.executable, "-u", "-m", "llcphone", *words], environ, stdout=out)

    async def _open(self, argv: Sequence[str], environ: dict[str, str] | None, **pipes: Any) -> trio.Process:
        env = {**os.environ, **(environ or {})}
        process = await trio.lowlevel.open_process(list(argv), cwd=self.folder, env=env, **pipes)
        self.extra.append(process)
        return process

    async def serve(self, *words: str, environ: dict[str, str] | None = None) -> trio.Process:
        """``llcphone serve``, once it serves."""
        command = [sys.executable, "-m", "llcphone", "serve", *words]
        with (self.folder / "llcphone.log").open("ab") as out:
            process = await self._open(command, environ, stderr=out)
        await self.until(lambda: self.serving(process.pid) or process.poll() is not None)
        assert process.returncode is None, (self.folder / "llcphone.log").read_text()
        return process

    def serving(self, pid: int | None = None) -> bool:
        pid_file = self.note()
        return pid_file is not None and pid_file.alive and pid in (None, pid_file.pid)

    async def until(self, holds: Any, within_s: float = HANG_S) -> None:
        with trio.fail_after(within_s):
            while not holds():  # noqa: ASYNC110
                await trio.sleep(0.05)

    async def leave(self) -> None:
        """End what this deployment started, and nothing else."""
        self.note()
        for process in self.extra:
            if process.returncode is None:
                process.kill()
            await process.wait()
            if process.stdout is not None:
                await process.stdout.aclose()
        for pid_file in self.known:
            if running(pid_file.pid, pid_file.created):
                with suppress(psutil.NoSuchProcess):
                    os.kill(pid_file.pid, signal.SIGKILL)


@asynccontextmanager
async def deploy(
    folder: Path,
    script: Any = "Good morning.",
    *,
    dial: DialOutcome | None = None,
    within_s: float = HANG_S,
    **model: Any,
) -> AsyncIterator[Deployment]:
    """A configured deployment; nothing serves yet. ``dial``: what becomes of callers who are put through."""
    with trio.fail_after(within_s):
        async with open_stage(script, dial_outcome=dial, **model) as stage:
            deployed = Deployment(
                twilio=stage.twilio, model=stage.model, port=stage.port, can_dial=False, folder=folder
            )
            deployed.configure()
            try:
                yield deployed
            finally:
                with trio.CancelScope(shield=True):
                    await deployed.leave()
