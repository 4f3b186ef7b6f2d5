"""Whole calls that are recorded, against the simulated telephone's own recording of them."""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
import time
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, CallHandle, ConfigError, Outcome, open_phone
from llcphone.config import Config, RecordsConfig
from llcphone.recorder import recorder as recorder_module
from llcphone.recorder.folder import head_at
from llcphone.recorder.recorder import open_recorder
from llcphone.recorder.wav import About, head_of
from llcphone.sim.model import CallTool, Pace, Say
from llcphone.sim.twilio import Callee, CallFaults, DialOutcome
from llcphone.sim.twilio.wire import Wire
from llcphone.testing import rehearse
from llcphone.twilio.media import Media
from tests.calls.stage import GOODBYE, INTERRUPTION, QUESTION, nothing_left

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llcphone.recorder.wav import Head
    from llcphone.sim.twilio import SimCall
    from llcphone.testing import Rehearsal

CLOSE = 160
"""20 ms in samples: how far our recording may be from the telephone's."""
VOICE = re.compile(rb"[^\xff\x7f]+(?:[\xff\x7f]{1,639}[^\xff\x7f]+)*")
"""Sound, with pauses of less than 80 ms in it."""
SALES = "+15550100001"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audio"


@asynccontextmanager
async def staged(
    folder: Path, script: Any = None, *, agent: Agent | None = None, **how: Any
) -> AsyncIterator[Rehearsal]:
    settings = {"records": {"audio_dir": str(folder)}, **how.pop("settings", {})}
    async with (
        nothing_left(),
        rehearse(agent or Agent("Be brief."), script=script, settings=settings, **how) as stage,
    ):
        yield stage


def channels(path: Path) -> tuple[Head, bytes, bytes]:
    """Head, caller and agent of a recording."""
    head = head_at(path)
    assert head is not None
    audio = path.read_bytes()[len(head.text) :]
    assert len(audio) == 2 * head.samples
    assert path.read_bytes()[: len(head.text)] == head.text
    return head, audio[::2], audio[1::2]


def voices_in(line: bytes) -> list[tuple[int, int, bytes]]:
    return [(match.start(), match.end(), match[0]) for match in VOICE.finditer(line)]


def agrees(call: SimCall, recording: Path, stream: int = 0) -> None:
    """Each stretch of sound is in the recording, as long as the telephone heard it, and nothing else is."""
    began = call.record.streams[stream].started_at_ms
    ended = call.record.streams[stream].ended_at_ms
    assert began is not None
    assert ended is not None
    _, caller, agent = channels(recording)
    for ours, theirs in ((caller, call.said_ulaw()), (agent, call.heard_ulaw())):
        found, expected = voices_in(ours), voices_in(theirs[began * 8 : ended * 8])
        assert len(found) == len(expected) > 0
        for (begin, end, sound), (first, last, original) in zip(found, expected, strict=True):
            assert abs(begin - first) <= CLOSE, f"{(begin - first) / 8} ms"
            assert abs(end - last) <= CLOSE, f"{(end - last) / 8} ms"
            both = min(len(sound), len(original))
            assert sound[:both] == original[:both]
    assert abs(len(caller) - (ended - began) * 8) <= 5 * CLOSE  # the closing handshake, too


def files(folder: Path) -> list[Path]:
    """In the order of their last change."""
    return sorted(folder.iterdir(), key=os.path.getmtime)


def only(folder: Path) -> Path:
    (path,) = files(folder)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_call_with_barge_ins_is_recorded_as_its_caller_heard_it(
    folder: Path, no_threads, autojump_clock
) -> None:
    def script(turn: int, *conversation: Any) -> Say:
        return Say("Hello.", 1_500) if turn == 1 else Say("A long answer.", 12_000)

    async with staged(folder, script) as stage:
        call = await stage.ring()
        await call.hears_out(1.0, 300)
        await call.speak(QUESTION)
        for _ in range(3):
            await call.hears(1.7)
            await call.speak(INTERRUPTION)
        await call.hears(1.2)
        call.speak_nowait(GOODBYE)
        await trio.sleep(0.5)
        call.hang_up()
        record = await stage.record()
        assert record.barge_ins >= 2
        await call.ended()
    path = only(folder)
    assert path.name == f"{record.call_id}.wav"
    agrees(call, path)
    assert (mode(path), mode(folder)) == (0o600, 0o700)
    about = channels(path)[0].about
    assert (about.call, about.call_sid, about.resumed_from) == (record.call_id, record.call_sid, "")
    assert about.caller == call.fields["From"]
    assert about.after_birth_ms == pytest.approx(record.started_after_ms, abs=50)
    assert about.began_at == pytest.approx(time.time(), abs=3_600)


async def test_a_model_that_stalls_and_frames_that_are_lost_are_silence(
    folder: Path, no_threads, autojump_clock
) -> None:
    """The answer is slower than speech, so the telephone runs dry; the caller's network loses a second."""
    pace = Pace(speed=0.5, delta_ms=400)
    async with staged(folder, [Say("Hello.", 3_000)], pace=pace) as stage:
        call = await stage.ring(faults=CallFaults(gap_after_s=8.0, gap_s=1.0))
        await call.speak(INTERRUPTION)
        await call.heard_audio(2_000)
        call.hang_up()
        await stage.record()
        await call.ended()
    agrees(call, only(folder))
    assert len(voices_in(channels(only(folder))[2])) > 3


async def test_a_socket_that_is_held_up_is_heard_late_and_recorded_late(
    folder: Path, no_threads, autojump_clock
) -> None:
    """Answers wait for two seconds on their way: once whole, once with a clear behind them."""
    script = [Say("Hello.", 1_000), Say("An answer.", 3_000), Say("A long one.", 9_000), Say("Yes.", 1_000)]
    async with staged(folder, script) as stage:
        call = await stage.ring()
        await call.hears_out(0.8, 300)
        call.stop_reading()
        call.speak_nowait(QUESTION)
        await trio.sleep(5)
        call.read_on()
        await call.hears_out(2.8, 300)
        call.stop_reading()
        call.speak_nowait(QUESTION)
        await trio.sleep(5)
        await call.speak(INTERRUPTION)
        call.read_on()
        await call.hears_out(0.8, 300)
        call.hang_up()
        record = await stage.record()
        await call.ended()
    assert record.barge_ins == 1
    agrees(call, only(folder))


@pytest.mark.parametrize("seed", range(3))
async def test_a_network_with_jitter_moves_no_sound(
    folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int, no_threads, autojump_clock
) -> None:
    """What the telephone reads and sends is late by up to 60 ms; marks and frames keep their order."""
    chance, begun = Random(seed), trio.Event()
    receive, send = Wire.receive_some, Wire.send_all
    under_way, arriving = trio.open_memory_channel[tuple[Wire, bytes]](1_000)

    async def receive_late(wire: Wire, most: int | None = None) -> bytes | bytearray:
        data = await receive(wire, most)
        await trio.sleep(chance.uniform(0, 0.06) if begun.is_set() else 0)
        return data

    async def send_late(wire: Wire, data: bytes) -> None:
        under_way.send_nowait((wire, data))
        await trio.lowlevel.checkpoint()

    async def carry() -> None:
        async for wire, data in arriving:
            late_s = chance.choice((0.0, 0.0, 0.0, chance.uniform(0, 0.06)))
            await trio.sleep(late_s if begun.is_set() else 0)
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await send(wire, data)

    monkeypatch.setattr(Wire, "receive_some", receive_late)
    monkeypatch.setattr(Wire, "send_all", send_late)
    monkeypatch.setattr(Wire, "send_now", lambda wire, text: False)
    script = [Say("Hello.", 1_500), Say("A long answer.", 12_000), Say("Yes.", 2_000)]
    async with staged(folder, script) as stage, trio.open_nursery() as nursery:
        nursery.start_soon(carry)
        call = await stage.ring()
        begun.set()
        await call.hears_out(1.0, 300)
        await call.speak(QUESTION)
        await call.hears(3.0)
        await call.speak(INTERRUPTION)
        await call.hears_out(1.0, 300)
        await trio.sleep(1)
        call.hang_up()
        record = await stage.record()
        await call.ended()
        nursery.cancel_scope.cancel()
    assert record.barge_ins == 1
    agrees(call, only(folder))


async def test_the_agent_ends_the_call_and_the_recording_ends_with_it(
    folder: Path, no_threads, autojump_clock
) -> None:
    agent = Agent("Be brief.")
    agent.offer_hang_up()
    script = [Say("Hello.", 1_000), [Say("Good-bye.", 1_000), CallTool("hang_up", {})]]
    async with staged(folder, script, agent=agent) as stage:
        call = await stage.ring()
        await call.hears_out(0.8, 300)
        await call.speak(QUESTION)
        await stage.record()
        await call.ended()
    agrees(call, only(folder))


def receptionist() -> Agent:
    agent = Agent("Be brief.")

    @agent.tool(lean=True)
    async def put_through(call: CallHandle) -> Outcome:
        return await call.transfer("sales", summary="A cake.")

    return agent


def transfers(turn: int, conversation: list[dict[str, Any]], tools: list[Any]) -> Any:
    texts = str(conversation)
    if "tried to put the caller through" in texts:
        return Say("They are not there.", 1_000)
    if turn == 1:
        return Say("Hello.", 1_000)
    return CallTool("put_through", {}) if "function_call_output" not in texts else Say("One moment.", 1_000)


async def test_each_run_of_a_call_has_a_file_that_names_the_one_before(
    folder: Path, no_threads, autojump_clock
) -> None:
    destinations = {"sales": {"number": SALES}}
    dial = DialOutcome(status="no-answer", ring_s=2.0)
    settings = {"transfers": {"destinations": destinations}}
    async with staged(folder, transfers, agent=receptionist(), settings=settings, dial_outcome=dial) as stage:
        call = await stage.ring()
        await call.hears_out(0.5, 300)
        await call.speak(QUESTION)
        first = await stage.record(1)
        await call.stream_started(2)
        await call.hears_out(0.5, 500)
        call.hang_up()
        second = await stage.record(2)
        await call.ended()
        assert call.record.documents[0].count("This call is recorded.") == 1
        assert not any("recorded" in each for each in call.record.documents[1:])
    paths = [folder / f"{each.call_id}.wav" for each in (first, second)]
    assert sorted(paths) == sorted(files(folder))
    for number, path in enumerate(paths):
        agrees_with_stream(call, path, number)
    heads = [channels(path)[0] for path in paths]
    assert heads[1].about.resumed_from == first.call_id
    assert [head.about.run_number for head in heads] == [0, 1]


def agrees_with_stream(call: SimCall, path: Path, number: int) -> None:
    """As ``agrees``; in the second run nobody but the agent speaks."""
    began, ended = call.record.streams[number].started_at_ms, call.record.streams[number].ended_at_ms
    assert began is not None
    assert ended is not None
    _, _, agent = channels(path)
    expected = voices_in(call.heard_ulaw()[began * 8 : ended * 8])
    found = voices_in(agent)
    assert len(found) == len(expected) > 0
    for (begin, end, _), (first, last, _) in zip(found, expected, strict=True):
        assert abs(begin - first) <= CLOSE
        assert abs(end - last) <= CLOSE


# -- who is told ------------------------------------------------------------------------------


async def test_people_who_are_called_are_told_first(folder: Path, no_threads, autojump_clock) -> None:
    async with staged(folder, ["Hello."], callee=Callee()) as stage:
        call = stage.phone.place_call("+15551230001")
        await trio.sleep(10)
        await stage.twilio.calls[0].stream_started()
        assert stage.twilio.calls[0].record.verbs[:2] == ["Say", "Connect"]
        await trio.sleep(1)
        call.end()
        await call
    assert only(folder).stem == call.call_id
    assert channels(only(folder))[0].about.call_sid == call.call_sid != ""


async def test_a_run_is_not_recorded_if_the_one_before_was_not(
    folder: Path, no_threads, autojump_clock
) -> None:
    async with open_recorder(RecordsConfig(audio_dir=str(folder))) as recorder:
        assert recorder is not None
        for before in ("", "a" * 16, "b" * 16):
            recording = recorder.of_call(About((before or "c" * 16)[::-1], resumed_from=before), born_at=0.0)
            recording.tap(lambda message: None)(b'{"event":"start"}')
            (folder / f"{'b' * 16}.wav").touch()
            await trio.sleep(1)
            recording.close()
    assert sorted(path.stem for path in files(folder)) == ["b" * 16, "c" * 16]


async def test_without_a_notice_the_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"transfers\.record_notice"):
        Config.from_dict({"records": {"audio_dir": "audio"}, "transfers": {"record_notice": " "}})


async def test_off_nothing_is_recorded_and_nothing_said(tmp_path: Path, no_threads, autojump_clock) -> None:
    async with open_recorder(RecordsConfig()) as recorder:
        assert recorder is None
    async with rehearse(Agent("Be brief."), script=["Hello."]) as stage:
        call = await stage.ring()
        assert call.record.verbs == ["Connect"]
        assert stage.phone.calls()[0].run._services.recording is None


# -- files ------------------------------------------------------------------------------------


async def test_at_any_moment_the_file_can_be_played(folder: Path, no_threads, autojump_clock) -> None:
    """As it is found after ``kill -9``: a second and what is written just now are missing."""
    async with staged(folder, [Say("Hello.", 20_000)]) as stage:
        call = await stage.ring()
        await call.hears(6.0)
        head, _, agent = channels(only(folder))
        assert 4.0 <= head.duration_s <= 7.0
        assert voices_in(agent)
        path = only(folder)
        path.unlink()  # somebody purges it during the call
        await call.hears(3.0)
        call.hang_up()
        await stage.record()
    assert not path.exists()


async def test_old_recordings_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path
    old, young, others = (folder / name for name in (f"{'a' * 16}.wav", f"{'b' * 16}.wav", "old.wav"))
    for path in (old, young, others):
        path.write_bytes(head_of(About(path.stem), 0))
    for path in (old, others):
        os.utime(path, (1, 1))
    async with open_recorder(RecordsConfig(audio_dir=str(folder), audio_days=0)):
        await trio.sleep(0.05)
    assert old.exists()
    async with open_recorder(RecordsConfig(audio_dir=str(folder), audio_days=1)):
        with trio.fail_after(20):
            while old.exists():  # noqa: ASYNC110 (a thread sets no event)
                await trio.sleep(0.01)
    assert young.exists()
    assert others.exists()


async def test_a_folder_that_cannot_be_made_or_written_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder, why in (("file/audio", "cannot be made: ENOTDIR"), ("file", "cannot be made: EEXIST")):
        config = Config.from_dict({"records": {"audio_dir": str(tmp_path / folder), "path": ""}})
        with pytest.raises(ConfigError, match=rf"records\.audio_dir: this folder {why}"):
            async with open_phone(config, Agent("Be brief.")):
                pass


# -- disks ------------------------------------------------------------------------------------


async def speaks_on(stage: Rehearsal) -> None:
    """A call in which the agent is heard, whatever the disk does."""
    call = await stage.ring()
    await call.hears_out(1.4, 300)
    await call.speak(QUESTION)
    await call.hears(1.0)
    call.hang_up()
    await call.ended()


async def test_a_full_disk_ends_recordings_but_no_call_and_is_said_once(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    no_threads,
    autojump_clock,
) -> None:
    full = threading.Event()
    pwrite = os.pwrite

    def refuse(fd: int, data: Any, at: int) -> int:
        if full.is_set():
            raise OSError(errno.ENOSPC, "no space left")
        return pwrite(fd, bytes(data[:1000]), at)  # and some disks take less at once

    monkeypatch.setattr(os, "pwrite", refuse)
    script = [Say("Hello.", 1_500), Say("We are open.", 5_000)] * 3
    async with staged(folder, script) as stage:
        await speaks_on(stage)
        whole = channels(only(folder))[0].samples
        full.set()
        await speaks_on(stage)
        await speaks_on(stage)
        assert {record.reason.value for record in stage.records} == {"caller hung up"}
    said = [record for record in caplog.records if record.name == "llcphone.recorder"]
    assert [(each.event, each.error) for each in said] == [("a recording ends before its call", "ENOSPC")]  # type: ignore[attr-defined]
    assert whole > 3 * 8000
    assert [head_at(path) is None for path in files(folder)].count(True) == 2


async def test_a_disk_that_does_not_answer_touches_no_call_and_memory_stays_bounded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In real time, for the disk is a thread."""
    stuck, writes = threading.Event(), threading.Event()
    write_all = recorder_module._write_all

    def wait(jobs: Any, pause_s: float) -> Any:
        writes.set()
        stuck.wait(60)
        return write_all(jobs, pause_s)

    monkeypatch.setattr(recorder_module, "_write_all", wait)
    async with open_recorder(RecordsConfig(audio_dir=str(folder))) as recorder:
        assert recorder is not None
        first = recorder.of_call(About("a" * 16), born_at=0.0)
        take = first.tap(lambda message: None)
        with trio.fail_after(20):
            while not writes.is_set():  # noqa: ASYNC110 (a thread sets no event)
                await trio.sleep(0.01)
        for number in range(2_000):
            take(b'{"event":"media","media":{"payload":"////"}}')
            first.sent(Media(b"////" * 25_000))
            assert len(first._received) <= 500, number
        assert first.ended_early == "the disk is too slow"
        assert recorder._waiting.size <= 64 * 2**20
        recorder._writing_since -= 11  # seconds
        assert (first.closed, recorder._open) == (False, {first: None})
        second = recorder.of_call(About("b" * 16), born_at=0.0)
        assert second.tap(take) is take
        stuck.set()
        first.close()
    assert recorder._waiting.size == 0
    told = {record.event for record in caplog.records if record.name == "llcphone.recorder"}  # type: ignore[attr-defined]
    assert told == {"a call is not recorded", "a recording ends before its call"}


async def test_after_the_streams_stop_nothing_is_kept_though_the_call_may_go_on(
    folder: Path, no_threads, autojump_clock
) -> None:
    async with open_recorder(RecordsConfig(audio_dir=str(folder))) as recorder:
        assert recorder is not None
        recording = recorder.of_call(About("a" * 16), born_at=0.0)
        take = recording.tap(lambda message: None)
        take(b'{"event":"start","start":{"callSid":"CA1"}}')
        await trio.sleep(2)
        take(b'{"event":"stop"}')
        await trio.sleep(2)
        recording.sent(Media(b"////"))
        assert (recorder._open, recorder._waiting.size) == ({}, 0)
    head = channels(only(folder))[0]
    assert (head.about.call_sid, head.duration_s) == ("CA1", 2.0)
