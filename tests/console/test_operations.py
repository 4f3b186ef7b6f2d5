"""The operator's page: doctor, log, settings, drain."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING

import pytest
import trio

from llcphone.console.app import LOOKING, make_console_app
from llcphone.console.console import Console, Operations
from llcphone.runtime.log_lines import logger
from tests.console.browser import READ_KEY, console_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def acts(console: Console) -> Iterator[tuple[str, str]]:
    """Method and path of each route that acts."""
    for rule in make_console_app(console).url_map.iter_rules():
        path = re.sub(r"<[^>]*>", "8f3a", rule.rule)
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}):
            if path not in LOOKING:
                yield method, path


@pytest.mark.parametrize("how", ["read-key", "act-off"])
async def test_who_may_only_look_is_refused_each_act(how: str, autojump_clock) -> None:
    drained: list[bool] = []
    operations = Operations(drain=lambda: drained.append(True), doctor=[sys.executable, "-c", "print(1)"])
    async with console_of(operations=operations, act=how != "act-off") as (console, page, _):
        await page.enter(console, **({"key": READ_KEY} if how == "read-key" else {}))
        found = list(acts(console))
        assert {("POST", "/api/drain"), ("POST", "/api/doctor")} <= set(found)
        for method, path in [*found, ("POST", "/api/no-such-route"), ("DELETE", "/api/state")]:
            answer = await page.ask(method, path, {})
            assert (answer.status, answer.json["code"]) == (403, "read_only"), path
            assert answer.json["fix"]
    assert not drained


async def test_who_acts_is_logged(autojump_clock, caplog) -> None:
    caplog.set_level(logging.INFO, "llcphone.console")
    async with console_of() as (console, page, _):
        await page.enter(console)
        await page.ask("POST", "/api/drain", {})
        (line,) = [each for each in caplog.records if each.getMessage().startswith("console: act")]
        assert "route=/api/drain" in line.getMessage()
        assert "session=" in line.getMessage()


async def test_a_drain_is_asked_for_once(autojump_clock) -> None:
    drained: list[bool] = []
    async with console_of(operations=Operations(drain=lambda: drained.append(True))) as (
        console,
        page,
        stage,
    ):
        await page.enter(console)
        answer = await page.ask("POST", "/api/drain", {})
        assert (answer.status, answer.json) == (202, {"live": 0, "limit_s": stage.config.drain.limit_s})
        stage.phone.admission.draining = True
        assert (await page.ask("POST", "/api/drain", {})).status == 202
        assert drained == [True]
        assert (await page.get("/api/state")).json["health"]["draining"]


async def test_a_program_of_ones_own_has_neither_drain_nor_doctor(autojump_clock) -> None:
    async with console_of() as (console, page, _):
        await page.enter(console)
        for path, code in (("/api/drain", "no_drain"), ("/api/doctor", "no_doctor")):
            answer = await page.ask("POST", path, {})
            assert (answer.status, answer.json["code"]) == (404, code)
        assert (await page.get("/api/doctor")).json == {
            "there": False,
            "running": False,
            "at": None,
            "report": None,
            "trouble": "",
        }
        assert (await page.get("/api/settings")).json == {"settings": []}


async def test_the_doctors_report_is_kept() -> None:
    command = [
        sys.executable,
        "-c",
        "import json, sys; print(json.dumps({'ok': True, 'findings': sys.argv[1:]}))",
    ]
    async with console_of(operations=Operations(doctor=command)) as (console, page, _):
        await page.enter(console)
        answer = await page.ask("POST", "/api/doctor", {"live": True})
        assert (answer.status, answer.json["running"]) == (202, True)
        assert (await page.ask("POST", "/api/doctor", {})).json["code"] == "doctor_runs"
        while (told := (await page.get("/api/doctor")).json)["running"]:  # noqa: ASYNC110
            await trio.sleep(0.05)
        assert told["report"] == {"ok": True, "findings": ["--live"]}
        assert told["at"] > 0
        assert (await page.ask("POST", "/api/doctor", {"live": "yes"})).status == 422


@pytest.mark.parametrize(
    ("command", "trouble"),
    [
        ([sys.executable, "-c", "print('no report')"], "the doctor printed no report"),
        (["/no/such/program"], "the doctor "),
    ],
    ids=["words", "nothing"],
)
async def test_a_doctor_that_fails_says_so(command: list[str], trouble: str) -> None:
    async with console_of(operations=Operations(doctor=command)) as (console, page, _):
        await page.enter(console)
        assert (await page.ask("POST", "/api/doctor", {})).status == 202
        while (told := (await page.get("/api/doctor")).json)["running"]:  # noqa: ASYNC110
            await trio.sleep(0.05)
        assert told["trouble"].startswith(trouble)
        assert told["report"] is None


async def test_leaving_ends_a_doctor_that_runs() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with trio.fail_after(60):
        async with console_of(operations=Operations(doctor=command)) as (console, page, _):
            await page.enter(console)
            assert (await page.ask("POST", "/api/doctor", {})).status == 202


async def test_the_last_warnings_are_shown_without_numbers(autojump_clock) -> None:
    async with console_of() as (console, page, _):
        await page.enter(console)
        log = logger("llcphone.test")
        log.info("not this one")
        for count in range(250):
            log.warning("slow turn", extra={"n": count, "number": "+15551234567"})
        lines = (await page.get("/api/log")).json["lines"]
        assert len(lines) == 200
        last = lines[-1]
        assert (last["level"], last["logger"]) == ("warning", "llcphone.test")
        assert "n=249" in last["text"]
        assert "5551234567" not in last["text"]
    handlers = {type(each).__name__ for each in logging.getLogger("llcphone").handlers}
    assert "RecentWarnings" not in handlers


async def test_the_settings_are_shown_as_the_command_shows_them(autojump_clock) -> None:
    rows = [
        ("realtime.api_key", "«hidden»", ".env"),
        ("transfers.destinations", '"+15550100001"', "llcphone.toml"),
    ]
    async with console_of(operations=Operations(settings=rows)) as (console, page, _):
        await page.enter(console)
        shown = (await page.get("/api/settings")).json["settings"]
        assert shown[0] == {"key": "realtime.api_key", "value": "«hidden»", "origin": ".env"}
        assert "5550100001" not in shown[1]["value"]
