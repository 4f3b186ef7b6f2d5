"""Canaries: marked keys, prompts, numbers and words go through whole calls, well and badly ended ones, and
must come out nowhere: not in logs at any level, not in figures, traces, tracebacks or what the doctor says.
"""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from llcphone import Agent, Call, Config, ToolContext
from llcphone.config.log import LogConfig
from llcphone.doctor.checks import run_checks
from llcphone.doctor.context import DoctorContext
from llcphone.doctor.report import lines, verdict
from llcphone.engine.events import EndReason
from llcphone.sim.model import CallTool, Faults, Say
from llcphone.sim.twilio import Callee
from llcphone.telemetry.logs import formatter
from llcphone.telemetry.metrics import open_metrics
from llcphone.telemetry.otlp import as_otlp
from llcphone.telemetry.redaction import Mask, places, secrets_of
from llcphone.telemetry.tracing import trace_calls
from llcphone.testing import ACCOUNT_SID, AUTH_TOKEN, NUMBER, rehearse
from tests.calls.stage import QUESTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.calls.stage import Rehearsal

CALLER, CALLEE, BUSY, REFUSED = "+15558675309", "+15554443322", "+15554443311", "+15554443300"
CALLEES = {CALLEE: Callee(), BUSY: Callee("busy"), REFUSED: Callee(refused=21211)}
KEY, TOKEN = "sk-canary-0123456789abcdef", "canary-auth-token-0123456789"
ACCOUNT = "AC" + "0123456789abcdef" * 2
CANARIES = {
    *(CALLER[2:], CALLEE[2:], BUSY[2:], REFUSED[2:], NUMBER[2:]),
    *(KEY, TOKEN, ACCOUNT, AUTH_TOKEN, ACCOUNT_SID),
    *("canary-prompt", "canary-context", "canary-argument", "canary-result", "canary-text", "canary-word"),
}
"""None of these, in any spelling of upper and lower context, may be read anywhere."""
SETTINGS: dict[str, dict[str, Any]] = {
    "realtime": {"api_key": KEY, "safety_salt": "canary-salt"},
    "records": {"transcript": False},
    "recovery": {"apology_file": "off"},
}


def found(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary.lower() in text.lower()]


def make_agent() -> Agent:
    agent = Agent("canary-prompt: tell nobody.", name="bakery")

    @agent.tool
    async def look_up(ctx: ToolContext, what: str) -> str:
        logging.getLogger("bakers.own").warning("asked by %s", ctx.call.caller)
        if what.endswith("fail"):
            raise LookupError(f"canary-text of {ctx.call.caller}: {what}")
        return "canary-result"

    @agent.on_start
    async def greet(call: Call) -> None:
        if call.state.get("broken"):
            raise RuntimeError(f"canary-text {call.caller}")

    return agent


@contextmanager
def everything_logged(form: logging.Formatter, level: int = logging.DEBUG) -> Iterator[io.StringIO]:
    """What a program with this formatter would write, and what libraries would add to it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(form)
    ours, root = logging.getLogger("llcphone"), logging.getLogger()
    before = ours.level
    handler.setLevel(level)
    root.addHandler(handler)
    ours.setLevel(logging.DEBUG)
    try:
        yield out
    finally:
        ours.setLevel(before)
        root.removeHandler(handler)


async def talk(stage: Rehearsal, number: int) -> None:
    """A call whose tool answers, then fails."""
    call = await stage.ring(from_=CALLER)
    for _ in range(2):
        await call.hears_out(0.3, 800)
        await call.speak(QUESTION)
    await call.hears(0.3)
    call.hang_up()
    await stage.record(number)


async def fail_in_every_way(stage: Rehearsal) -> None:
    """Calls that end badly, by the model, by Twilio, by us."""
    call = await stage.ring(from_=CALLER)
    await trio.sleep(0.5)
    stage.model.sessions[-1].reset()
    await trio.sleep(3)
    call.vanish()
    await stage.record(2)
    call = await stage.ring(from_=CALLER)  # a bug of ours, with a text that nobody may read
    stage.phone.calls()[0].run._core._break(ValueError(f"canary-text {CALLER} {KEY}"))
    await stage.record(3)
    stage.model.faults = Faults(refuse_update="invalid_value")
    call = await stage.twilio.ring(from_=CALLER)
    await stage.record(4)
    stage.model.faults = Faults()
    for number in (CALLEE, BUSY, REFUSED):
        placed = stage.phone.place_call(number, context=f"canary-context {number}")
        await trio.sleep(3)
        placed.end(EndReason.CANCELLED)
        await placed.wait()


@pytest.mark.parametrize("format_", ["json", "console"])
async def test_nothing_of_a_call_can_be_read_in_logs_figures_or_traces(autojump_clock, format_: str) -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    script = [
        Say("canary-word good morning."),
        CallTool("look_up", {"what": "canary-argument"}),
        Say("canary-word it is so."),
        CallTool("look_up", {"what": "canary-argument fail"}),
        *[Say("canary-word again.")] * 20,
    ]
    config = Config.from_dict({**SETTINGS, "twilio": {"auth_token": AUTH_TOKEN, "account_sid": ACCOUNT_SID}})
    tokens: list[str] = []
    log = LogConfig(format=format_, level="debug")  # type: ignore[arg-type]
    with everything_logged(formatter(log, Mask(secrets_of(config)))) as out:
        async with rehearse(
            make_agent(), script=script, callee=CALLEES.__getitem__, settings=SETTINGS
        ) as stage:
            stage.phone.on_end.append(lambda call: tokens.extend((call.token, call.status_token)))
            with open_metrics(stage.phone) as metrics, trace_calls(stage.phone, provider):
                await talk(stage, 1)
                await fail_in_every_way(stage)
                page = metrics.page().decode()
    logged = out.getvalue()
    assert "asked by «number …09»" in logged, "the tool has run, and its line has come through"
    assert "LookupError" in logged
    assert "call failed here" in logged
    assert found(logged) == []
    assert [token for token in tokens if token in logged + page] == []
    assert found(page) == []
    assert found(json.dumps(as_otlp(list(kept.get_finished_spans())))) == []  # type: ignore[arg-type]
    assert len(re.findall(r"^llcphone_calls_ended_total\{.*\} [1-9]", page, re.M)) >= 5, "so many ways to end"
    if format_ == "json":
        every = [json.loads(line) for line in logged.splitlines()]
        in_calls = [line for line in every if line["logger"] in ("bakers.own", "llcphone.call")]
        assert in_calls
        assert {line["call"] for line in in_calls} <= {record.call_id for record in stage.records}


async def test_nothing_of_a_call_can_be_read_under_a_plain_formatter(autojump_clock) -> None:
    agent = Agent("canary-prompt: tell nobody.", name="bakery")

    @agent.tool
    async def look_up(what: str) -> str:
        raise LookupError(f"canary-text {CALLER}: {what}")

    script = [Say("canary-word good morning."), CallTool("look_up", {"what": "canary-argument"})]
    form = logging.Formatter("%(levelname)s:%(name)s:%(message)s %(event)s", defaults={"event": ""})
    with everything_logged(form, logging.INFO) as out:
        async with rehearse(
            agent,
            script=[*script, *[Say("canary-word.")] * 20],
            callee=CALLEES.__getitem__,
            settings=SETTINGS,
        ) as stage:
            await talk(stage, 1)
            await fail_in_every_way(stage)
    logged = "\n".join(line for line in out.getvalue().splitlines() if ":llcphone" in line)
    assert "tool=look_up error=LookupError" in logged
    assert "call failed call=" in logged
    assert found(logged) == []


# -- the mask -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        CALLER,
        f"From=%2B{CALLER[1:]}&To=x",
        "+1 (555) 867-5309",
        "(555) 867-5309 4",
        "0044 20 7946 0958",
        f"Authorization: Bearer {KEY}",
        "Authorization: Basic QUMwOnNlY3JldA==",
        f"https://{ACCOUNT}:{TOKEN}@api.twilio.com/2010",
        f"postgresql://bakery:{TOKEN}@db/journal",
        f"no such stream: /media/{TOKEN}",
        "sip:anna@example.test",
        f"nested {KEY}, {ACCOUNT} and {CALLER}",
    ],
)
def test_what_looks_like_a_secret_is_hidden_in_whatever_holds_it(text: str) -> None:
    for value in (text, [text], {"a": {"b": (text,)}}, {text: 1}, ValueError(text), text.encode(), Odd(text)):
        shown = repr(Mask().value(value))
        for part in (CALLER[2:], "867-5309", "7946", KEY, ACCOUNT, TOKEN, "QUMwOnNlY3JldA", "anna"):
            assert part not in shown


class Odd:
    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


def test_configured_secrets_are_hidden_wherever_they_stand() -> None:
    secrets = {
        "realtime": {"api_key": "tea-and-biscuits"},
        "journal": {"url": "postgresql://me:pass-word-1@db/x"},
    }
    mask = Mask(secrets_of(Config.from_dict(secrets)))
    assert mask.text("tried tea-and-biscuits at db") == "tried «secret» at db"
    assert mask.text("login pass-word-1 refused") == "login «secret» refused"


@pytest.mark.parametrize(
    "text",
    [
        "0123456789abcdef",  # a call of ours: its id must be found again
        "CA" + "0123456789abcdef" * 2,
        "2026-11-21 03:50",
        "/srv/llcphone/call/run.py:123 in step",
        "port 8081 on 127.0.0.1 is taken",
    ],
)
def test_what_a_log_is_read_for_stays(text: str) -> None:
    assert Mask().text(text) == text


def test_a_traceback_tells_places_and_no_texts() -> None:
    try:
        try:
            raise KeyError(CALLER)
        except KeyError as exc:
            raise ExceptionGroup(f"of {CALLER}", [ValueError(KEY)]) from exc
    except ExceptionGroup as group:
        told = places(group)
    assert found(told) == []
    assert [
        word for word in ("ExceptionGroup", "ValueError", "because of", "KeyError") if word not in told
    ] == []
    assert "test_canaries.py" in told


def test_an_error_that_ends_the_process_is_told_masked() -> None:
    program = (
        "from llcphone.config.log import LogConfig\nfrom llcphone.telemetry.logs import configure_logs\n"
        f"configure_logs(LogConfig(), [{TOKEN!r}])\n"
        "import warnings, logging\n"
        f"warnings.warn({CALLER!r})\nlogging.getLogger('other').error({KEY!r})\n"
        f"raise LookupError({CALLER!r} + ' ' + {KEY!r} + ' ' + {TOKEN!r})\n"
    )
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "LookupError: «number …09» «key» «secret»" in done.stderr
    assert found(done.stderr) == []
    assert traceback.__name__ not in done.stderr


async def test_nothing_of_a_deployment_can_be_read_in_what_the_doctor_says(autojump_clock, tmp_path) -> None:
    destinations = {"anna": {"number": CALLER}}
    settings = {**SETTINGS, "transfers": {"destinations": destinations}, "outbound": {"caller_ids": [CALLEE]}}
    async with rehearse(make_agent(), callee=CALLEES.get, settings=settings) as stage:
        context = DoctorContext(config=stage.config, path=tmp_path / "llcphone.toml", status_pages={})
        findings = await run_checks(context)
    told = "\n".join(
        [*lines(findings), verdict(findings), *(json.dumps(each.as_json()) for each in findings)]
    )
    assert len(findings) > 10
    assert found(told) == []
