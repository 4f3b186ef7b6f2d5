"""A deployment for the doctor: a server in this process, both vendors simulated, and settings in a folder."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.doctor.checks import GROUPS, run_checks
from llcphone.doctor.context import context_of
from llcphone.doctor.report import Finding, Status
from llcphone.modes.agent_file import agent_of
from llcphone.process.serve import serve_as_process
from llcphone.settings import load
from llcphone.testing import ACCOUNT_SID, AUTH_TOKEN, NUMBER, Stage, open_stage, write_toml
from tests.carrier.carrier_desk import Asked, Desk, answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

FAIL, WARN, PASS, UNKNOWN = Status.FAIL, Status.WARN, Status.PASS, Status.UNKNOWN
_BAD = {each: at for at, each in enumerate((PASS, WARN, UNKNOWN, FAIL))}
KEY = "sk-stage-0123456789abcdef"


@attrs.define(eq=False, kw_only=True)
class DoctorStage(Stage):
    """One deployment in which all is well, until a test changes something."""

    folder: Path
    nursery: trio.Nursery
    sections: dict[str, dict[str, Any]]
    env: dict[str, str]
    _server: trio.CancelScope | None = None
    _left: trio.Event = attrs.field(factory=trio.Event)

    @property
    def path(self) -> Path:
        return self.folder / "llcphone.toml"

    def set(self, key: str, value: Any) -> None:
        """Write one setting; None takes it out."""
        section, _, name = key.partition(".")
        self.sections.setdefault(section, {})[name] = value
        if value is None:
            del self.sections[section][name]
        self.write()

    def agent(self, text: str) -> None:
        (self.folder / "agent.py").write_text(text)
        self.set("agent.file", str(self.folder / "agent.py"))

    def secret(self, variable: str, value: str) -> None:
        self.env[variable] = value
        self.write()

    def write(self) -> None:
        write_toml(self.path, self.sections)
        env = self.folder / ".env"
        env.write_text("".join(f"{name}={value}\n" for name, value in self.env.items()))
        env.chmod(0o600)

    async def serve(self) -> None:
        """A server with the settings as they are now, in place of the former."""
        await self.stop()
        config = load(self.path, environ={}).config
        started = trio.Event()
        self._left = trio.Event()

        async def run() -> None:
            with trio.CancelScope() as self._server:
                started.set()
                await serve_as_process(config, agent_of(config))
            self._left.set()

        self.nursery.start_soon(run)
        await started.wait()
        while not Path(config.process.pid_file).exists():  # noqa: ASYNC110, ASYNC240
            await trio.sleep(0.05)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.cancel()
            await self._left.wait()
            self._server = None

    async def run_checks(self, *groups: str, **changes: Any) -> dict[str, Finding]:
        """What the doctor finds, the worst of each check."""
        context = attrs.evolve(context_of(self.path), **changes)
        found: dict[str, Finding] = {}
        for each in await run_checks(context, groups or tuple(GROUPS)):
            if each.check not in found or _BAD[found[each.check].status] < _BAD[each.status]:
                found[each.check] = each
        return found

    async def finds(
        self, groups: str, check: str, status: Status, *words: str, **changes: Any
    ) -> dict[str, Finding]:
        """What these groups find; the finding of this check has this status and says these words."""
        found = await self.run_checks(*groups.split(), **changes)
        names(found[check], status, *words)
        return found

    async def well(self, *groups: str) -> None:
        found = await self.run_checks(*groups)
        assert [each for each in found.values() if each.status is Status.FAIL] == []


def names(finding: Finding, status: Status, *words: str) -> None:
    """The finding has this status, says these words, and has a fix unless it passes."""
    assert finding.status is status, finding
    assert finding.fix or status is Status.PASS, finding
    for word in words:
        assert word in f"{finding.evidence} | {finding.fix}", finding


@asynccontextmanager
async def open_doctor(folder: Path, *, serving: bool = True, **model: Any) -> AsyncIterator[DoctorStage]:
    """A deployment in which all is well; the folder is the working directory of the test."""
    async with open_stage("Good morning.", **model) as plain, trio.open_nursery() as nursery:
        sections: dict[str, dict[str, Any]] = {
            "realtime": {"url": plain.model.url},
            "server": {"public_url": plain.url, "port": plain.port},
            "drain": {"limit_s": 0},
            "twilio": {"account_sid": ACCOUNT_SID, "api_url": plain.twilio.api_url},
            "process": {"pid_file": str(folder / "llcphone.pid")},
        }
        env = {"OPENAI_API_KEY": KEY, "TWILIO_AUTH_TOKEN": AUTH_TOKEN, "TWILIO_PHONE_NUMBER": NUMBER}
        stage = DoctorStage(
            twilio=plain.twilio,
            model=plain.model,
            port=plain.port,
            can_dial=False,
            folder=folder,
            nursery=nursery,
            sections=sections,
            env=env,
        )
        stage.write()
        if serving:
            await stage.serve()
        try:
            yield stage
        finally:
            with trio.CancelScope(shield=True):
                await stage.stop()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def somebody_else(reply: Callable[[Asked], bytes | str]) -> AsyncIterator[str]:
    """A server that is not ours, by its URL."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        desk = Desk(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}", [reply])
        nursery.start_soon(trio.serve_listeners, desk.serve, listeners)
        yield desk.url
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def a_proxy(to_port: int, change: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """A proxy that changes the first bytes of each request; its URL."""

    async def carry(client: trio.SocketStream) -> None:
        try:
            async with client, await trio.open_tcp_stream("127.0.0.1", to_port) as server:
                await server.send_all(change(await client.receive_some()))
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_pump, client, server)
                    await _pump(server, client)
                    nursery.cancel_scope.cancel()
        except* (OSError, trio.BrokenResourceError):
            pass

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, carry, listeners)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def _pump(source: trio.SocketStream, sink: trio.SocketStream) -> None:
    async for data in source:
        await sink.send_all(data)


def echo_of_another(asked: Asked) -> bytes:
    """What another llcphone would answer."""
    return answer(200, {"alive": True, "process": "0123456789abcdef", "nonce": asked.query.get("nonce")})
