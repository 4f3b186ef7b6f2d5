"""Calls that go on after their media stream, run or process has died: whole calls over loopback."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, CallHandle, CallRecord, EndReason, open_phone
from llcphone.sim.model import Say
from llcphone.sim.twilio import Callee, CallFaults, EndedBy
from llcphone.testing import rehearse
from tests.calls.stage import GOODBYE, QUESTION, TRANSPORTS, Rehearsal, nothing_left, rehearsal
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from llcphone.sim.twilio import SimCall

pytestmark = pytest.mark.usefixtures("no_threads")

GREETING = "Hello, this is the bakery."
ANSWER = "We are open from nine in the morning until five in the afternoon on every day but Sunday."
FORM = {"CallStatus": "in-progress", "From": "+15550000001", "To": "+15550000002", "Direction": "inbound"}


def script(turn: int, conversation: list[dict[str, Any]], tools: list[Any]) -> Say:
    if any("line broke" in str(item) for item in conversation):
        return Say("The line is back.", 1_000)
    return Say(GREETING, 1_500) if turn == 1 else Say(ANSWER, 8_000)


def journalled(folder: Path, agent: Agent | None = None, **settings: Any) -> Any:
    """A stage with a journal in this folder."""
    journal = {"url": url_of(folder), **settings.pop("journal", {})}
    return rehearsal(script=script, agent=agent, journal=journal, **settings)


async def in_mid_answer(stage: Rehearsal, **how: Any) -> SimCall:
    """A call whose caller has heard the greeting and two seconds of an answer."""
    call = await stage.ring(**how)
    await call.hears_out(0.5, 300)
    await call.speak(QUESTION)
    await call.hears(2.0)
    return call


def actions(call: SimCall) -> list[int]:
    """What Twilio was answered when it asked what next."""
    return [status for purpose, status, _ in call.record.requests if purpose == "<Connect> action"]


def told(session: Any, role: str) -> list[str]:
    """The texts that this session was told."""
    parts = [part for item in session.items if item.role == role for part in item.render()["content"]]
    return [part["text"] for part in parts if part["type"] != "output_audio"]


@pytest.mark.parametrize("transports", TRANSPORTS)
async def test_a_lost_stream_is_followed_by_another_and_the_call_goes_on_where_it_was_heard(
    transports: tuple[str, str], tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with nothing_left(), journalled(tmp_path, transports=transports) as stage:
        call = await in_mid_answer(stage)
        call.drop()
        await call.stream_started(2)
        await call.hears_out(0.5, 500)
        session = await stage.session(2)
        greeting, answer = told(session, "assistant")
        assert greeting == GREETING
        assert ANSWER.startswith(answer)
        assert 0.15 < len(answer) / len(ANSWER) < 0.35
        assert "Go on from there" in told(session, "system")[-1]
        call.hang_up()
        lost, resumed = await stage.record(1), await stage.record(2)
        assert (lost.reason, lost.run_number, lost.resumed_from) == (EndReason.PHONE_LOST, 0, "")
        assert (resumed.reason, resumed.run_number) == (EndReason.CALLER_HUNG_UP, 1)
        assert (resumed.resumed_from, resumed.call_sid) == (lost.call_id, lost.call_sid)
        assert [line["text"] for line in resumed.transcript] == [GREETING, answer, "The line is back."]
        await call.ended()
        assert call.record.ended_by is EndedBy.CALLER


async def test_a_call_that_has_ended_in_order_is_not_resumed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    agent = Agent("Be brief.")
    async with nothing_left(), journalled(tmp_path, agent) as stage:
        call = await stage.ring()
        await call.hears(0.5)
        stage.phone.calls()[0].hang_up()
        record = await call.ended()
        assert record.ended_by is EndedBy.END_OF_TWIML
        assert (actions(call), len(record.streams)) == ([200], 1)
        assert (await stage.record()).reason is EndReason.AGENT_HUNG_UP
        await trio.sleep(1)
        assert rows(tmp_path) == [(0, "agent hung up", 0)]


def holds(folder: Path, text: bytes) -> bool:
    return any(text in path.read_bytes() for path in folder.iterdir())


def rows(folder: Path) -> list[tuple[int, str, int]]:
    """(run number, why it ended, lines kept) of each call."""
    db = sqlite3.connect(folder / "journal.db")
    try:
        count = "(select count(*) from llcphone_lines where call = id)"
        return db.execute(f"select generation, over, {count} from llcphone_calls").fetchall()
    finally:
        db.close()


async def test_a_caller_who_has_gone_is_not_talked_to_though_we_only_saw_the_stream_break(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with nothing_left(), journalled(tmp_path) as stage:
        call = await in_mid_answer(stage, faults=CallFaults(no_stop=True))
        assert rows(tmp_path)[0][2] > 0
        call.hang_up()
        assert (await stage.record()).reason is EndReason.PHONE_LOST
        await trio.sleep(2)
        assert actions(call) == [200]
        assert rows(tmp_path) == [(0, "ended at Twilio", 0)]
        assert len(stage.records) == 1


async def test_a_caller_who_hangs_up_before_the_stream_starts_costs_no_session_meanwhile(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with journalled(tmp_path) as stage:
        call = stage.twilio.ring_nowait(faults=CallFaults(connect_delay_s=5))
        await trio.sleep(1)
        call.hang_up()
        record = await stage.record()
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert record.duration_s < 1.5
        assert record.started_after_ms is None


async def test_a_call_is_resumed_three_times_and_no_more(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with nothing_left(), journalled(tmp_path) as stage:
        call = await stage.ring()
        for number in (1, 2, 3, 4):
            await call.stream_started(number)
            await call.hears(0.3)
            call.drop()
        record = await call.ended()
        assert record.ended_by is EndedBy.END_OF_TWIML
        assert len(record.streams) == 4
        await stage.record(4)
        assert sorted(each.run_number for each in stage.records) == [0, 1, 2, 3]


async def test_a_stream_whose_token_nobody_knows_leads_back_and_is_answered(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with nothing_left(), journalled(tmp_path) as stage:
        call = await in_mid_answer(stage, faults=CallFaults(connect_delay_s=1.0))
        call.drop()
        await stage.record(1)
        await trio.sleep(0.5)  # the new stream is on its way
        (waiting,) = stage.phone.calls()
        waiting.end(EndReason.FAILED)  # the run that was to take the stream is gone before it comes
        await call.stream_started(2)
        await call.hears(0.5)
        assert 31920 in call.record.error_codes
        assert actions(call) == [200, 200]
        call.hang_up()
        await stage.record(3)
        assert [each.run_number for each in stage.records] == [0, 1, 2]


async def test_a_silent_stream_that_we_close_is_followed_by_another(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with nothing_left(), journalled(tmp_path) as stage:
        call = await in_mid_answer(stage)
        call.stop_sending()  # no frame, no mark: its telephone is gone, or Twilio's end of it
        await call.stream_started(2)
        await call.hears(0.5)
        call.hang_up()
        assert (await stage.record(1)).reason is EndReason.STREAM_DEAD
        assert (await stage.record(2)).run_number == 1


async def test_of_two_processes_one_goes_on_and_both_give_the_same_answer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    answers: dict[str, str] = {}
    records: list[CallRecord] = []

    async def ask(name: str, phone: Any) -> None:
        answers[name] = await phone.after_stream({"CallSid": "CA1", **FORM}, 0)

    async with journalled(tmp_path) as stage:
        stage.phone.answer({"CallSid": "CA1", **FORM})
        await trio.sleep(1)
        agent = Agent("Be brief.")
        async with (
            open_phone(stage.config, agent, on_record=records.append) as here,
            open_phone(stage.config, agent, on_record=records.append) as there,
        ):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, "here", here)
                nursery.start_soon(ask, "there", there)
            assert sorted([here.live_calls, there.live_calls]) == [0, 1]
            assert answers["here"] == answers["there"]
            assert "/resume/1#" in answers["here"]
            winner = here if here.live_calls else there
            assert winner.calls()[0].token in answers["here"]
            assert await winner.after_stream({"CallSid": "CA1", **FORM}, 0) == answers["here"], "asked again"
            for call in winner.calls():
                call.end()
        for call in stage.phone.calls():
            call.end()
    assert [record.run_number for record in records] == [1]
    assert rows(tmp_path) == [(1, "cancelled", 0)]


@pytest.mark.parametrize("status", ["completed", "ringing", "busy", "no-answer", "failed", ""])
async def test_only_a_call_in_progress_is_resumed(
    status: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with journalled(tmp_path) as stage:
        stage.phone.answer({"CallSid": "CA1", **FORM})
        await trio.sleep(1)
        async with open_phone(stage.config, Agent("Be brief.")) as other:
            form = {"CallSid": "CA1", **FORM, "CallStatus": status}
            assert "<Connect" not in await other.after_stream(form, 0)
            assert other.live_calls == 0
        for call in stage.phone.calls():
            call.end()


async def test_a_call_nobody_knows_is_not_answered(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with journalled(tmp_path) as stage:
        for form, run_number in (
            ({"CallSid": "CA9", **FORM}, 0),
            ({"CallSid": "CA9", **FORM}, 10**9),
            (FORM, 0),
        ):
            assert "<Connect" not in await stage.phone.after_stream(form, run_number)


async def test_a_drained_call_is_left_to_the_next_process(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with journalled(tmp_path) as stage:
        call = await in_mid_answer(stage)
        await stage.phone.drain(0)
        assert (await stage.record()).reason is EndReason.DRAINED
        await trio.sleep(2.5)
        assert call.record.verbs.count("Pause") >= 2, "asked to wait for whoever comes next"
        assert not call.over
        form = {"CallSid": call.sid, **FORM}
        async with open_phone(stage.config, Agent("Be brief.")) as successor:
            assert "<Connect" in await successor.after_stream(form, 0)
            (again,) = successor.calls()
            await trio.sleep(0.1)
            assert again.run.lines()[0].text == GREETING
            again.end()
        call.hang_up()


async def test_a_call_goes_through_any_number_of_restarts_and_faults_are_counted_as_ever(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """``journal.max_resumes`` is 3: it keeps a call that breaks its process from breaking all others."""
    async with journalled(tmp_path) as stage:
        call = await in_mid_answer(stage)
        await stage.phone.drain(0)
        form, restarts = {"CallSid": call.sid, **FORM}, 6
        for run_number in range(restarts + 3):
            async with open_phone(stage.config, Agent("Be brief.")) as successor:
                assert "<Connect" in await successor.after_stream(form, run_number)
                if run_number < restarts - 1:
                    await successor.drain(0)
                else:
                    successor.calls()[0].end(EndReason.FAILED)
        async with open_phone(stage.config, Agent("Be brief.")) as successor:
            assert "<Connect" not in await successor.after_stream(form, restarts + 3)
        call.hang_up()


async def test_an_outbound_call_goes_on_and_its_numbers_are_not_written_down(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    agent = Agent("Be brief.", opening="greet")
    settings = {"journal": {"url": url_of(tmp_path)}, "outbound": {"allow_prefixes": ["+1555"]}}
    async with rehearse(agent, script=script, callee=Callee(), settings=settings) as stage:
        placed = stage.phone.place_call("+15551239999", context="It is about the cake.")
        call = await stage.twilio.outbound()
        await call.stream_started()
        await call.hears_out(0.5, 300)
        call.drop()
        await call.stream_started(2)
        await call.hears(0.5)
        (again,) = [each for each in stage.phone.calls() if each.run_number == 1]
        assert (again.direction, again.dialled, again.caller) == ("outbound", "+15551239999", placed.caller)
        session = stage.model.sessions[-1]
        assert "It is about the cake." in str(session.config)
        assert not holds(tmp_path, b"5551239999")
        await call.silence_for(500)
        again.hang_up()
        record = await call.ended()
        assert record.ended_by is EndedBy.END_OF_TWIML
        assert (await stage.record(2)).reason is EndReason.AGENT_HUNG_UP


async def test_plain_state_comes_back_and_the_start_hook_runs_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    agent, started = Agent("Be brief."), []

    @agent.on_start
    async def begin(call: CallHandle) -> None:
        started.append(dict(call.state))
        call.state["customer"] = {"name": "Ada"}

    async with nothing_left(), journalled(tmp_path, agent) as stage:
        call = await in_mid_answer(stage)
        call.drop()
        await call.stream_started(2)
        await call.hears(0.5)
        call.hang_up()
        await stage.record(2)
    assert started == [{}, {"customer": {"name": "Ada"}}]


async def test_a_line_of_another_version_is_left_out_and_the_call_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with nothing_left(), journalled(tmp_path) as stage:
        call = await in_mid_answer(stage)
        await call.silence_for(500)
        await trio.sleep(1)
        db = sqlite3.connect(tmp_path / "journal.db")
        with db:
            changed = db.execute("update llcphone_lines set body = replace(body, '\"caller\"', '\"parrot\"')")
            assert changed.rowcount >= 3
        db.close()
        call.drop()
        await call.stream_started(2)
        await call.hears(0.5)
        assert told(await stage.session(2), "assistant") == [GREETING, ANSWER]
        call.hang_up()
        assert (await stage.record(2)).run_number == 1


async def test_without_a_journal_a_lost_stream_ends_the_call_as_ever(autojump_clock: MockClock) -> None:
    async with nothing_left(), rehearsal(script=script) as stage:
        call = await in_mid_answer(stage)
        call.drop()
        record = await call.ended()
        assert (record.ended_by, actions(call)) == (EndedBy.HANGUP_VERB, [])
        assert "<Connect" not in await stage.phone.after_stream({"CallSid": call.sid, **FORM}, 0)


async def test_a_full_disk_ends_no_call(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.store.test_journal_writer import break_disk

    break_disk(monkeypatch)
    async with nothing_left(), journalled(tmp_path) as stage:
        call = await in_mid_answer(stage)
        await call.silence_for(300)
        await call.speak(GOODBYE)
        await call.hears(1.0)
        call.hang_up()
        record = await stage.record()
        assert (record.reason, record.barge_ins) == (EndReason.CALLER_HUNG_UP, 0)
