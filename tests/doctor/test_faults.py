"""Injected faults: each is named rightly, with a fix, and the fix works."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

import pytest
import trio

from llcphone.cli.number import number_now
from llcphone.doctor.checks import context_of
from llcphone.doctor.fix import offer_fixes
from llcphone.doctor.report import Status
from llcphone.server.port_owners import port_owners
from llcphone.sim.model import Faults
from llcphone.sim.ports import free_port
from llcphone.testing import AUTH_TOKEN
from tests.carrier.carrier_desk import answer
from tests.doctor.stage import KEY, a_proxy, echo_of_another, open_doctor, somebody_else

FAIL, WARN, PASS, UNKNOWN = Status.FAIL, Status.WARN, Status.PASS, Status.UNKNOWN


@pytest.fixture(autouse=True)
def _in_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID", "PUBLIC_URL", "PORT"):
        monkeypatch.delenv(name, raising=False)


def names(finding, status, *words: str) -> None:
    """The finding has this status, says these words, and has a fix unless it passes."""
    assert finding.status is status, finding
    assert finding.fix or status is PASS, finding
    for word in words:
        assert word in f"{finding.evidence} | {finding.fix}", finding


async def test_a_deployment_that_is_well_has_no_failure(autojump_clock, tmp_path):
    async with open_doctor(tmp_path) as stage:
        found = await stage.run_checks()
        assert [each for each in found.values() if each.status is FAIL] == []
        for check in (
            "process",
            "port",
            "answers",
            "public URL",
            "stream upgrade",
            "voice webhook",
            "session",
        ):
            assert found[check].status is PASS, found[check]
        names(found["dialect"], PASS, "ga (asked: auto)")
        names(found["clock"], PASS, "agrees")


# -- Twilio -------------------------------------------------------------------------------------


async def test_a_number_that_asks_somebody_else(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.twilio.rest.voice_url = "https://old-tunnel.example/twiml"
        found = await stage.run_checks("twilio")
        names(found["voice webhook"], FAIL, "asks https://old-tunnel.example/twiml", "set-webhook")
        asked: list[str] = []
        done = await offer_fixes(
            context_of(stage.path), found.values(), ask=lambda q: not asked.append(q), tell=asked.append
        )
        assert done == 1
        assert "Set the number's voice webhook" in asked[0]
        assert stage.twilio.rest.voice_url == f"http://127.0.0.1:{stage.port}/twiml"
        await stage.well("twilio")


@pytest.mark.parametrize(
    "written", ["HTTP://127.0.0.1:{}/twiml", "http://127.0.0.1.:{}/twiml#rc=2", "http://127.0.0.1:{}/twiml/"]
)
async def test_a_webhook_that_is_ours_in_another_spelling(autojump_clock, tmp_path, written):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.twilio.rest.voice_url = written.format(stage.port)
        assert (await stage.run_checks("twilio"))["voice webhook"].status is PASS
        assert (await number_now(context_of(stage.path).config))["comes_to_us"]


async def test_a_fallback_that_leads_to_us_in_another_spelling(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.twilio.rest.number_fields["voice_fallback_url"] = f"HTTP://127.0.0.1:{stage.port}/twiml"
        names((await stage.run_checks("twilio"))["fallback"], WARN, "it leads to us", "elsewhere")


async def test_a_question_answered_no_changes_nothing(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.twilio.rest.voice_url = "https://old-tunnel.example/twiml"
        found = await stage.run_checks("twilio")
        assert await offer_fixes(context_of(stage.path), found.values(), ask=lambda q: False, tell=print) == 0
        assert stage.twilio.rest.voice_url == "https://old-tunnel.example/twiml"


async def test_a_webhook_that_asks_by_get(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.twilio.rest.number_fields["voice_method"] = "GET"
        found = await stage.run_checks("twilio")
        names(found["voice webhook"], FAIL, "asks by GET", "POST only")
        await offer_fixes(context_of(stage.path), found.values(), ask=lambda q: True, tell=print)
        await stage.well("twilio")


async def test_an_application_on_the_number_takes_precedence(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        rest, sid = stage.twilio.rest, "AP" + "1" * 32
        rest.number_fields["voice_application_sid"] = sid
        rest.applications[sid] = {"voice_url": "https://studio.example/flow", "voice_method": "POST"}
        found = await stage.run_checks("twilio")
        names(found["voice webhook"], FAIL, "the TwiML application", "take the application off the number")
        assert not found["voice webhook"].offer, "the number's own voice URL would change nothing"
        rest.applications[sid]["voice_url"] = rest.voice_url
        await stage.well("twilio")


async def test_a_trunk_on_the_number_takes_its_calls(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.twilio.rest.number_fields["trunk_sid"] = "TK" + "1" * 32
        found = await stage.run_checks("twilio")
        names(found["voice webhook"], FAIL, "SIP trunk", "take the number out of the trunk")
        del stage.twilio.rest.number_fields["trunk_sid"]
        await stage.well("twilio")


async def test_an_auth_token_that_twilio_refuses(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.secret("TWILIO_AUTH_TOKEN", "another-token-0123456789")
        found = await stage.run_checks("twilio")
        names(found["Twilio account"], FAIL, "refuses account or token [20003]", "primary token")
        stage.secret("TWILIO_AUTH_TOKEN", AUTH_TOKEN)
        await stage.well("twilio")


async def test_a_number_of_another_account(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.secret("TWILIO_PHONE_NUMBER", "+15550009999")
        found = await stage.run_checks("twilio")
        names(found["number"], FAIL, "has no number", "TWILIO_PHONE_NUMBER")
        assert "15550009999" not in str(found)


async def test_what_twilio_complained_of_lately(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.twilio.rest.alerts = ["11200", "11200", "31921"]
        found = await stage.run_checks("twilio")
        names(found["alerts"], WARN, "11200 (2x)", "is the tunnel open, the process up?")
        stage.twilio.rest.alerts = ["31921"]
        names((await stage.run_checks("twilio"))["alerts"], PASS)


# -- the process --------------------------------------------------------------------------------


async def test_a_process_that_has_died(autojump_clock, tmp_path):
    async with open_doctor(tmp_path) as stage:
        left = (tmp_path / "llcphone.pid").read_text()
        await stage.stop()
        # The pid file of a process that was killed names somebody who does not run.
        (tmp_path / "llcphone.pid").write_text(left.replace('"pid":', '"pid":9'))
        found = await stage.run_checks("process")
        names(found["process"], FAIL, "the server has died", "nobody listens", "llcphone start")
        assert not found.keys() & {"port", "answers"}, "one cause is one finding"
        (tmp_path / "llcphone.pid").unlink()
        await stage.serve()
        await stage.well("process")


async def test_two_listeners_on_the_port(tmp_path):
    program = (
        "import socket, sys, time; s = socket.create_server(('127.0.0.2', int(sys.argv[1]))); "
        "print('listens', flush=True); time.sleep(60)"
    )
    async with open_doctor(tmp_path) as stage:
        other = await trio.lowlevel.open_process([sys.executable, "-c", program, str(stage.port)], stdout=-1)
        try:
            await other.stdout.receive_some()
            found = await stage.run_checks("process")
            names(found["port"], FAIL, "has 2 owners", f"kill {other.pid}")
        finally:
            other.kill()
            await other.wait()
            await other.stdout.aclose()
        while len(port_owners(stage.port)) > 1:  # noqa: ASYNC110
            await trio.sleep(0.05)
        await stage.well("process")


async def test_a_server_that_hangs(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage, somebody_else(lambda asked: "silence") as url:
        stage.set("server.port", int(url.rpartition(":")[2]))
        found = await stage.run_checks("process")
        names(found["answers"], FAIL, "does not answer /healthz", "llcphone restart")


async def test_a_server_that_turns_calls_away(autojump_clock, tmp_path):
    async with open_doctor(tmp_path) as stage:
        stage.model.faults = Faults(refuse_status=503)
        await stage.serve()
        await trio.sleep(5)
        found = await stage.run_checks("process")
        names(found["takes calls"], FAIL, "model endpoint: http_503")
        stage.model.faults = Faults()
        await trio.sleep(60)
        await stage.well("process")


# -- the public URL -----------------------------------------------------------------------------


async def test_a_closed_tunnel(autojump_clock, tmp_path):
    async with open_doctor(tmp_path) as stage:
        url = stage.sections["server"]["public_url"]
        stage.set("server.public_url", f"http://127.0.0.1:{free_port()}")
        found = await stage.run_checks("public")
        names(found["public URL"], FAIL, "no connection: the tunnel or proxy is closed", "llcphone tunnel")
        stage.set("server.public_url", url)
        await stage.well("public")


async def test_a_tunnel_to_another_llcphone(autojump_clock, tmp_path):
    async with open_doctor(tmp_path) as stage, somebody_else(echo_of_another) as url:
        stage.set("server.public_url", url)
        found = await stage.run_checks("public")
        names(found["public URL"], FAIL, "another llcphone", "point the tunnel at this one")


async def test_a_proxy_that_does_not_reach_the_server(autojump_clock, tmp_path):
    async with open_doctor(tmp_path) as stage, somebody_else(lambda asked: answer(502, {})) as url:
        stage.set("server.public_url", url)
        found = await stage.run_checks("public")
        names(found["public URL"], FAIL, "answers 502", "proxy's port is server.port")


async def test_a_page_of_the_tunnels_own_before_ours(autojump_clock, tmp_path):
    page = answer(200, b"<html>Visit site?</html>")
    async with open_doctor(tmp_path) as stage, somebody_else(lambda asked: page) as url:
        stage.set("server.public_url", url)
        found = await stage.run_checks("public")
        names(found["public URL"], FAIL, "is not this llcphone", "server.port")


async def test_a_proxy_that_removes_the_upgrade(autojump_clock, tmp_path):
    def without(data: bytes) -> bytes:
        return data.replace(b"Upgrade: websocket\r\n", b"").replace(b"Connection: Upgrade\r\n", b"")

    async with open_doctor(tmp_path) as stage, a_proxy(stage.port, without) as url:
        stage.set("server.public_url", url)
        await stage.serve()
        found = await stage.run_checks("public")
        names(found["stream upgrade"], FAIL, "removes its Upgrade header", "pass Upgrade and Connection on")
    async with open_doctor(tmp_path) as stage, a_proxy(stage.port, bytes) as url:
        stage.set("server.public_url", url)
        await stage.serve()
        await stage.well("public")


async def test_a_server_that_still_has_the_former_token(autojump_clock, tmp_path):
    async with open_doctor(tmp_path) as stage:
        stage.secret("TWILIO_AUTH_TOKEN", "the-new-token-0123456789")
        found = await stage.run_checks("public")
        names(found["stream upgrade"], FAIL, "403", "llcphone restart")
        await stage.serve()
        await stage.well("public")


async def test_a_media_stream_that_quart_serves_is_tried_alike(autojump_clock, tmp_path):
    async with open_doctor(tmp_path) as stage:
        stage.set("wire.phone", "quart")
        await stage.serve()
        names((await stage.run_checks("public"))["stream upgrade"], PASS, "101 within")


# -- the session --------------------------------------------------------------------------------


async def test_a_key_that_is_refused(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False, key="sk-the-right-one-0123456789") as stage:
        found = await stage.run_checks("session")
        names(found["key"], FAIL, "the key is refused [invalid_api_key]", "OPENAI_API_KEY")
        stage.secret("OPENAI_API_KEY", "sk-the-right-one-0123456789")
        await stage.well("session")


@pytest.mark.parametrize("dialects", ["flat", "ga"])
async def test_a_session_that_is_refused_in_each_dialect(autojump_clock, tmp_path, dialects):
    faults = Faults(refuse_update="invalid_value")
    async with open_doctor(tmp_path, serving=False, dialects=dialects, faults=faults) as stage:
        found = await stage.run_checks("session")
        names(found["session"], FAIL, f"refused in the {dialects} dialect", "invalid_value", "snapshot")
        assert "receptionist" in found["session"].evidence, "it says with whose settings"
        stage.model.faults = Faults()
        found = await stage.run_checks("session")
        names(found["session"], PASS, "accepted: connected within")
        names(found["dialect"], PASS, dialects)


@pytest.mark.parametrize(("pinned", "spoken"), [("flat", "ga"), ("ga", "flat")])
async def test_a_dialect_that_the_endpoint_does_not_speak(autojump_clock, tmp_path, pinned, spoken):
    async with open_doctor(tmp_path, serving=False, dialects=spoken) as stage:
        stage.set("realtime.dialect", pinned)
        found = await stage.run_checks("session")
        names(found["dialect"], FAIL, f"does not speak {pinned}", 'realtime.dialect = "auto"')
        stage.set("realtime.dialect", "auto")
        await stage.well("session")


async def test_a_session_on_another_audio_format(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False, faults=Faults(wrong_format=True)) as stage:
        found = await stage.run_checks("session")
        names(found["session"], FAIL, "µ-law both ways")


async def test_a_model_that_the_endpoint_does_not_have(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.set("realtime.model", "gpt-nothing")
        found = await stage.run_checks("session")
        names(found["model"], FAIL, "no such model", "realtime.model")
        stage.set("realtime.model", None)
        await stage.well("session")


async def test_a_model_that_is_switched_off(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.set("realtime.model", "gpt-realtime")
        after = datetime(2027, 1, 21, tzinfo=UTC).timestamp()
        found = await stage.run_checks("session", now=lambda: after)
        names(found["model"], FAIL, "was switched off on 2027-01-20", "gpt-realtime-1.5")
        before = datetime(2026, 12, 21, tzinfo=UTC).timestamp()
        found = await stage.run_checks("session", now=lambda: before)
        names(found["model"], WARN, "in 30 days", "gpt-realtime-1.5")


async def test_an_endpoint_where_nobody_listens(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.set("realtime.url", f"ws://127.0.0.1:{free_port()}/v1/realtime")
        found = await stage.run_checks("session")
        names(found["session"], FAIL, "it cannot be reached", "realtime.url")


async def test_an_endpoint_that_never_says_a_word(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False, faults=Faults(silent=True)) as stage:
        found = await stage.run_checks("session")
        names(found["session"], FAIL, "no answer within 12 s")


async def test_what_costs_money_is_asked_for_only_when_allowed(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        assert "answer" not in await stage.run_checks("session")
        found = await stage.run_checks("session", live=True)
        names(found["answer"], PASS, "a short text within")


# -- settings and machine -----------------------------------------------------------------------


async def test_a_setting_of_another_name(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.set("server.max_cals", 3)
        found = await stage.run_checks()
        names(found["configuration"], FAIL, "write server.max_calls", "change server.max_cals")
        stage.set("server.max_cals", None)
        await stage.well("settings")


async def test_a_placeholder_for_a_key(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.set("realtime.url", "wss://api.openai.com/v1/realtime")
        stage.secret("OPENAI_API_KEY", "sk-your-key-here")
        names((await stage.run_checks("settings"))["ready to serve"], FAIL, "placeholder", "OPENAI_API_KEY")
        stage.secret("OPENAI_API_KEY", KEY)
        await stage.well("settings")


async def test_secrets_that_others_may_read(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        (tmp_path / ".env").chmod(0o644)
        found = await stage.run_checks("settings")
        names(found["file modes"], WARN, "may be read by others (mode 644)", "chmod 600")
        await offer_fixes(context_of(stage.path), found.values(), ask=lambda q: True, tell=print)
        assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
        names((await stage.run_checks("settings"))["file modes"], PASS)


async def test_an_agent_that_cannot_be_loaded(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        (tmp_path / "agent.py").write_text("raise RuntimeError('sk-secret-0123456789')\n")
        stage.set("agent.file", str(tmp_path / "agent.py"))
        found = await stage.run_checks("settings")
        names(found["agent"], FAIL, "agent.py, line 1: RuntimeError", "correct the code")
        assert "sk-secret" not in str(found)


async def test_a_clock_that_is_wrong(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        found = await stage.run_checks("machine", now=lambda: time.time() - 300)
        names(found["clock"], FAIL, "behind the vendor's", "timedatectl set-ntp true")
        assert -301 < found["clock"].facts["skew_s"] < -298, "a Date has whole seconds"
        stage.twilio.rest.clock_ahead_s = -10
        names((await stage.run_checks("machine"))["clock"], WARN, "s ahead of the vendor's")
        stage.twilio.rest.clock_ahead_s = 0
        await stage.well("machine")


async def test_no_room_for_the_calls_that_are_let_in(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.set("server.max_calls", 100_000)
        found = await stage.run_checks("machine")
        names(found["descriptors"], FAIL, "100000 calls want 400064", "LimitNOFILE=400064")
        stage.set("server.max_calls", 10)
        await stage.well("machine")


async def test_a_status_page_that_tells_of_trouble(autojump_clock, tmp_path):
    trouble = {"status": {"indicator": "major", "description": "Outage"}, "incidents": [{"name": "Realtime"}]}
    async with (
        open_doctor(tmp_path, serving=False) as stage,
        somebody_else(lambda asked: answer(200, trouble)) as url,
    ):
        found = await stage.run_checks("vendors", status_pages={"The vendor": f"{url}/summary.json"})
        names(found["The vendor status"], WARN, "Outage: Realtime")
