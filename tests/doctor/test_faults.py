"""Injected faults: each is named rightly, with a fix, and the fix works."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

import pytest
import trio

from llcphone.cli.number import number_now
from llcphone.doctor.context import context_of
from llcphone.doctor.fix import offer_fixes
from llcphone.server.port_owners import port_owners
from llcphone.sim.model import Faults
from llcphone.sim.ports import free_port
from tests.carrier.carrier_desk import answer
from tests.doctor.stage import (
    FAIL,
    KEY,
    PASS,
    WARN,
    a_proxy,
    echo_of_another,
    names,
    open_doctor,
    somebody_else,
)

TRUNK, OTHER = "TK" + "1" * 32, "sk-another-0123456789"


async def test_a_deployment_that_is_well_has_no_failure(autojump_clock, stage):
    await stage.serve()
    found = await stage.run_checks()
    assert [each for each in found.values() if each.status is FAIL] == []
    for check in ("process", "port", "answers", "public URL", "stream upgrade", "voice webhook", "session"):
        assert found[check].status is PASS, found[check]
    names(found["dialect"], PASS, "ga (asked: auto, profile generic)")
    names(found["clock"], PASS, "agrees")


# -- one thing is wrong, and then right again ---------------------------------------------------


def change(stage, key, value):
    """Change a setting, a variable, a field of Twilio's number or the simulated model; returns what was."""
    place, _, name = key.rpartition(".")
    if place == "model":
        before = getattr(stage.model, name)
        setattr(stage.model, name, value)
    elif place == "number":
        before = stage.twilio.rest.number_fields.get(name, "")
        stage.twilio.rest.number_fields[name] = value
    elif place:
        before = stage.sections.get(place, {}).get(name)
        stage.set(key, value)
    else:
        before = stage.env[name]
        stage.secret(name, value)
    return before


@pytest.mark.parametrize(
    ("key", "value", "group", "check", "words"),
    [
        ("number.trunk_sid", TRUNK, "twilio", "voice webhook", "SIP trunk|take the number out of the trunk"),
        ("TWILIO_AUTH_TOKEN", OTHER, "twilio", "Twilio account", "account or token [20003]|primary token"),
        ("TWILIO_PHONE_NUMBER", "+15550009999", "twilio", "number", "has no number|TWILIO_PHONE_NUMBER"),
        ("OPENAI_API_KEY", OTHER, "session", "key", "the key is refused [invalid_api_key]|OPENAI_API_KEY"),
        ("realtime.dialect", "flat", "session", "dialect", 'does not speak flat|realtime.dialect = "auto"'),
        ("realtime.model", "gpt-nothing", "session", "model", "no such model|realtime.model"),
        ("realtime.url", "ws://127.0.0.1:9/", "session", "session", "it cannot be reached|realtime.url"),
        ("model.faults", Faults(wrong_format=True), "session", "session", "µ-law both ways"),
        ("model.faults", Faults(silent=True), "session", "session", "no answer within 12 s"),
        ("server.max_cals", 3, "settings", "configuration", "write server.max_calls|change server.max_cals"),
        (
            "server.max_calls",
            100_000,
            "machine",
            "descriptors",
            "100000 calls want 400064|LimitNOFILE=400064",
        ),
    ],
)
async def test_what_is_wrong_is_named_until_it_is_right(
    autojump_clock, stage, key, value, group, check, words
):
    stage.model.key = KEY
    before = change(stage, key, value)
    found = await stage.finds(group, check, FAIL, *words.split("|"))
    assert "15550009999" not in str(found)
    change(stage, key, before)
    await stage.well(group)


# -- Twilio -------------------------------------------------------------------------------------


async def test_a_number_that_asks_somebody_else(autojump_clock, stage):
    stage.twilio.rest.voice_url = "https://old-tunnel.example/twiml"
    found = await stage.finds(
        "twilio", "voice webhook", FAIL, "asks https://old-tunnel.example/twiml", "set-webhook"
    )
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
async def test_a_webhook_that_is_ours_in_another_spelling(autojump_clock, stage, written):
    stage.twilio.rest.voice_url = written.format(stage.port)
    assert (await stage.run_checks("twilio"))["voice webhook"].status is PASS
    assert (await number_now(context_of(stage.path).config))["comes_to_us"]


async def test_a_fallback_that_leads_to_us_in_another_spelling(autojump_clock, stage):
    stage.twilio.rest.number_fields["voice_fallback_url"] = f"HTTP://127.0.0.1:{stage.port}/twiml"
    await stage.finds("twilio", "fallback", WARN, "it leads to this server", "elsewhere")


async def test_a_question_answered_no_changes_nothing(autojump_clock, stage):
    stage.twilio.rest.voice_url = "https://old-tunnel.example/twiml"
    found = await stage.run_checks("twilio")
    assert await offer_fixes(context_of(stage.path), found.values(), ask=lambda q: False, tell=print) == 0
    assert stage.twilio.rest.voice_url == "https://old-tunnel.example/twiml"


async def test_a_webhook_that_asks_by_get(autojump_clock, stage):
    stage.twilio.rest.number_fields["voice_method"] = "GET"
    found = await stage.finds("twilio", "voice webhook", FAIL, "asks by GET", "POST only")
    await offer_fixes(context_of(stage.path), found.values(), ask=lambda q: True, tell=print)
    await stage.well("twilio")


async def test_an_application_on_the_number_takes_precedence(autojump_clock, stage):
    rest, sid = stage.twilio.rest, "AP" + "1" * 32
    rest.number_fields["voice_application_sid"] = sid
    rest.applications[sid] = {"voice_url": "https://studio.example/flow", "voice_method": "POST"}
    found = await stage.finds(
        "twilio", "voice webhook", FAIL, "the TwiML application", "take the application off the number"
    )
    assert not found["voice webhook"].offer, "the number's own voice URL would change nothing"
    rest.applications[sid]["voice_url"] = rest.voice_url
    await stage.well("twilio")


async def test_what_twilio_complained_of_lately(autojump_clock, stage):
    stage.twilio.rest.alerts = ["11200", "11200", "31921"]
    await stage.finds("twilio", "alerts", WARN, "11200 (2x)", "is the tunnel open, the process up?")
    stage.twilio.rest.alerts = ["31921"]
    await stage.finds("twilio", "alerts", PASS)


# -- the process --------------------------------------------------------------------------------


async def test_a_process_that_has_died(autojump_clock, stage, tmp_path):
    await stage.serve()
    left = (tmp_path / "llcphone.pid").read_text()
    await stage.stop()
    # The pid file of a process that was killed names somebody who does not run.
    (tmp_path / "llcphone.pid").write_text(left.replace('"pid":', '"pid":9'))
    found = await stage.finds(
        "process", "process", FAIL, "the server has died", "no program listens", "llcphone start"
    )
    assert not found.keys() & {"port", "answers"}, "one cause is one finding"
    (tmp_path / "llcphone.pid").unlink()
    await stage.serve()
    await stage.well("process")


async def test_two_listeners_on_the_port(in_its_folder, tmp_path):
    program = (
        "import socket, sys, time; s = socket.create_server(('127.0.0.2', int(sys.argv[1]))); "
        "print('listens', flush=True); time.sleep(60)"
    )
    async with open_doctor(tmp_path) as stage:
        other = await trio.lowlevel.open_process([sys.executable, "-c", program, str(stage.port)], stdout=-1)
        try:
            await other.stdout.receive_some()
            await stage.finds("process", "port", FAIL, "has 2 owners", f"kill {other.pid}")
        finally:
            other.kill()
            await other.wait()
            await other.stdout.aclose()
        while len(port_owners(stage.port)) > 1:  # noqa: ASYNC110
            await trio.sleep(0.05)
        await stage.well("process")


async def test_a_server_that_hangs(autojump_clock, stage):
    async with somebody_else(lambda asked: "silence") as url:
        stage.set("server.port", int(url.rpartition(":")[2]))
        await stage.finds("process", "answers", FAIL, "does not answer /healthz", "llcphone restart")


async def test_a_server_that_turns_calls_away(autojump_clock, stage):
    await stage.serve()
    stage.model.faults = Faults(refuse_status=503)
    await stage.serve()
    await trio.sleep(5)
    await stage.finds("process", "takes calls", FAIL, "model endpoint: http_503")
    stage.model.faults = Faults()
    await trio.sleep(60)
    await stage.well("process")


# -- the public URL -----------------------------------------------------------------------------


async def test_a_proxy_that_removes_the_upgrade(autojump_clock, stage):
    def without(data: bytes) -> bytes:
        return data.replace(b"Upgrade: websocket\r\n", b"").replace(b"Connection: Upgrade\r\n", b"")

    async with a_proxy(stage.port, without) as url:
        stage.set("server.public_url", url)
        await stage.serve()
        await stage.finds(
            "public", "stream upgrade", FAIL, "removes its Upgrade header", "pass Upgrade and Connection on"
        )
    async with a_proxy(stage.port, bytes) as url:
        stage.set("server.public_url", url)
        await stage.serve()
        await stage.well("public")


async def test_a_server_that_still_has_the_former_token(autojump_clock, stage):
    await stage.serve()
    stage.secret("TWILIO_AUTH_TOKEN", "the-new-token-0123456789")
    await stage.finds("public", "stream upgrade", FAIL, "403", "llcphone restart")
    await stage.serve()
    await stage.well("public")


async def test_a_media_stream_that_quart_serves_is_tried_alike(autojump_clock, stage):
    await stage.serve()
    stage.set("wire.phone", "quart")
    await stage.serve()
    await stage.finds("public", "stream upgrade", PASS, "101 within")


async def test_a_node_may_be_answered_by_another_one(autojump_clock, stage):
    stage.set("server.node", "n1")
    await stage.serve()
    async with somebody_else(echo_of_another) as url:
        stage.set("server.public_url", url)
        await stage.finds("public", "public URL", PASS, "another node than n1")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (echo_of_another, ["another llcphone", "point the tunnel at this one"]),
        (lambda asked: answer(502, {}), ["answers 502", "proxy's port is server.port"]),
        (lambda asked: answer(200, b"<html>Visit site?</html>"), ["is not this llcphone", "server.port"]),
    ],
    ids=["another llcphone", "a proxy that does not reach us", "a page of the tunnel's own"],
)
async def test_a_public_url_that_leads_elsewhere(autojump_clock, stage, reply, words):
    await stage.serve()
    async with somebody_else(reply) as url:
        stage.set("server.public_url", url)
        await stage.finds("public", "public URL", FAIL, *words)


async def test_a_closed_tunnel(autojump_clock, stage):
    await stage.serve()
    url = change(stage, "server.public_url", f"http://127.0.0.1:{free_port()}")
    await stage.finds(
        "public", "public URL", FAIL, "no connection: the tunnel or proxy is closed", "llcphone tunnel"
    )
    stage.set("server.public_url", url)
    await stage.well("public")


# -- the session --------------------------------------------------------------------------------


async def test_a_dialect_that_the_endpoint_does_not_speak_any_more(autojump_clock, stage):
    stage.model.dialects = "flat"
    stage.set("realtime.dialect", "ga")
    await stage.finds("session", "dialect", FAIL, "does not speak ga", 'realtime.dialect = "auto"')
    stage.set("realtime.dialect", "auto")
    await stage.well("session")


@pytest.mark.parametrize("dialects", ["flat", "ga"])
async def test_a_session_that_is_refused_in_each_dialect(autojump_clock, stage, dialects):
    stage.model.dialects, stage.model.faults = dialects, Faults(refuse_update="invalid_value")
    found = await stage.finds(
        "session", "session", FAIL, f"refused in the {dialects} dialect", "invalid_value", "snapshot"
    )
    assert "receptionist" in found["session"].evidence, "it says with whose settings"
    stage.model.faults = Faults()
    found = await stage.finds("session", "session", PASS, "accepted: connected within")
    names(found["dialect"], PASS, dialects)


async def test_a_model_that_is_switched_off(autojump_clock, stage):
    stage.set("realtime.model", "gpt-realtime")
    after = datetime(2027, 1, 21, tzinfo=UTC).timestamp()
    await stage.finds(
        "session", "model", FAIL, "was switched off on 2027-01-20", "gpt-realtime-1.5", now=lambda: after
    )
    before = datetime(2026, 12, 21, tzinfo=UTC).timestamp()
    await stage.finds("session", "model", WARN, "in 30 days", "gpt-realtime-1.5", now=lambda: before)


async def test_what_costs_money_is_asked_for_only_when_allowed(autojump_clock, stage):
    assert "answer" not in await stage.run_checks("session")
    await stage.finds("session", "answer", PASS, "a short text within", live=True)


# -- settings and machine -----------------------------------------------------------------------


async def test_a_placeholder_for_a_key(autojump_clock, stage):
    stage.set("realtime.url", "wss://api.openai.com/v1/realtime")
    stage.secret("OPENAI_API_KEY", "sk-your-key-here")
    await stage.finds("settings", "ready to serve", FAIL, "placeholder", "OPENAI_API_KEY")
    stage.secret("OPENAI_API_KEY", KEY)
    await stage.well("settings")


async def test_secrets_that_others_may_read(autojump_clock, stage, tmp_path):
    (tmp_path / ".env").chmod(0o644)
    found = await stage.finds("settings", "file modes", WARN, "may be read by others (mode 644)", "chmod 600")
    await offer_fixes(context_of(stage.path), found.values(), ask=lambda q: True, tell=print)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    await stage.finds("settings", "file modes", PASS)


async def test_an_agent_that_cannot_be_loaded(autojump_clock, stage, tmp_path):
    (tmp_path / "agent.py").write_text("raise RuntimeError('sk-secret-0123456789')\n")
    stage.set("agent.file", str(tmp_path / "agent.py"))
    found = await stage.finds("settings", "agent", FAIL, "agent.py, line 1: RuntimeError", "correct the code")
    assert "sk-secret" not in str(found)


async def test_a_clock_that_is_wrong(autojump_clock, stage):
    found = await stage.run_checks("machine", now=lambda: time.time() - 300)
    names(found["clock"], FAIL, "behind the vendor's", "timedatectl set-ntp true")
    assert -301 < found["clock"].facts["skew_s"] < -298, "a Date has whole seconds"
    stage.twilio.rest.clock_ahead_s = -10
    await stage.finds("machine", "clock", WARN, "s ahead of the vendor's")
    stage.twilio.rest.clock_ahead_s = 0
    await stage.well("machine")


async def test_a_status_page_that_tells_of_trouble(autojump_clock, stage):
    trouble = {"status": {"indicator": "major", "description": "Outage"}, "incidents": [{"name": "Realtime"}]}
    async with somebody_else(lambda asked: answer(200, trouble)) as url:
        pages = {"The vendor": f"{url}/summary.json"}
        await stage.finds("vendors", "The vendor status", WARN, "Outage: Realtime", status_pages=pages)


async def test_what_an_endpoint_does_not_understand_is_named(autojump_clock, tmp_path):
    async with open_doctor(tmp_path, profile="generic") as stage:
        stage.set("realtime.speed", 1.1)
        await stage.finds("session", "settings sent", WARN, "does not know", "speed", "[realtime]")
        await stage.finds("session", "endpoint", PASS, "conversation.item.truncate", "response.cancel")
