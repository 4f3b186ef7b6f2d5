"""What a start would refuse, whose process it is, answers that say nothing: none of it is green unseen."""

from __future__ import annotations

import socket
import sqlite3
from contextlib import closing
from datetime import date

import msgspec
import pytest

from llcphone.config import Config
from llcphone.doctor import machine, places
from llcphone.doctor.checks import run_checks
from llcphone.doctor.context import Answer, DoctorContext
from llcphone.doctor.fix import FIXES
from llcphone.doctor.model import NOT_ASKED, judge_model, models_of
from llcphone.doctor.process import Facts, judge
from llcphone.doctor.vendors import judge_status
from llcphone.process.health import Health
from llcphone.process.pidfile import PidFile, own_pid_file
from llcphone.server.port_owners import Kind, Owner
from llcphone.sim.model import Faults
from llcphone.sim.ports import free_port
from tests.doctor.stage import FAIL, PASS, UNKNOWN, WARN, names

# -- what a start needs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "words", "fix"),
    [
        ("recovery.apology_file", "none.ulaw", "No such file", "name a file"),
        ("outbound.machine_message_file", "none.ulaw", "No such file", "name a file"),
        ("money.price_file", "none.toml", "No such file", "name a TOML file"),
        ("money.state_file", "spent.json", "cannot be read", "delete it"),
        ("webhook.url", "https://a.b/hook", "store.url: webhook.url needs the store", "store.enabled = true"),
    ],
)
async def test_what_the_server_would_not_start_with(autojump_clock, stage, tmp_path, key, value, words, fix):
    (tmp_path / "spent.json").write_text("{")
    assert (await stage.run_checks("settings"))["start"].status is PASS
    stage.set("webhook.secret", "a-secret-of-some-length-0123")
    stage.set("store.enabled", key != "webhook.url")
    stage.set(key, value)
    await stage.finds("settings", "start", FAIL, words, fix)


async def test_certificates_that_cannot_be_read(autojump_clock, tmp_path):
    model = {"url": "wss://model.example/v1/realtime"}
    config = Config.from_dict({"wire": {"ca_file": str(tmp_path / "ca.pem")}, "realtime": model})
    found = await run_checks(DoctorContext(config=config, path=tmp_path / "llcphone.toml"), ("settings",))
    [start] = [each for each in found if each.check == "start"]
    names(start, FAIL, "wire.ca_file: cannot be read: No such file")


async def test_an_address_and_a_port_that_cannot_be_listened_on(autojump_clock, stage):
    assert (await stage.run_checks("settings"))["listening address"].status is PASS
    stage.set("server.host", "192.0.2.77")
    await stage.finds("settings", "listening address", FAIL, "is no address of this machine")
    stage.set("server.host", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stage.set("metrics.port", taken.getsockname()[1])
        await stage.finds("settings", "metrics port", FAIL, "EADDRINUSE", "metrics.port")


async def test_a_settings_file_that_is_no_toml_may_hold_a_secret(autojump_clock, stage):
    stage.path.write_text('[realtime\napi_key = "sk-canary"\n')
    stage.path.chmod(0o644)
    await stage.finds("settings", "file modes", WARN, "llcphone.toml may be read by others")


async def test_a_store_of_a_newer_llcphone(autojump_clock, stage, tmp_path):
    with closing(sqlite3.connect(tmp_path / "phone.db")) as file:
        file.executescript("create table phone_schema (version int); insert into phone_schema values (99)")
    await stage.finds("machine", "store database", FAIL, "was made by a newer llcphone")


async def test_a_folder_that_may_not_even_be_looked_into(autojump_clock, stage, monkeypatch):
    def refused(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    stage.set("records.path", "/closed/deep/calls.jsonl")
    monkeypatch.setattr(places.Path, "is_dir", refused)
    found = await stage.finds(
        "machine", "folders", FAIL, "/closed/deep cannot be written (Permission denied)"
    )
    assert "clock" in found, "it hides nothing of the others"


# -- whose process it is ------------------------------------------------------------------------

PID_FILE = PidFile(7, 1.0, "", "", "127.0.0.1", 8081, "p", "", ["python"], "/elsewhere")
OURS = Owner(Kind.OURS, 7, "llcphone", "127.0.0.1:8081")
THEIRS = {"pid_file": PID_FILE, "alive": True}
HIDDEN = Owner(Kind.HIDDEN, None, "", "127.0.0.1:8081")


@pytest.mark.parametrize(
    ("owners", "more", "check", "status", "words"),
    [
        ([HIDDEN], {}, "process", UNKNOWN, "whose it is cannot be seen"),
        ([OURS], {"settings": "/here/llcphone.toml"}, "process", UNKNOWN, "cannot be seen by this user"),
        ([OURS], {"trouble": "Permission denied"}, "process", UNKNOWN, "cannot be read (Permission denied)"),
        ([], {"trouble": "Permission denied", "health": None}, "process", UNKNOWN, "cannot be read"),
        ([OURS], THEIRS | {"is_own": False}, "process", FAIL, "llcphone of /elsewhere"),
        ([OURS], THEIRS, "process", PASS, "pid 7"),
        ([], {}, "port", UNKNOWN, "cannot be seen by this user"),
        ([HIDDEN, HIDDEN], {}, "port", UNKNOWN, "whether that is one program"),
        ([OURS], {"not_ready": None}, "takes calls", UNKNOWN, "/readyz does not answer"),
    ],
)
def test_a_process_that_cannot_be_seen_is_not_known_to_be_ours(owners, more, check, status, words) -> None:
    seen = {"pid_file": None, "alive": False, "not_ready": (), "errors": ()}
    seen |= {"health": Health("p", 3.0, alive=True)} | more
    found = {each.check: each for each in judge(Facts(port=8081, owners=owners, **seen))}
    names(found[check], status, words)


async def test_the_pid_file_of_another_container_is_left_alone(tmp_path) -> None:
    pid_file = msgspec.structs.replace(own_pid_file("127.0.0.1", 8081), pids="pid:[1]")
    file = tmp_path / "llcphone.pid"
    file.write_bytes(msgspec.json.encode(pid_file))
    config = Config.from_dict({"process": {"pid_file": str(file)}, "server": {"port": free_port()}})
    context = DoctorContext(config=config)
    for words in ("another container", "the pid file cannot be read"):
        found = {each.check: each for each in await run_checks(context, ("process",))}
        names(found["process"], UNKNOWN, words)
        await FIXES["stale pid file"][1](context)
        assert file.exists()
        file.write_text("{")


async def test_a_server_of_another_user(autojump_clock, stage, monkeypatch):
    await stage.serve()
    assert "user" not in await stage.run_checks("machine")
    monkeypatch.setattr(machine.os, "geteuid", lambda: 12345)
    await stage.finds("machine", "user", UNKNOWN, "was not examined", "sudo -u")


# -- vendors' answers that say nothing ----------------------------------------------------------


def test_a_list_of_models_that_does_not_answer_is_not_a_model_without_an_end() -> None:
    (model,), today = models_of(Config()), date(2026, 11, 30)
    known = {"id": model.name}
    for told, status in (
        (Answer(200, {}, "", known), PASS),
        (Answer(500, {}, "", {"error": {}}), UNKNOWN),
        (Answer(403, {}, "", {"error": {}}), UNKNOWN),
        (Answer(200, {}, "", None), UNKNOWN),
        (Answer(404, {}, "", {"detail": "Not Found"}), WARN),
        (NOT_ASKED, WARN),
        (Answer(404, {}, "", {"error": {"code": "model_not_found"}}), FAIL),
    ):
        assert judge_model(model, today, told).status is status, told


def test_with_gpt_live_both_models_are_looked_for_by_their_settings() -> None:
    config = Config.from_dict({"realtime": {"protocol": "live"}})
    missing = Answer(404, {}, "", {"error": {"code": "model_not_found"}})
    found = [judge_model(each, date(2026, 11, 30), missing) for each in models_of(config)]
    assert [each.check for each in found] == ["model", "backend model"]
    names(found[0], FAIL, "no such model: gpt-live-1", "realtime.model")
    names(found[1], FAIL, "no such model: gpt-5.6-terra", "live.backend_model")


def test_a_status_page_without_a_status_is_not_read() -> None:
    status = {"status": {"indicator": "none"}}
    for page in (Answer(200, {}, "", {}), Answer(503, {}, "", status), "no answer"):
        names(judge_status("Vendor", page), WARN, "cannot be read")
    assert judge_status("Vendor", Answer(200, {}, "", status)).status is PASS


async def test_a_group_with_nothing_to_look_at_says_so(autojump_clock, stage):
    await stage.finds("vendors", "status pages", PASS, "name no vendor")


async def test_a_model_that_fails_to_answer(autojump_clock, stage):
    stage.model.faults = Faults(fail_responses=1)
    await stage.finds("session", "answer", FAIL, "fails to answer [inference_rate_limit_exceeded]", live=True)


async def test_without_agents_the_dialect_is_still_asked_for(autojump_clock, stage, tmp_path):
    stage.set("agent.file", str(tmp_path / "none.py"))
    found = await stage.finds("session", "agents' sessions", UNKNOWN, "cannot be loaded")
    names(found["dialect"], PASS, "ga (asked: auto, profile generic)")
    stage.model.faults = Faults(refuse_update="invalid_value")
    await stage.finds("session", "session", FAIL, "a plain agent", "invalid_value")
