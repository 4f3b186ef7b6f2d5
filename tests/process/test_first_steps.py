"""What a new user does first: the real commands in processes of their own, both vendors simulated."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from llcphone import Agent
from llcphone.cli.entry import run
from llcphone.config import Config
from llcphone.modes.agent_file import load_agent
from llcphone.sim import voices
from llcphone.sim.model import CallTool
from llcphone.sim.ports import free_port
from llcphone.sim.twilio import Callee
from llcphone.sim.twilio.rest_faults import RestError
from llcphone.testing import rehearse
from tests.process.deployment import Deployment, deploy

TO = "+1 202 555 0188"
API = {"key": "key-of-the-api-0123456789"}
OUTBOUND = {"allow_countries": ["US"], "per_number_min_gap_s": 0}
SECRETS = {"OPENAI_API_KEY": "sk-steps-0123456789", "TWILIO_AUTH_TOKEN": "34" * 16}
OWN = ("--account-sid", "AC" + "12" * 16, "--number", "+1 202 555 0123")
"""An account and a number that no simulator knows by itself."""


def party(to: str) -> Callee:
    """Answers, speaks first, hears the agent out and hangs up."""
    return Callee(ring_s=0.2, says=voices.load("yes_please"), hangs_up_after_s=5)


async def findings(
    deployed: Deployment, *words: str, environ: dict[str, str] | None = None
) -> dict[str, str]:
    """What the doctor finds: each finding's status by its name."""
    code, told = await deployed.run("doctor", *words, "--json", environ=environ)
    report = json.loads(told[told.index("{") :])
    assert report["ok"] is (code == 0), told
    return {each["check"]: each["status"] for each in report["findings"]}


# -- the first agent ------------------------------------------------------------------------------


async def test_a_new_agent_passes_the_doctor(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        told = await deployed.succeeds("new", "agent.py")
        assert "llcphone phone --agent agent.py" in told
        found = await findings(deployed, "--agent", "agent.py", "--only", "settings", "session")
        assert found.pop("snapshot") == "warn"
        assert found["agent"] == "pass"
        assert set(found.values()) == {"pass"}, found


async def test_a_new_agent_holds_a_call_and_uses_its_tool(tmp_path, monkeypatch, autojump_clock) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new", "agent.py"]) == 0
    agent = load_agent(Path("agent.py"), Config())
    assert isinstance(agent, Agent)
    asks = CallTool("opening_hours", {"day": " Sunday"})
    async with rehearse(agent, script=["Good morning!", asks, "From eight to eleven."]) as stage:
        call = await stage.ring()
        await call.hears(0.3)
        await call.silence_for(500)
        await call.speak(voices.load("hello_opening_hours"))
        await call.hears(0.3)
        await call.silence_for(500)
        call.hang_up()
        record = await stage.record()
        told = [event["item"] for event in stage.model.sessions[-1].events("conversation.item.create")]
    assert record.agent == "bakery"
    assert record.turns[1]["tools"] == ["opening_hours"]
    assert [item["output"] for item in told if item["type"] == "function_call_output"] == ["from 8 to 11"]


# -- the first settings ---------------------------------------------------------------------------


@pytest.mark.slow
async def test_init_by_options_gives_a_folder_that_serves(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        for name in ("llcphone.toml", ".env"):
            (tmp_path / name).unlink()
        options = {"company": "Miller's", "language": "de", "voice": "marin", "mode": "receptionist"}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        words += [*OWN, "--public-url", "https://phone.example.com"]
        told = await deployed.succeeds("init", *words, environ=SECRETS)
        assert "sk-steps" not in told
        found = await findings(deployed, "--only", "settings")
        assert found.pop("snapshot") == "warn"
        assert found["configuration"] == found["ready to serve"] == "pass"
        assert set(found.values()) == {"pass"}, found
        told = await deployed.succeeds("config", "--changed")
        assert "TWILIO_PHONE_NUMBER=+12025550123\n" in (tmp_path / ".env").read_text()
        for value in ("de", "marin", "Miller's", "https://phone.example.com"):
            assert value in told
        told = await deployed.succeeds("init", *words, environ=SECRETS)
        assert "stays as it is" in told


# -- the first call out ---------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_call_rings_through_the_running_server(tmp_path) -> None:
    async with deploy(tmp_path, ["You are welcome."]) as deployed:
        deployed.twilio.callee = party
        deployed.configure(outbound=OUTBOUND, api=API)
        await deployed.serve()
        for key, why in {
            "": "is not set, but the server",
            "a-key-of-another-server": "is not the running server's",
        }.items():
            code, told = await deployed.run("call", "--yes", TO, environ={"LLCPHONE_API__KEY": key})
            assert code == 2
            assert f"llcphone: api.key: {why}" in told
        assert deployed.twilio.calls == []
        unknown = RestError(400, 21211, "Invalid 'To' Phone Number")
        deployed.twilio.rest.faults.plant(on="create", refuse=unknown)
        code, told = await deployed.run("call", "--yes", TO)
        assert (code, "Twilio refused to dial [21211]" in told) == (1, True), told

        told = await deployed.succeeds("call", "--yes", TO, "--context", "They asked for a table.", "--json")
        steps = ("places it: call", "warming", "talking", "ended: caller hung up")
        places = [told.index(word) for word in steps]
        assert places == sorted(places)
        (call,) = deployed.twilio.calls
        outcome = json.loads(told[told.index("{") :])
        assert (outcome["ok"], outcome["reason"]) == (True, "caller hung up")
        assert outcome["call_sid"] == call.sid
        assert call.fields["To"] == "+12025550188"
        assert call.playout.voiced(call.log.now) > 0
        updates = [session.events("session.update") for session in deployed.model.sessions]
        assert "They asked for a table." in str(updates)


@pytest.mark.slow
async def test_ctrl_c_hangs_up_the_call_that_the_server_placed(tmp_path) -> None:
    async with deploy(tmp_path, ["You are welcome."]) as deployed:
        deployed.twilio.callee = lambda to: Callee(ring_s=0.2, says=voices.load("yes_please"))
        deployed.configure(outbound=OUTBOUND, api=API)
        server = await deployed.serve()
        with (tmp_path / "call.txt").open("wb") as out:
            command = await deployed.command("call", "--yes", TO, out=out, environ={})
            call = await deployed.twilio.outbound()
            await call.hears(0.3)
            command.send_signal(signal.SIGINT)
            await command.wait()
        said = (tmp_path / "call.txt").read_text()
        assert "hanging up" in said
        assert "ended" in said.partition("hanging up")[2], "the server hung up"
        await call.ended()
        assert server.poll() is None


@pytest.mark.slow
async def test_the_simulated_twilio_is_of_the_users_own_account(tmp_path) -> None:
    async with deploy(tmp_path, ["You are welcome."]) as deployed:
        for name in ("llcphone.toml", ".env"):
            (tmp_path / name).unlink()
        environ = SECRETS | {"LLCPHONE_REALTIME__URL": deployed.model.url, "PORT": str(deployed.port)}
        told = await deployed.succeeds("init", *OWN, "--public-url", deployed.url, environ=environ)
        words = ["--port", str(free_port()), "--say", "yes_please", "--ring-s", "0.2"]
        log = tmp_path / "twilio.txt"
        with log.open("wb") as out:
            simulator = await deployed.command(
                "sim", "twilio", *words, "--hangs-up-after-s", "5", out=out, environ=environ
            )
            await deployed.until(lambda: "LLCPHONE_TWILIO__API_URL=" in log.read_text())
            variable, _, url = log.read_text().split()[-1].partition("=")
            told = await deployed.succeeds("call", "--yes", TO, environ=environ | {variable: url})
            assert "agent: You are welcome." in told
            simulator.send_signal(signal.SIGINT)
            assert await simulator.wait() == 130
        assert "over: caller hung up" in log.read_text()
