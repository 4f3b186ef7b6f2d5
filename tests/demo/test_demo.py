"""The demo: held for real, and judged by hand-made facts, one planted fault at a time."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import wave
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from rich.console import Console

from llcphone import CallRecord, EndReason
from llcphone.demo import script as story
from llcphone.demo.facts import Entry, Facts, ModelFacts, PhoneFacts
from llcphone.demo.lateness import stalled_s
from llcphone.demo.main import run_demo
from llcphone.demo.summary import show_checks, show_verdict, show_waterfall
from llcphone.demo.verdict import judge
from llcphone.demo.waterfall import Share, waterfall
from llcphone.errors import ConfigError
from llcphone.sim.model.conversation import Item

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_S = 100


def run(out: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """The demo in a process of its own, as a person starts it; warnings are errors."""
    code = f"""
import sys
from pathlib import Path
from llcphone.demo.main import run_demo
sys.exit(run_demo(Path({str(out)!r}), **{options!r}))
"""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=LIMIT_S
    )


@pytest.mark.slow
def test_the_demo_holds_whole_calls_and_writes_what_was_heard(tmp_path: Path) -> None:
    player = tmp_path / "bin/paplay"  # plays one call after the other into a file
    player.parent.mkdir()
    player.write_text(f'#!/bin/sh\ncat >> "{tmp_path}/played"\n')
    player.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "llcphone", "demo", "--play", "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "PATH": f"{player.parent}{os.pathsep}{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "playing" not in done.stdout, "it was heard while it went on"
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 80 + len(str(tmp_path))
    record = json.loads((tmp_path / "out/record.json").read_text())
    assert record["reason"] == "agent hung up"
    assert record["barge_ins"] == 1
    timeline = [json.loads(line) for line in (tmp_path / "out/timeline.jsonl").read_text().splitlines()]
    assert [entry["at_ms"] for entry in timeline] == sorted(entry["at_ms"] for entry in timeline)
    kinds = [entry["kind"] for entry in timeline if entry["party"] == "server"]
    assert (
        kinds.index("agent speaks")
        < kinds.index("tool")
        < kinds.index("barge-in")
        < kinds.index("hanging up")
    )
    with wave.open(str(tmp_path / "out/call.wav")) as sound:
        assert (sound.getnchannels(), sound.getframerate()) == (2, 8000)
        assert sound.getnframes() / 8000 == pytest.approx(record["duration_s"], abs=0.5)
    placed = json.loads((tmp_path / "out/record-outbound.json").read_text())
    assert (placed["direction"], placed["reason"], placed["warm"]) == ("outbound", "agent hung up", "hit")
    timeline = [
        json.loads(line) for line in (tmp_path / "out/timeline-outbound.jsonl").read_text().splitlines()
    ]
    kinds = [entry["kind"] for entry in timeline if entry["party"] == "server"]
    assert kinds.index("session ready") < kinds.index("dialling") < kinds.index("stream started")
    assert "callee answers" in [entry["kind"] for entry in timeline if entry["party"] == "phone"]
    with wave.open(str(tmp_path / "out/call-outbound.wav")) as sound:
        assert sound.getnframes() / 8000 == pytest.approx(placed["duration_s"], abs=1)
    played_s = (tmp_path / "played").stat().st_size / 16_000
    assert played_s == pytest.approx(record["duration_s"] + placed["duration_s"], abs=10)  # rings are silent
    told = done.stdout + "".join(path.read_text() for path in (tmp_path / "out").glob("*outbound.json*"))
    assert story.GUEST not in told
    assert story.BUSY_GUEST not in told


@pytest.mark.slow
def test_a_model_that_refuses_the_session_makes_the_demo_fail(tmp_path: Path) -> None:
    done = run(tmp_path, model_faults={"refuse_update": True}, quiet=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr == ""
    assert "✗ greeting heard soon after the line was open" in done.stdout
    assert json.loads((tmp_path / "record.json").read_text())["reason"] == "model refused the session"
    assert "over: " not in done.stdout  # quiet
    assert "✗ every call was placed and reported\n    nothing of: guest's phone, busy's phone" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("options", ["--mode ivr", "--inbound-only"])
def test_a_reader_that_has_read_enough_is_no_traceback(options: str, tmp_path: Path) -> None:
    command = f"{sys.executable} -m llcphone demo {options} --out {tmp_path}/out | head -n 2"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.stderr == ""
    assert done.stdout == "\nllcphone demo\n"


def test_a_recording_without_speech_is_refused_with_what_would_do(tmp_path: Path) -> None:
    for name, sample in (("silent.ulaw", b"\xff"), ("faint.ulaw", b"\xf0\x70")):
        (tmp_path / name).write_bytes(sample * 12_000)
        with pytest.raises(ConfigError, match=rf"no speech was found in {name}.*Fix: sox {name} louder"):
            run_demo(tmp_path / "out", caller=[tmp_path / name])


def test_a_speech_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "speech.wav"
    broken.write_bytes(b"not a WAV file")
    with pytest.raises(ConfigError, match=r"--caller: cannot be used: speech\.wav"):
        run_demo(tmp_path / "out", caller=[broken])
    assert not (tmp_path / "out").exists()


# -- judging ----------------------------------------------------------------------------------------------


def turn(asked: str, **steps: Any) -> dict[str, Any]:
    names = ("decided_ms", "created_ms", "first_delta_ms", "sent_ms")
    return {"asked": asked, "tools": steps.pop("tools", []), **dict.fromkeys(names), **steps}


def answered(decided_ms: int) -> dict[str, Any]:
    return turn(
        "caller",
        decided_ms=decided_ms,
        created_ms=decided_ms + 280,
        first_delta_ms=decided_ms + 480,
        sent_ms=decided_ms + 480,
    )


def item(type_: str, *, generated_ms: int = 0, truncated_ms: int | None = None, **body: Any) -> Item:
    return Item("", {"type": type_, **body}, generated_ms=generated_ms, truncated_ms=truncated_ms)


def good_facts() -> Facts:
    """A call as it should be; the telephone's clock runs 100 ms ahead of the record's."""
    record = CallRecord(
        call_id="c",
        call_sid="CA",
        direction="inbound",
        agent="casa-verde",
        reason=EndReason.AGENT_HUNG_UP,
        born_at=0.0,
        duration_s=30.0,
        started_after_ms=370,
        ready_after_ms=270,
        dialect="ga",
        attempts=1,
        failure="",
        frames=1500,
        frames_held_back=0,
        turns=(
            turn("greeting", created_ms=550, first_delta_ms=750, sent_ms=750),
            turn("caller", decided_ms=6500, created_ms=6780, tools=["opening_hours"]),
            turn("tools", created_ms=7300, first_delta_ms=7500, sent_ms=7502),
            answered(12_500),
            turn("caller", decided_ms=18_500, created_ms=18_780, tools=["book_table"]),
            turn("tools", created_ms=19_700, first_delta_ms=19_900, sent_ms=19_900),
            answered(26_500),
        ),
        barge_ins=1,
    )
    phone = PhoneFacts(
        born_s=9.9,
        forged_statuses=[403],
        requests=[("voice", 200, 9)],
        started_ms=470.0,
        gave_up="",
        errors=[(31921, "the server closed the stream")],
        said=[(5000.0, 1100.0), (10_100.0, 2000.0), (16_000.0, 2100.0), (24_000.0, 2000.0)],
        ear=[(850.0, 3000.0), (7603.0, 2550.0), (13_080.0, 2900.0), (20_000.0, 3000.0), (27_080.0, 3170.0)],
        clears=[10_153.0],
        media=[(850.0, 200.0), (7603.0, 200.0), (13_080.0, 200.0)],
        open_streams=0,
    )
    model = ModelFacts(
        refusals=["beta_api_shape_disabled"],
        live_sessions=0,
        dialect="ga",
        items=[
            item("message", role="assistant", generated_ms=3000),
            item("function_call", name="opening_hours", call_id="1"),
            item("function_call_output", call_id="1", output="noon to nine"),
            item("message", role="assistant", generated_ms=12_000, truncated_ms=2546),
            item("function_call", name="book_table", call_id="2"),
            item("function_call_output", call_id="2", output='{"time":"19:00","guests":2,"booked":true}'),
            item("message", role="assistant", generated_ms=3170),
        ],
    )
    timeline = [
        Entry(7020, "server", "tool", {"name": "opening_hours", "call_id": "1"}),
        Entry(7021, "server", "tool done", {"call_id": "1", "ok": True, "took_ms": 1}),
        Entry(10_053, "server", "barge-in", {"item": "i"}),
        Entry(19_020, "server", "tool", {"name": "book_table", "call_id": "2"}),
        Entry(19_420, "server", "tool done", {"call_id": "2", "ok": True, "took_ms": 400}),
    ]
    return Facts(dialect="ga", born_s=10.0, record=record, model=model, phone=phone, timeline=timeline)


def failing(facts: Facts) -> list[str]:
    return [check.name for check in judge(facts) if not check.ok]


def test_a_good_call_passes_every_check() -> None:
    assert failing(good_facts()) == []


def planted(**changes: Any) -> Facts:
    """Good facts with a fault: ``phone_ear=...`` changes a fact of the phone, and so on."""
    facts = good_facts()
    for key, value in changes.items():
        party, _, name = key.partition("_")
        if party in ("phone", "model", "record"):
            setattr(facts, party, attrs.evolve(getattr(facts, party), **{name: value}))
        else:
            setattr(facts, key, value)
    return facts


GOOD = good_facts()
assert GOOD.phone is not None
assert GOOD.model is not None
assert GOOD.record is not None

CUT = "interruption: the model's history ends where the caller stopped hearing"
TOLD = "what the tools returned reached the model"
LAST = "the agent's last word was heard before it hung up"
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("the model's message format found by asking", {"model_refusals": []}),
    ("the model's message format found by asking", {"dialect": ""}),
    ("only requests that Twilio signed are believed", {"phone_forged_statuses": [200]}),
    ("greeting heard soon after the line was open", {"phone_ear": [(1500.0, 3000.0), *GOOD.phone.ear[1:]]}),
    ("every turn of the caller was answered", {"phone_ear": [*GOOD.phone.ear[:2], *GOOD.phone.ear[3:]]}),
    (
        "what the tools returned reached the model",
        {"model_items": [*GOOD.model.items[:5], *GOOD.model.items[6:]]},
    ),
    (
        CUT,
        {"phone_ear": [*GOOD.phone.ear[:1], (7603.0, 2500.0), *GOOD.phone.ear[2:]]},
    ),
    (CUT, {"model_items": [*GOOD.model.items[:3], *GOOD.model.items[4:]]}),
    ("interruption: the agent is silent at once", {"phone_media": [*GOOD.phone.media, (10_200.0, 200.0)]}),
    (
        "the agent's last word was heard before it hung up",
        {"phone_ear": [*GOOD.phone.ear[:4], (27_080.0, 2000.0)]},
    ),
    ("ended because the agent hung up", {"record_reason": EndReason.PHONE_LOST}),
    ("ended because the agent hung up", {"phone_errors": [(31920, "HTTP 403")]}),
    ("ended because the agent hung up", {"phone_gave_up": "an answer"}),
    (CUT, {"phone_clears": [10_220.0]}),
    ("no fault in between", {"record_unasked_responses": 1}),
    ("no fault in between", {"timeline": [*GOOD.timeline, Entry(1, "server", "model error", {"code": "x"})]}),
    ("nothing left behind", {"tasks_left": ["call 1"]}),
    ("nothing left behind", {"sockets_left": 1}),
    ("nothing left behind", {"model_live_sessions": 1}),
]


@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=[" ".join(fault) for _, fault in FAULTS])
def test_one_planted_fault_fails_one_check(name: str, fault: dict[str, Any]) -> None:
    assert failing(planted(**fault)) == [name]


SHORT = [attrs.evolve(each, truncated_ms=each.truncated_ms and 2500) for each in GOOD.model.items]
LATE: list[tuple[str, dict[str, Any], tuple[float, float]]] = [
    (CUT, {"model_items": SHORT}, (19.9, 19.94)),
    (CUT, {"phone_clears": [10_220.0]}, (20.06, 20.11)),
    ("greeting heard soon after the line was open", {"phone_started_ms": -200.0}, (10.2, 10.4)),
]


@pytest.mark.parametrize(("name", "fault", "stall"), LATE)
def test_how_late_the_machine_was_does_not_count(
    name: str, fault: dict[str, Any], stall: tuple[float, float]
) -> None:
    assert failing(planted(**fault)) == [name]
    assert failing(planted(**fault, stalls=[stall])) == []
    assert failing(planted(**fault, stalls=[(1.0, 2.0)])) == [name]  # at another moment


def test_what_overlaps_of_two_stalls_counts_once() -> None:
    stalls = [(5.0, 6.0), (1.0, 3.0), (2.0, 4.0), (2.5, 2.6)]
    assert stalled_s(stalls, 0.0, 10.0) == pytest.approx(4.0)
    assert stalled_s(stalls, 2.0, 5.5) == pytest.approx(2.5)
    assert stalled_s([], 0.0, 10.0) == 0.0


def test_a_recording_in_which_no_speech_was_found_is_named() -> None:
    facts = planted(phone_gave_up="an answer", phone_said=[(5000.0, 900.0)], phone_clears=[], own=["sil.wav"])
    (check,) = [each for each in judge(facts) if "waited" in each.evidence or "speech" in each.evidence]
    assert check.evidence == "agent hung up; no speech was found in sil.wav"


def test_a_side_that_never_reported_is_a_failure() -> None:
    facts = planted()
    facts.model = None
    assert failing(facts) == ["every side reported"]


def test_own_recordings_need_no_tools_and_no_interruption() -> None:
    facts = planted(record_reason=EndReason.CALLER_HUNG_UP, phone_clears=[], own=["speech.wav"])
    assert facts.model is not None
    facts.model = attrs.evolve(facts.model, items=[])
    assert failing(facts) == []


def test_the_waterfall_begins_at_the_last_sound_and_ends_at_the_ear() -> None:
    greeting, hours, sunday, booking, farewell = waterfall(good_facts())
    assert [(stretch.name, stretch.ms) for stretch in hours.stretches] == [
        ("turn over", 500),
        ("answer begun", 280),
        ("tool call", 240),
        ("opening_hours", 1),
        ("answer begun", 279),
        ("first audio", 200),
        ("passed on", 2),
        ("heard", 1),
    ]
    assert hours.title == "answer, with opening_hours"
    assert greeting.total_ms == 750
    assert (booking.of(Share.TOOL), booking.of(Share.OURS)) == (400, 0)
    assert (sunday.total_ms, farewell.total_ms) == (980, 1080)


def test_a_greeting_that_waits_for_the_stream_is_not_charged_to_us() -> None:
    facts = planted(record_started_after_ms=900)
    assert facts.record is not None
    first = facts.record.turns[0] | {"sent_ms": 900}
    facts = planted(record_started_after_ms=900, record_turns=(first, *facts.record.turns[1:]))
    greeting = waterfall(facts)[0]
    assert (greeting.of(Share.LINE), greeting.of(Share.OURS)) == (150, 0)


def test_everything_shown_fits_eighty_columns() -> None:
    console = Console(width=200, file=io.StringIO(), highlight=False)  # wider: rich must not do the wrapping
    assert shown_lines(console, 80)


def test_everything_shown_fits_forty_columns_without_a_word_cut() -> None:
    narrow = shown_lines(Console(width=40, file=io.StringIO(), highlight=False), 40)
    assert "  ✓ interruption: the model's history" in narrow
    assert "    ends where the caller stopped" in narrow
    assert "     over 500 · answer begun 280 · tool" not in narrow  # names and their figures stay together


def shown_lines(console: Console, width: int) -> list[str]:
    show_waterfall(console, waterfall(good_facts()))
    bad = judge(planted(phone_gave_up="an answer", model_refusals=["x" * 40] * 4))
    show_checks(console, "The call that came in", bad)
    show_verdict(console, bad)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue().splitlines()
    assert any("500" in line for line in shown)
    assert max(map(len, shown)) <= width
    return shown
