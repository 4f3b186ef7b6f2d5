"""llcphone tunnel: only a URL that leads here is set; what a program complains of is told."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
import trio

from llcphone.cli import tunnel
from llcphone.cli.tunnel import TunnelOptions, chosen, run_tunnel
from llcphone.cli.tunnel_programs import PROGRAMS, Output, Program
from llcphone.errors import ConfigError
from llcphone.settings import load
from tests.doctor.stage import open_doctor, somebody_else
from tests.patience import HANG_S
from tests.process.deployment import deploy

if TYPE_CHECKING:
    from pathlib import Path

CLOUDFLARED, NGROK = PROGRAMS
API = 'failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": dial tcp: no such host'
LIMITED = 'ERR Error unmarshaling QuickTunnel response: error code: 1015 status_code="429 Too Many Requests"'
BOX = "2026-11-30T10:00:00Z INF |  {}                                     |"
GOOD = "https://four-words-in-a.trycloudflare.com"
STARTED = 't=1 lvl=info msg="started tunnel" obj=tunnels name=command_line addr=http://localhost:8081 url={}'


class Chunks(trio.abc.ReceiveStream):
    """What a program writes, in these pieces."""

    def __init__(self, *pieces: str) -> None:
        self._pieces = [each.encode() for each in pieces]

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return self._pieces.pop(0) if self._pieces else b""

    async def aclose(self) -> None: ...


async def output_of(program: Program, *pieces: str) -> Output:
    output = Output(program)
    await output.read(Chunks(*pieces))
    return output


# -- what a program says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "text", "url"),
    [
        (CLOUDFLARED, f"INF Requesting new quick Tunnel\n{BOX.format(GOOD)}\n", GOOD),
        (CLOUDFLARED, f"{API}\n", ""),
        (CLOUDFLARED, f"2026-11-30T10:00:00Z ERR {API}\n{BOX.format(GOOD)}\r\n", GOOD),
        (CLOUDFLARED, f"{LIMITED}\n", ""),
        (CLOUDFLARED, BOX.format("https://api.trycloudflare.com"), ""),
        (CLOUDFLARED, f"ERR the tunnel {GOOD} could not be registered\n", ""),
        (NGROK, STARTED.format("https://ab12.ngrok-free.app") + "\n", "https://ab12.ngrok-free.app"),
        (NGROK, "t=1 lvl=info msg=update url=https://update.equinox.io/check\n", ""),
        (NGROK, 't=1 lvl=eror msg="failed to start tunnel" err="see url=https://ngrok.com/docs"\n', ""),
        (
            NGROK,
            "lvl=info msg=x url=https://a.example\n" + STARTED.format("https://b.ngrok.app"),
            "https://b.ngrok.app",
        ),
    ],
)
async def test_only_the_line_that_carries_the_url_is_believed(program, text, url) -> None:
    assert (await output_of(program, text)).url == url
    assert (await output_of(program, *text)).url == url, "also when it comes letter by letter"


async def test_a_program_that_says_nothing_of_its_url_has_its_reason_told() -> None:
    assert API in (await output_of(CLOUDFLARED, "INF begun\n", API + "\n", "INF bye\n")).reason()
    assert (await output_of(CLOUDFLARED, "one\n\ntwo\n")).reason() == "two"
    assert (await output_of(CLOUDFLARED)).reason() == "it said nothing"
    token = "2abcDEFghiJKLmno_3pqrSTUvwx"
    reason = (await output_of(NGROK, f"ERROR:  Your authtoken: {token}\n")).reason()
    assert (token in reason, "authtoken" in reason) == (False, True)


def test_each_program_is_started_for_our_port() -> None:
    assert "8081" in NGROK.command(8081)
    assert "http://127.0.0.1:8081" in CLOUDFLARED.command(8081)


def test_no_tunnel_program_is_a_setting_to_change(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="cloudflared or ngrok is not installed"):
        chosen()


# -- the command --------------------------------------------------------------------------------


def program_in(folder: Path, script: str) -> dict[str, str]:
    """A stand-in for cloudflared; the environment that finds it."""
    program = folder / "bin" / "cloudflared"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "told"), [(API, "failed to request quick Tunnel"), (LIMITED, "429 Too Many Requests")]
)
async def test_a_program_that_fails_changes_nothing_and_says_why(tmp_path, line, told) -> None:
    async with deploy(tmp_path) as deployed:
        before, voice_url = (tmp_path / ".env").read_bytes(), deployed.twilio.rest.voice_url
        environ = program_in(tmp_path, f"echo '{line}'\nexit 1")
        code, said = await deployed.run("tunnel", "--yes", environ=environ)
        assert code == 1
        assert told in said
        assert "nothing was changed" in said
        assert (tmp_path / ".env").read_bytes() == before
        assert deployed.twilio.rest.voice_url == voice_url


class Told(list[str]):
    """The lines of the command; one can be waited for."""

    async def holds(self, words: str) -> None:
        with trio.fail_after(HANG_S):
            while words not in "\n".join(self):  # noqa: ASYNC110
                await trio.sleep(0.02)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A tunnel program whose URL may be on this machine."""
    program = Program(
        "cloudflared",
        CLOUDFLARED.arguments,
        re.compile(r".*\| +(?P<url>http://\S+) +\|\s*"),
        CLOUDFLARED.ready,
    )
    monkeypatch.setattr(tunnel, "PROGRAMS", (program,))
    monkeypatch.chdir(tmp_path)

    def prepare(url: str, after: str = "exec sleep 60") -> None:
        lines = f"echo '{BOX.format(url)}'\necho 'INF Registered tunnel connection'\n{after}"
        monkeypatch.setenv("PATH", program_in(tmp_path, lines)["PATH"])

    return prepare


def wish(stage, told: list[str]) -> TunnelOptions:
    return TunnelOptions(
        path=stage.path,
        program="",
        ask=lambda question: not question.startswith("Restart"),
        tell=told.append,
    )


async def test_a_tunnel_that_leads_here_is_set_everywhere(tmp_path, stand_in) -> None:
    async with open_doctor(tmp_path) as stage, trio.open_nursery() as nursery:
        url, told = stage.sections["server"]["public_url"], Told()
        stage.set("server.public_url", None)
        stand_in(url)
        stage.twilio.rest.voice_url = "https://old.example/twiml"
        codes: list[int] = []

        async def run() -> None:
            codes.append(await run_tunnel(wish(stage, told)))

        nursery.start_soon(run)
        await told.holds("the tunnel is open")
        assert load(stage.path, environ={}).config.server.public_url == url
        assert stage.twilio.rest.voice_url == f"{url}/twiml"
        os.kill(os.getpid(), signal.SIGINT)
        await told.holds("the tunnel is closed: callers cannot reach the server until it is open again")
    assert codes == [0]


async def test_a_tunnel_without_a_server_yet_is_set_too(tmp_path, stand_in) -> None:
    from tests.carrier.carrier_desk import answer

    async with (
        open_doctor(tmp_path, serving=False) as stage,
        somebody_else(lambda asked: answer(502, b"Bad gateway")) as url,
    ):
        stage.set("server.public_url", None)
        end = tmp_path / "end"
        stand_in(url, after=f"until [ -e {end} ]; do sleep 0.1; done; echo 'ERR lost the edge'; exit 1")
        told = Told()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_tunnel, wish(stage, told))
            await told.holds("the tunnel is open")
            end.touch()
        assert load(stage.path, environ={}).config.server.public_url == url
        assert "no server runs yet" in "\n".join(told)
        assert "cloudflared has ended: ERR lost the edge" in told[-1]


@pytest.mark.parametrize("ends", [True, False])
async def test_a_tunnel_that_leads_elsewhere_changes_nothing(tmp_path, stand_in, monkeypatch, ends) -> None:
    from tests.carrier.carrier_desk import answer

    monkeypatch.setattr(tunnel, "REACH_S", 60.0 if ends else 0.5)
    async with (
        open_doctor(tmp_path) as stage,
        somebody_else(lambda asked: answer(502, b"Bad gateway")) as url,
    ):
        before, voice_url = (tmp_path / ".env").read_bytes(), stage.twilio.rest.voice_url
        stand_in(url, after="sleep 0.5; echo 'ERR no route'; exit 1" if ends else "exec sleep 60")
        told = Told()
        assert await run_tunnel(wish(stage, told)) == 1
        assert ("has ended: ERR no route" if ends else "does not lead here") in told[-1]
        assert (tmp_path / ".env").read_bytes() == before
        assert stage.twilio.rest.voice_url == voice_url
