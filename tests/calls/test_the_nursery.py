"""Which tasks a call has, and that nothing in it waits that need not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone import Agent, CallRecord, EndReason, Phone, open_phone
from llcphone.server.run import serve
from llcphone.sim.model import CallTool, Say, open_model
from llcphone.sim.twilio import SimCall, open_twilio
from llcphone.twilio import twiml
from tests.calls.memory import Turn, media, open_memory, speech_started
from tests.calls.stage import TOKEN, TRANSPORTS, make_config, rehearsal, tasks_below

if TYPE_CHECKING:
    from trio.testing import MockClock

STANDING = ["openai reader", "deadlines", "twilio reader"]


async def test_nothing_waits(autojump_clock: MockClock) -> None:
    """A whole call in memory: between an input and its consequence the clock stands still."""
    agent = Agent("Be brief.")

    @agent.tool
    async def look_up() -> str:
        return "nine to five"

    turns = [Turn(800), Turn(400, tool="look_up"), Turn(400), Turn(600)]
    async with open_memory(agent, turns=turns) as stage:
        begin = trio.current_time()
        call = stage.answer()
        await wait_all_tasks_blocked()
        model = stage.model
        assert model.kinds() == ["session.update", "conversation.item.create", "response.create"]
        ear = stage.join(call)
        await wait_all_tasks_blocked()
        assert ear.voice_ms == 800  # the greeting, generated early, leaves with the stream's start

        ear.put(media())
        await wait_all_tasks_blocked()
        assert model.kinds()[-1] == "input_audio_buffer.append"

        model.put(*stage.mind.caller_turn())
        await wait_all_tasks_blocked()
        assert model.kinds().count("response.create") == 2  # the greeting's, and for the tool's answer
        assert model.kinds().count("session.update") == 2  # the next turn's eagerness was due at once
        assert ear.voice_ms == 800 + 400 + 400

        ear.reply = lambda message: ()  # from now on nothing more is heard
        model.put(*stage.mind.caller_turn())
        await wait_all_tasks_blocked()
        model.put(speech_started())
        await wait_all_tasks_blocked()
        assert ear.kinds()[-1] == "clear"

        ear.put({"event": "stop", "streamSid": "MZ1"})
        record = await call.wait()
        assert trio.current_time() == begin
        assert record.reason is EndReason.CALLER_HUNG_UP
        assert record.barge_ins == 1


@pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)
async def test_a_call_is_three_tasks_and_its_tools(
    transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    agent = Agent("Be brief.")

    @agent.tool
    async def look_up() -> str:
        await trio.sleep(2)
        return "nothing"

    script = [[Say("One moment.", 500), CallTool("look_up")], "There is nothing."]
    # The adapter's one task holds trio-websocket's reader and our pumps; the fast lane has none.
    standing = sorted([*STANDING, *(["trio-websocket leg"] if transports[0] == "trio-websocket" else [])])
    async with rehearsal(agent=agent, script=script, transports=transports) as stage:
        sim = await stage.ring()
        (call,) = stage.phone.calls()
        nursery = call.run._core._nursery
        assert nursery is not None
        await sim.hears(0.4)
        assert tasks_below(nursery) == sorted([*standing, "tool look_up"])
        await trio.sleep(3)
        assert tasks_below(nursery) == standing
        sim.hang_up()
        await call.wait()
        assert tasks_below(nursery) == []


@pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)
async def test_cancelling_a_call_closes_both_sockets_within_a_second(
    transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    async with rehearsal(script=[Say("A long story.", 20_000)], transports=transports) as stage:
        sim = await stage.ring()
        session = await stage.session()
        (call,) = stage.phone.calls()
        await sim.hears(1)
        begin = trio.current_time()
        assert call.run._core._nursery is not None
        call.run._core._nursery.cancel_scope.cancel()
        record = await call.wait()
        assert record.reason is EndReason.CANCELLED
        await session.until(lambda: not session.is_open)
        await sim.ended()
        assert trio.current_time() - begin <= 1
        assert stage.twilio.open_streams == stage.model.live_sessions == 0


@pytest.mark.parametrize("transports", TRANSPORTS, ids="/".join)
async def test_cancelling_the_phone_ends_every_call_within_a_second(
    transports: tuple[str, str], autojump_clock: MockClock
) -> None:
    records: list[CallRecord] = []
    async with open_model() as model, trio.open_nursery() as nursery:
        config = make_config(model.url, transports)
        everything = trio.CancelScope()

        async def answer_calls(task_status: trio.TaskStatus[Phone]) -> None:
            with everything:
                async with open_phone(config, Agent("Be brief."), on_record=records.append) as phone:
                    task_status.started(phone)
                    await serve(phone, config)

        phone = await nursery.start(answer_calls)
        async with open_twilio(webhook_url=f"{config.server.public_url}/twiml", auth_token=TOKEN) as twilio:
            sims = [await twilio.ring() for _ in range(3)]
            for sim in sims:
                await sim.stream_started()
            calls = phone.calls()
            begin = trio.current_time()
            everything.cancel()
            for each in (*sims, *calls):
                await (each.ended() if isinstance(each, SimCall) else each.wait())
            assert trio.current_time() - begin <= 1
        assert [record.reason for record in records] == [EndReason.CANCELLED] * 3
        assert phone.answer({"CallSid": "CA1"}) == twiml.busy()  # nobody is left to take it


@attrs.define(eq=False)
class StepsOf(trio.abc.Instrument):
    """How often a task of this name ran."""

    name: str
    steps: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += task.name == self.name


async def test_the_deadline_task_sleeps_through_a_quiet_call(autojump_clock: MockClock) -> None:
    async with open_memory(turns=[Turn(800)]) as stage:
        call = stage.answer()
        ear = stage.join(call)
        await trio.sleep(1)
        counted = StepsOf("deadlines")
        trio.lowlevel.add_instrument(counted)
        for _ in range(120):
            ear.put(media())
            await trio.sleep(0.5)
        trio.lowlevel.remove_instrument(counted)
        assert call.record is None
        assert 1 <= counted.steps <= 20  # every 4 s it looks whether frames still come
        call.end()
