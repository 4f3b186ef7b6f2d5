"""Black boxes of whole calls, and ``llcphone replay``: a field problem becomes a test by copying one file."""

from __future__ import annotations

import errno
import json
import stat
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone import Agent, ConfigError, EndReason
from llcphone.call.run import CallRun
from llcphone.cli.entry import app
from llcphone.cli.replay import run_replay
from llcphone.config import RecordsConfig
from llcphone.engine import CallEngine
from llcphone.engine.events import Born, EndAsked, Tick
from llcphone.engine.parts.playout import Playout
from llcphone.engine.parts.sent_audio import Cut
from llcphone.engine.tape.recorder import Replay, replay
from llcphone.phone import black_box
from llcphone.phone.black_box import open_black_boxes
from llcphone.sim.model import CallTool, Say
from llcphone.sim.twilio import Callee
from llcphone.testing import AUTH_TOKEN, NUMBER, rehearse
from tests.calls.memory import Turn, media, open_memory
from tests.calls.stage import INTERRUPTION, QUESTION, nothing_left, rehearsal
from tests.engine.setups import call_limits, call_setup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path


CALLER, CALLEE = "+15551230099", "+15551239999"
WORDS = ["Zitrone", "Birne", "Orchidee", "Melisse", "Kirsche", "Dattel", "48151623"]
CANARIES = [*WORDS, CALLER[1:], CALLEE[1:], NUMBER[1:], AUTH_TOKEN, "sk-rehearsal"]


@pytest.fixture(autouse=True)
def quick_disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time would pass by a thread that is still writing."""

    async def inline(function: Callable[..., Any], *args: Any, abandon_on_cancel: bool = False) -> Any:
        await trio.lowlevel.checkpoint()
        return function(*args)

    if "autojump_clock" in request.fixturenames:
        monkeypatch.setattr(black_box, "_in_thread", inline)


def tapes_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def agent_with_tools() -> Agent:
    agent = Agent("You are the Zitrone. Never say Birne.")
    agent.offer_hang_up("Say Orchidee, then end the call.")

    @agent.tool(lean=True)
    async def look_up(name: str) -> str:
        "Find Orchidee by name."
        return f"{name} is Melisse"

    return agent


# -- whole calls --------------------------------------------------------------------------------


@asynccontextmanager
async def asked(script: list[Any], folder: Path) -> AsyncIterator[Any]:
    """A caller who has been greeted and has asked something."""
    records = {"blackbox_dir": str(folder)}
    async with rehearsal(script=script, agent=agent_with_tools(), records=records) as stage:
        call, session = await stage.ring(from_=CALLER), await stage.session()
        await call.hears(0.5)
        await call.silence_for(300)
        await call.speak(QUESTION)
        yield stage, call, session


async def an_inbound_call(folder: Path) -> None:
    """Barge-in, a tool, keys, and a good-bye."""
    script = [
        "Hello, this is Kirsche.",
        Say("A very long answer about Kirsche and the rest.", 12_000),
        CallTool("look_up", {"name": "Dattel"}),
        "It is Melisse.",
        [Say("Good-bye, Kirsche!", 1500), CallTool("hang_up")],
    ]
    async with asked(script, folder) as (stage, call, session):
        await call.hears(2.0)
        call.press("48151623")
        call.speak_nowait(INTERRUPTION)
        await session.receives("conversation.item.truncate")
        await call.silence_for(3_000)
        await call.speak(QUESTION)
        record = await stage.record()
        assert record.reason is EndReason.AGENT_HUNG_UP
        assert record.barge_ins == 1
        assert record.digits == 8
        assert ["look_up"] in [turn["tools"] for turn in record.turns]
        assert "Kirsche" in str(record.transcript)


async def an_outbound_call(folder: Path) -> None:
    """Dialled, answered, spoken to, hung up."""
    records = {"records": {"blackbox_dir": str(folder)}}
    script = ["Your table is booked, Kirsche."]
    async with rehearse(agent_with_tools(), script=script, callee=Callee(), settings=records) as stage:
        call = stage.phone.place_call(CALLEE, context="The table is for Dattel.")
        callee = await stage.twilio.outbound(1)
        await callee.stream_started()
        await callee.speak(INTERRUPTION)
        await callee.hears(0.5)
        callee.hang_up()
        assert (await call).reason is EndReason.CALLER_HUNG_UP


async def a_call_to_nobody(folder: Path) -> None:
    """Dialled and never answered: the tape of a call without a stream."""
    records = {"records": {"blackbox_dir": str(folder)}}
    callee = Callee(outcome="no-answer")
    async with rehearse(agent_with_tools(), callee=callee, settings=records) as stage:
        assert (await stage.phone.place_call(CALLEE)).reason is EndReason.NO_ANSWER


async def a_call_that_loses_its_model(folder: Path) -> None:
    """The model's socket is reset in the middle of an answer."""
    script = ["Hello, Kirsche.", Say("A long answer about Birne and the rest.", 8_000), "Where were we?"]
    async with asked(script, folder) as (stage, call, session):
        await call.hears(1.0)
        session.reset()
        await call.silence_for(6_000)
        call.hang_up()
        assert (await stage.record()).attempts == 2


WHOLE_CALLS = [an_inbound_call, an_outbound_call, a_call_to_nobody, a_call_that_loses_its_model]


@pytest.mark.parametrize("hold", WHOLE_CALLS, ids=lambda hold: hold.__name__)
async def test_a_whole_call_is_decided_again_and_nothing_personal_is_on_its_tape(
    hold: Callable[[Path], Awaitable[None]], tmp_path, autojump_clock
) -> None:
    async with nothing_left():
        await hold(tmp_path)
    (path,) = tapes_in(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    outcome = replay_file(path)
    assert outcome.difference is None
    assert outcome.cut == ""
    assert outcome.steps > 8
    text = path.read_text().lower()
    assert [canary for canary in CANARIES if canary.lower() in text] == []
    assert '"endcall"' in text.splitlines()[-1]
    assert '"is":"frames"' in text or hold is a_call_to_nobody


def replay_file(path: Path) -> Replay:
    return replay(path.read_bytes().splitlines(keepends=True))


async def test_a_changed_rule_is_found_at_the_first_step_it_changes(tmp_path, autojump_clock, monkeypatch):
    await an_inbound_call(tmp_path)
    (path,) = tapes_in(tmp_path)
    interrupt = Playout.interrupt

    def generous(playout: Playout, now_ms: int) -> Any:
        found = interrupt(playout, now_ms)
        cuts = (
            tuple(Cut(c.item_id, c.response_id, c.heard_ms + 100, c.generated_ms) for c in found.cuts)
            if found
            else ()
        )
        return attrs.evolve(found, cuts=cuts) if found else None

    before = path.read_bytes()
    heard_ms = next(
        command[1]["message"][1]["audio_end_ms"]
        for line in map(json.loads, before.splitlines())
        for command in line.get("decided", ())
        if command[1].get("message", ("",))[0] == "Truncate"
    )
    with monkeypatch.context() as changed:
        changed.setattr(Playout, "interrupt", generous)
        told: list[str] = []
        assert run_replay(path, accept=False, tell=told.append) == 1
        assert path.read_bytes() == before
        text = "\n".join(told)
        assert "Another decision at step" in text
        assert "SpeechStarted" in told[0]
        assert "- SendModel Truncate item_id=" in text
        assert f"audio_end_ms={heard_ms}\n" in text
        assert f"audio_end_ms={heard_ms + 100}\n" in text
        assert run_replay(path, accept=True, tell=told.append) == 0  # the rule was meant to change
        assert run_replay(path, accept=False, tell=told.append) == 0
        assert told[-1].startswith("The same decisions: ")
    assert replay_file(path).difference is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tapes_in(tmp_path) == [path]


async def test_a_fault_in_the_field_is_met_again_on_the_desk(tmp_path, autojump_clock, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("Zitrone")

    records = RecordsConfig(blackbox_dir=str(tmp_path))
    with monkeypatch.context() as fault:
        fault.setattr("llcphone.engine.policies.barge_in.BargeIn.speech_started", broken)
        boxes = open_black_boxes(records)
        async with boxes as taping, open_memory(turns=[Turn(800)], taping=taping) as stage:
            call = stage.answer()
            await wait_all_tasks_blocked()
            stage.join(call).put(media())
            await wait_all_tasks_blocked()
            stage.model.put(*stage.mind.caller_turn())
            assert (await call.wait()).reason is EndReason.FAILED
        (path,) = tapes_in(tmp_path)
        assert path.stem == call.call_id
        assert "raised ZeroDivisionError" in path.read_text().splitlines()[-1]
        assert replay_file(path).difference is None
    assert replay_file(path).difference is not None


# -- the command --------------------------------------------------------------------------------


@attrs.frozen
class Mini:
    """A tape that was made by hand, without a call."""

    path: Path

    async def record(self, **limits: int) -> None:
        setup = call_setup(limits=call_limits(**limits))
        async with open_black_boxes(RecordsConfig(blackbox_dir=str(self.path.parent))) as taping:
            assert taping is not None
            tape = taping(self.path.stem, CallEngine(setup))
            tape.handle(Born(), 1_000)
            tape.handle(Tick(), 3_500)
            tape.handle(EndAsked(EndReason.DRAINED), 4_000)
            tape.close()


async def test_the_command_tells_in_one_line_that_all_was_decided_again(tmp_path, capsys) -> None:
    await Mini(tmp_path / "c1.jsonl").record()
    assert await trio.to_thread.run_sync(exit_code, "replay", str(tmp_path / "c1.jsonl")) == 0
    out = capsys.readouterr().out
    assert out.startswith("The same decisions: 3 steps and 0 frames over 3.0 s, recorded by llcphone ")
    assert out.count("\n") == 1


def exit_code(*words: str) -> Any:
    with pytest.raises(SystemExit) as caught:
        app(words)
    return caught.value.code


@pytest.mark.parametrize(
    "content", [None, b"", b"not a tape\n", b"\x00\xff"], ids=["absent", "empty", "text", "bytes"]
)
def test_a_file_that_is_no_tape_is_one_line_and_not_a_traceback(content: bytes | None, tmp_path):
    path = tmp_path / "calls.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"calls\.jsonl: cannot be replayed: "):
        run_replay(path, accept=True, tell=print)
    assert (path.read_bytes() if content is not None else None) == content


# -- files --------------------------------------------------------------------------------------


async def test_black_boxes_are_off_and_cost_nothing_unless_a_folder_is_set(autojump_clock) -> None:
    async with open_black_boxes(RecordsConfig()) as taping:
        assert taping is None
    async with open_memory() as stage:
        run = stage.answer().run
        assert isinstance(run, CallRun)
        assert run._core._decider is run._core.engine


@pytest.mark.parametrize("limit", range(4_096, 4_196, 9))
async def test_a_tape_stays_within_its_limit_and_says_that_it_was_cut(
    limit: int, tmp_path, autojump_clock, monkeypatch
) -> None:
    monkeypatch.setattr("llcphone.phone.black_box.TAPE_LIMIT", limit)
    records = RecordsConfig(blackbox_dir=str(tmp_path / "new" / "folder"))
    engine = CallEngine(call_setup())
    async with open_black_boxes(records) as taping:
        assert taping is not None
        tape = taping("c1", engine)
        tape.handle(Born(), 0)
        for now_ms in range(1, 200):
            tape.handle(Tick(), now_ms)
        tape.close()
    path = tmp_path / "new" / "folder" / "c1.jsonl"
    assert limit - 300 < path.stat().st_size <= limit
    outcome = replay_file(path)
    assert (outcome.cut, outcome.difference) == ("the limit of one tape", None)
    told: list[str] = []
    assert run_replay(path, accept=False, tell=told.append) == 0
    assert told[1:] == ["The tape ends before its call: the limit of one tape."]


async def test_tapes_of_calls_that_are_cancelled_are_written_to_their_last_frame(tmp_path, autojump_clock):
    records = RecordsConfig(blackbox_dir=str(tmp_path))
    with trio.CancelScope() as everything:
        async with open_black_boxes(records) as taping, open_memory(taping=taping) as stage:
            call = stage.answer()
            await wait_all_tasks_blocked()
            ear = stage.join(call)
            await wait_all_tasks_blocked()
            ear.put(*[media()] * 7)
            await wait_all_tasks_blocked()
            everything.cancel()
            await trio.sleep_forever()
    (path,) = tapes_in(tmp_path)
    assert json.loads(path.read_text().splitlines()[-1])["frames"] == 7
    outcome = replay_file(path)
    assert (outcome.difference, outcome.frames) == (None, 7)


async def test_lines_are_written_in_batches_and_never_in_the_calls_own_step(tmp_path, autojump_clock) -> None:
    records = RecordsConfig(blackbox_dir=str(tmp_path))
    sizes: list[int] = []
    async with open_black_boxes(records) as taping:
        assert taping is not None
        await trio.sleep(1)
        tapes = [taping(f"c{number}", CallEngine(call_setup())) for number in range(20)]
        for now_ms in range(200):
            for tape in tapes:
                tape.handle(Born() if now_ms == 0 else Tick(), now_ms)
            assert sizes == [each.stat().st_size for each in tapes_in(tmp_path)]
            await trio.sleep(0.005)
            sizes = [each.stat().st_size for each in tapes_in(tmp_path)]
        written = sum(sizes)
        await trio.sleep(2)
        assert tapes[0]._write.__self__.boxes.waiting == 0  # type: ignore[attr-defined]
        before = trio.current_time()
    assert trio.current_time() == before  # who has nothing to write is not waited for
    assert len(tapes_in(tmp_path)) == 20
    assert all(replay_file(path).steps == 200 for path in tapes_in(tmp_path))
    assert 0 < written < sum(each.stat().st_size for each in tapes_in(tmp_path))


async def test_a_thread_writes_the_tape_to_its_end_before_the_phone_is_left(tmp_path) -> None:
    await Mini(tmp_path / "c1.jsonl").record()
    assert replay_file(tmp_path / "c1.jsonl").steps == 3


@pytest.mark.parametrize("when", ["from the start", "later"])
async def test_a_disk_that_refuses_costs_the_tape_and_one_line_in_the_log(
    when: str,
    tmp_path,
    autojump_clock,
    monkeypatch,
    caplog,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space", str(tmp_path))

    async with open_black_boxes(RecordsConfig(blackbox_dir=str(tmp_path))) as taping:
        assert taping is not None
        if when == "later":
            await trio.sleep(1)
        monkeypatch.setattr("builtins.open", full)
        engine = CallEngine(call_setup())
        tape = taping("c1", engine)
        assert tape.handle(Born(), 0)
        for now_ms in range(1, 5):
            await trio.sleep(2)
            tape.handle(Tick(), now_ms)
        assert tape.handle(EndAsked(EndReason.DRAINED), 10)
        tape.close()
        monkeypatch.undo()
    assert [(record.event, record.error) for record in caplog.records] == [("tape lost", "OSError")]  # type: ignore[attr-defined]
    assert str(tmp_path) not in caplog.text


async def test_a_dead_disk_keeps_no_process_alive_and_no_unbounded_memory(
    tmp_path, autojump_clock, monkeypatch
) -> None:
    monkeypatch.setattr(black_box, "_MOST_WAITING", 10_000)
    stuck = trio.Event()

    async def never(*_: object, **__: object) -> None:
        stuck.set()
        await trio.sleep_forever()

    async with open_black_boxes(RecordsConfig(blackbox_dir=str(tmp_path))) as taping:
        assert taping is not None
        monkeypatch.setattr(black_box, "_in_thread", never)
        tape = taping("c1", CallEngine(call_setup()))
        tape.handle(Born(), 0)
        await stuck.wait()
        for now_ms in range(1, 500):
            tape.handle(Tick(), now_ms)
        box: Any = tape._write.__self__  # type: ignore[attr-defined]
        assert box.boxes.waiting <= 10_200
        assert json.loads(box.waiting[-1]) == {"is": "cut", "why": "the disk is too slow"}
        before = trio.current_time()
    assert 4 < trio.current_time() - before < 6


async def test_a_folder_that_cannot_be_made_is_a_wrong_setting(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="blackbox_dir: this folder cannot be made: ENOTDIR"):
        async with open_black_boxes(RecordsConfig(blackbox_dir=str(tmp_path / "file" / "folder"))):
            raise AssertionError("never opened")
