"""The fields of a log line are seen by every formatter, and stay apart for those that want them apart."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
import subprocess
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import llcphone
from llcphone import Agent
from llcphone.config.log import LogConfig
from llcphone.runtime.log_lines import Line, SeldomLog, logger
from llcphone.sim.model import CallTool, Say
from llcphone.telemetry.logs import configure_logs, formatter
from llcphone.telemetry.redaction import Mask
from llcphone.testing import rehearse
from tests.calls.stage import QUESTION

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(llcphone.__file__).parent
CONFIGURES = (
    "runtime/log_lines.py",
    "telemetry/logs.py",
    "telemetry/metrics.py",
    "demo/run.py",
    "console/recent_warnings.py",
)
"""Those that look at loggers, and log nothing themselves."""


@contextmanager
def written(form: logging.Formatter, level: int = logging.INFO) -> Iterator[io.StringIO]:
    """What a program with this formatter at its root logger writes."""
    out, root, ours = io.StringIO(), logging.getLogger(), logging.getLogger("llcphone")
    handler = logging.StreamHandler(out)
    handler.setFormatter(form)
    before = root.level, ours.level
    root.addHandler(handler)
    root.setLevel(level)
    ours.setLevel(logging.NOTSET)
    try:
        yield out
    finally:
        root.removeHandler(handler)
        root.setLevel(before[0])
        ours.setLevel(before[1])


def plain() -> logging.Formatter:
    return logging.Formatter(logging.BASIC_FORMAT)


async def test_a_plain_formatter_shows_call_tool_and_reason(autojump_clock) -> None:
    agent = Agent("You answer the telephone of a bakery.", name="bakery")

    @agent.tool
    async def look_up(what: str) -> str:
        """Look something up."""
        raise LookupError(what)

    script = [Say("Good morning."), CallTool("look_up", {"what": "bread"}), Say("Sorry.")]
    with written(plain()) as out:
        async with rehearse(agent, script=script) as stage:
            call = await stage.ring()
            await call.hears_out(0.3, 800)
            await call.speak(QUESTION)
            await call.hears(0.3)
            call.hang_up()
            record = await stage.record(1)
    lines = out.getvalue().splitlines()
    assert (
        f"WARNING:llcphone.call:tool failed call={record.call_id} tool=look_up error=LookupError attempt=1"
        in lines
    )
    (ended,) = [line for line in lines if line.startswith("INFO:llcphone.phone:call ended ")]
    assert f"call={record.call_id}" in ended
    assert f"reason={json.dumps(record.reason.value)}" in ended
    assert "bread" not in out.getvalue()


def test_without_any_set_up_python_shows_the_fields_of_a_warning() -> None:
    program = (
        "from llcphone.runtime.log_lines import logger\n"
        "logger('llcphone.call', call='c1').warning('tool failed', extra={'tool': 'look_up'})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "tool failed call=c1 tool=look_up\n"


def test_json_has_the_fields_apart_and_the_phrase_alone() -> None:
    with written(formatter(LogConfig(format="json"), Mask())) as out:
        logger("llcphone.call", call="c1").warning("tool failed", extra={"tool": "look_up", "took_ms": 12})
    line = json.loads(out.getvalue())
    assert line.pop("timestamp")
    assert line == {
        "event": "tool failed",
        "call": "c1",
        "tool": "look_up",
        "took_ms": 12,
        "level": "warning",
        "logger": "llcphone.call",
    }


@pytest.mark.parametrize("coloured", [False, True])
def test_a_terminal_shows_the_phrase_and_its_fields_on_one_line(
    monkeypatch: pytest.MonkeyPatch, *, coloured: bool
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: coloured)
    with written(formatter(LogConfig(format="console"), Mask(["rye-and-wheat"]))) as out:
        fields = {"tool": "look_up", "why": "no rye-and-wheat", "message_id": 12, "raw": b"bread"}
        try:
            raise LookupError("bread")
        except LookupError:
            logger("llcphone.call", call="c1").error("tool failed", extra=fields, exc_info=True)
        logging.getLogger("another.library").warning("%d of %s", 3, "4=x", extra={"_own": "+15551230001"})
    text = out.getvalue()
    assert ("\x1b[" in text) is coloured
    first, kind, place, second = re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()
    when, first = first.split(" ", 1)
    assert datetime.fromisoformat(when).utcoffset() == timedelta(0)
    assert first == (
        "[error    ] tool failed                    [llcphone.call] "
        "call=c1 message_id=12 raw='«5 bytes»' tool=look_up why='no «secret»'"
    )
    assert kind == "LookupError"
    assert place.startswith(f"  {__file__}:")
    assert second.endswith("[warning  ] 3 of 4=x                       [another.library] _own='«number …01»'")


def test_another_formatter_finds_phrase_and_fields_at_the_record(caplog: pytest.LogCaptureFixture) -> None:
    logger("llcphone.call", call="c1").error("tool failed", extra={"errors": ["KeyError", "OSError"]})
    (record,) = caplog.records
    assert vars(record)["event"] == "tool failed"
    assert (vars(record)["call"], vars(record)["errors"]) == ("c1", ["KeyError", "OSError"])
    assert record.getMessage() == "tool failed call=c1 errors=KeyError,OSError"
    assert record.pathname == __file__, "the line is where it was logged"


async def test_a_line_that_is_seldom_said_shows_its_fields_too(caplog: pytest.LogCaptureFixture) -> None:
    SeldomLog(logger("llcphone.server")).warning("signature refused", status=403)
    assert caplog.messages == ["signature refused count=1 status=403"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3_000, "3000"),
        (0.25, "0.25"),
        (None, "None"),
        ("", '""'),
        ("caller hung up", '"caller hung up"'),
        ("x error=none", '"x error=none"'),
        ("x\nERROR:root:forged", '"x\\nERROR:root:forged"'),
        ('say "hi"', '"say \\"hi\\""'),
        ([], ""),
        (["KeyError", "a b"], 'KeyError,"a b"'),
        ("50%s", "50%s"),
        ("größe", "größe"),
    ],
)
def test_no_value_looks_like_another_field_or_begins_a_line(value: object, shown: str) -> None:
    assert str(Line("odd", {"value": value, "call": "c1"})) == f"odd value={shown} call=c1"


class Costly:
    def __str__(self) -> str:
        raise AssertionError("formatted for nobody")


def test_a_level_that_is_off_costs_no_formatting(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "llcphone")
    logger("llcphone.call", call=Costly()).info("call ended", extra={"reason": Costly()})
    assert caplog.records == []


def calls_that_log(path: Path) -> Iterator[ast.Call]:
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in levels:
            owner = node.func.value
            if (owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")) in ("log", "_log"):
                yield node


OURS = [path for path in sorted(PACKAGE.rglob("*.py")) if "sim" not in path.relative_to(PACKAGE).parts]


def test_every_line_is_a_fixed_phrase_with_fields() -> None:
    seen = 0
    for path in OURS:
        name = str(path.relative_to(PACKAGE))
        assert "getLogger(" not in path.read_text("utf-8") or name in CONFIGURES, f"{name}: use logger()"
        for node in calls_that_log(path):
            seen += 1
            assert len(node.args) == 1, f"{name}:{node.lineno}: fields belong into extra"
            assert isinstance(node.args[0], (ast.Constant, ast.Name, ast.Attribute)), f"{name}:{node.lineno}"
    assert seen > 80


@pytest.mark.parametrize("time", ["first", "again"])
def test_a_test_that_configures_logs_changes_them_for_itself_only(
    time: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Run one after the other in a process: what the first one leaves, the other one would find."""
    logging.getLogger("llcphone.call").warning("call %s", time)
    assert [record.getMessage() for record in caplog.records] == [f"call {time}"]
    configure_logs(LogConfig(level="error"))
    assert not logging.getLogger("llcphone").propagate
