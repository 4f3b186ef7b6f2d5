"""How findings are told: order, exit code, for programs, and without a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from llcphone.config import Config
from llcphone.doctor import checks as rooms
from llcphone.doctor.checks import GROUPS, run_checks
from llcphone.doctor.context import DoctorContext, context_of
from llcphone.doctor.machine import judge_clock, judge_descriptors
from llcphone.doctor.places import judge_disk
from llcphone.doctor.process import Facts, errors_in, judge, last_errors
from llcphone.doctor.public import judge_address
from llcphone.doctor.report import Status, exit_code, fail, good, lines, unknown, verdict, warn
from llcphone.modes.agent_file import agent_of
from llcphone.process.health import Health
from llcphone.process.pidfile import PidFile
from llcphone.server.port_owners import Kind, Owner
from llcphone.sim.model import Faults
from tests.doctor.stage import KEY, open_doctor
from tests.process.deployment import deploy

FAIL, WARN, PASS = Status.FAIL, Status.WARN, Status.PASS


def test_only_what_breaks_calls_is_a_failure_of_the_command() -> None:
    assert exit_code([good("a", "well"), warn("b", "odd", "look")]) == 0
    assert exit_code([good("a", "well"), fail("b", "broken", "fix it")]) == 1
    assert exit_code([good("a", "well"), unknown("b", "not examined", "do this first")]) == 1


def test_a_line_says_what_was_seen_and_the_next_how_to_fix_it() -> None:
    assert [
        line.split() for line in lines([fail("port", "taken", "kill 1"), good("key", "right", took_ms=1)])
    ] == [
        ["FAIL", "port", "taken"],
        ["fix:", "kill", "1"],
        ["PASS", "key", "right"],
    ]
    assert (
        verdict([good("a", ""), fail("port", "taken", "kill 1")])
        == "1 failed, 0 to look at, 1 good; begin with: port"
    )


async def test_infrastructure_comes_first(autojump_clock, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    async with open_doctor(tmp_path, serving=False) as stage:
        context = context_of(stage.path)
        await run_checks(context, tell=lambda title, findings: told.append(title))
    assert told[0] == "Settings"
    assert [*GROUPS][-2:] == ["session", "vendors"]


async def test_a_bug_in_one_check_hides_nothing_of_the_others(autojump_clock, monkeypatch) -> None:
    async def broken(context: DoctorContext) -> list:
        raise KeyError("+15551230001")

    async def waits(context: DoctorContext) -> list:
        await trio.sleep_forever()
        return []

    async def closed(context: DoctorContext) -> list:
        raise PermissionError(13, "Permission denied", "/closed")

    async def well(context: DoctorContext) -> list:
        return [good("well", "seen")]

    checks = {"broken": broken, "slow": waits, "closed": closed, "well": well}
    monkeypatch.setattr(rooms, "GROUPS", {**GROUPS, "machine": checks})
    found = await run_checks(DoctorContext(), ["machine", "process"])
    assert [(each.check, each.status) for each in found[:4]] == [
        ("broken", FAIL),
        ("slow", FAIL),
        ("closed", Status.UNKNOWN),
        ("well", PASS),
    ]
    assert "this check failed itself: KeyError" in found[0].evidence
    assert "no answer within 45 s" in found[1].evidence
    assert "/closed may not be read by this user" in found[2].evidence
    assert len(found) > 4
    assert "15551230001" not in str(found)


async def test_no_secret_and_no_number_is_told_whatever_fails(autojump_clock, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    canaries = {
        "OPENAI_API_KEY": "sk-canary-key-0123456789",
        "TWILIO_AUTH_TOKEN": "canarytoken0123456789abcdef",
        "TWILIO_PHONE_NUMBER": "+15559876543",
    }
    async with open_doctor(tmp_path, serving=False, faults=Faults(refuse_update=True)) as stage:
        for name, value in canaries.items():
            stage.secret(name, value)
        stage.set("agent.instructions", "canary-prompt-0123456789")
        stage.set("server.public_url", "http://127.0.0.1:9/canary")
        stage.twilio.rest.auth_token = canaries["TWILIO_AUTH_TOKEN"]
        stage.twilio.rest.voice_url = "https://user:canary-password@elsewhere.example/twiml?key=canary-query"
        text = str([each.as_json() for each in await run_checks(context_of(stage.path))])
        stage.twilio.rest.number = canaries["TWILIO_PHONE_NUMBER"]
        text += str([each.as_json() for each in await run_checks(context_of(stage.path))])
    for canary in (*canaries.values(), "canary-prompt", "canary-password", "canary-query", "9876543"):
        assert canary not in text, canary
    assert "elsewhere.example/twiml" in text


@pytest.mark.slow
async def test_the_command_tells_programs_the_same(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        code, told = await deployed.run("doctor", "--json", "--only", "settings", "process")
        said = json.loads(told)
        assert (code, said["ok"]) == (1, False)
        by_check = {each["check"]: each for each in said["findings"]}
        assert by_check["process"] == {
            "check": "process",
            "status": "fail",
            "evidence": f"no server runs: no program listens on {deployed.port}, and there is no pid file",
            "fix": "llcphone start   (or llcphone serve, to watch it)",
        }
        assert not by_check.keys() & {"port", "answers"}, "one cause is one finding"
        code, told = await deployed.run("doctor", "--only", "weather")
        assert code == 2


# -- judging ------------------------------------------------------------------------------------


def facts(*owners: Owner, health: Health | None = None, **more) -> Facts:
    return Facts(
        **{"port": 8081, "pid_file": None, "alive": False, "not_ready": (), "errors": ()} | more,
        owners=owners,
        health=health,
    )


def by_check(found: list) -> dict:
    return {each.check: each for each in found}


ALIVE = Health("p", 3.0, alive=True)


def test_a_socket_that_systemd_holds_is_no_second_owner() -> None:
    held = Owner(Kind.SYSTEMD, 1, "systemd", "0.0.0.0:8081")
    ours = Owner(Kind.OURS, 7, "llcphone", "0.0.0.0:8081")
    assert by_check(judge(facts(held, ours, health=ALIVE)))["port"].status is PASS
    assert by_check(judge(facts(held, health=ALIVE)))["port"].status is PASS


def test_a_foreign_owner_is_named_with_what_ends_it() -> None:
    found = by_check(judge(facts(Owner(Kind.FOREIGN, 42, "nginx", "127.0.0.1:8081"))))["port"]
    assert found.status is FAIL
    assert "pid 42 (nginx, not llcphone" in found.evidence
    assert "kill 42" in found.fix


@pytest.mark.parametrize("owner", ["port", "port and a stale pid file", "pid file"])
def test_the_server_of_another_project_is_not_examined_as_ours(owner: str) -> None:
    theirs = Owner(Kind.OURS, 7, "llcphone", "0.0.0.0:8081", settings="/theirs/llcphone.toml")
    seen: dict[str, Any] = {"settings": "/ours/llcphone.toml", "health": ALIVE}
    if owner != "port":
        pid_file = PidFile(7, 1.0, "b", "p", "127.0.0.1", 8081, "p", "", ["llcphone", "serve"], "/theirs")
        seen |= {"pid_file": pid_file, "alive": owner == "pid file", "is_own": False}
    found = by_check(judge(facts(theirs, **seen)))
    for check in ("process", "answers", "takes calls"):
        assert found[check].status is FAIL, check
        assert "/theirs" in found[check].evidence
        assert found[check].fix


def test_a_slow_answer_is_told_before_callers_hear_it() -> None:
    slow = Health("p", 900.0, alive=True)
    ours = Owner(Kind.OURS, 7, "llcphone", "0.0.0.0:8081")
    assert by_check(judge(facts(ours, health=slow)))["answers"].status is WARN
    sick = Health("p", 9.0, alive=False, reasons=("calls that have ended do not close",))
    assert "do not close" in by_check(judge(facts(ours, health=sick)))["answers"].evidence


def test_draining_is_said_with_what_follows() -> None:
    ours = Owner(Kind.OURS, 7, "llcphone", "0.0.0.0:8081")
    found = by_check(judge(facts(ours, health=ALIVE, not_ready=["draining"])))["takes calls"]
    assert (found.status, "llcphone restart" in found.fix) == (FAIL, True)


def test_errors_are_read_out_of_both_kinds_of_log() -> None:
    text = (
        "2026-11-21T04:21:31.9Z [info     ] serving                        [llcphone.server] port=1\n"
        "2026-11-21T04:21:31.9Z [error    ] call failed                    [llcphone.call] call=1\n"
        '{"event": "journal cannot be written", "level": "error", "logger": "llcphone"}\n'
        '{"event": "serving", "level": "info", "logger": "llcphone"}\n'
    )
    assert errors_in(text) == ["call failed", "journal cannot be written"]
    assert errors_in("") == []


async def test_the_log_is_read_where_the_supervisor_keeps_it(tmp_path, monkeypatch) -> None:
    line = "2026-11-21T04:21:31.9Z [error    ] call failed                    [llcphone.call] call=1"
    program = tmp_path / "journalctl"
    program.write_text(f"#!/bin/sh\ncase \"$*\" in *--unit=phone*) echo '{line}';; esac\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    log = tmp_path / "phone.log"
    log.write_text(line.replace("call failed", "out of luck") + "\n")
    settings = {"unit": "phone", "log_file": str(log)}
    for supervisor, expected in (("systemd", ["call failed"]), ("none", ["out of luck"]), ("pm2", None)):
        config = Config.from_dict({"process": settings | {"supervisor": supervisor}})
        assert await last_errors(DoctorContext(config=config)) == expected


def test_disk_clock_and_descriptors_have_two_limits_each() -> None:
    assert [judge_disk("/x", free).status for free in (10**10, 10**8, 10**6)] == [PASS, WARN, FAIL]
    assert [judge_clock(skew).status for skew in (0.4, -5.0, 90.0)] == [PASS, WARN, FAIL]
    assert [judge_descriptors(limit, 100).status for limit in (1024, 300, 100)] == [PASS, WARN, FAIL]


def test_an_address_inside_a_network_cannot_be_twilios() -> None:
    assert judge_address("https://phone.lan", ["192.168.1.7"]).status is FAIL
    assert judge_address("https://phone.example.com", ["8.8.8.8"]).status is PASS
    assert judge_address("https://gone.example.com", []).status is FAIL


def test_what_is_concealed_stays_readable() -> None:
    config = Config.from_dict({"realtime": {"api_key": KEY}})
    text = DoctorContext(config=config).conceal(
        f"at 127.0.0.1:8081 on 2026-11-21 with {KEY} for +15551230002"
    )
    assert text == "at 127.0.0.1:8081 on 2026-11-21 with «secret» for «number …02»"


def test_every_agent_that_ships_is_asked_for_by_the_session_check() -> None:
    from llcphone.agent import agents_of
    from llcphone.call.endpoint import wishes_of

    agents = list(agents_of(agent_of(Config())).values())
    names = [name for agent in agents for name, _ in wishes_of(Config(), agent)]
    assert set(names) == {each.name for each in agents}
