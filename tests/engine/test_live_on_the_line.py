"""The engine, the codec and a simulated GPT-Live together, over real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from llcphone.engine.events import EndReason, GoodbyeAsked, HangUpAsked, InterruptAsked
from llcphone.engine.tape.recorder import replay
from llcphone.sim.live import Assumptions, CallTool, Faults, LiveScript, Pace, Say, open_live
from tests.engine.live_driver import on_the_line
from tests.engine.setups import echo_plan, silence_plan, tool_plan, tool_rule

if TYPE_CHECKING:
    from tests.engine.live_driver import Line

LONG = Say("We open at nine and close at six, on Sundays we open at ten and close at noon.", None)


async def nine(arguments: str) -> str:
    return '{"opens":"nine"}'


def alike(line: Line) -> bool:
    """Whether the tape is decided alike."""
    return replay(line.tape).difference is None


async def test_a_greeting_a_question_and_an_answer(autojump_clock: object) -> None:
    async with (
        open_live(["Hello there.", "We open at nine."]) as live,
        on_the_line(live, greets=True) as line,
    ):
        await trio.sleep(5)
        assert line.lines == [("agent", "Hello there.")]
        line.says(900)
        await trio.sleep(6)
        assert [speaker for speaker, _ in line.lines] == ["agent", "caller", "agent"]
        assert line.lines[2] == ("agent", "We open at nine.")
        assert live.sessions[0].refusals == []
        greeting, answer = line.engine.report()["turns"]
        assert (greeting["asked"], answer["asked"]) == ("greeting", "caller")
        assert 700 <= answer["answer_gap_ms"] <= 1_100
        assert 160 <= answer["ear_gap_ms"] - answer["answer_gap_ms"] <= 200  # the cushion
        assert alike(line)


async def test_a_tool(autojump_clock: object) -> None:
    async with (
        open_live([[CallTool("opening_hours")], ["At nine."]]) as live,
        on_the_line(live, tools={"opening_hours": nine}) as line,
    ):
        await trio.sleep(1)
        line.says(900)
        await trio.sleep(8)
        (session,) = live.sessions
        (call,) = session.calls
        assert call.output == '{"opens":"nine"}'
        assert line.lines[-1] == ("agent", "At nine.")
        assert session.refusals == []
        assert not line.engine.state.talk.responses.owes_anything
        assert alike(line)


async def test_two_tools_of_one_response_are_continued_once(autojump_clock: object) -> None:
    async def slowly(arguments: str) -> str:
        await trio.sleep(3)
        return "{}"

    async with (
        open_live([[CallTool("quick"), CallTool("slow")], ["Done."], ["And now?"]]) as live,
        on_the_line(live, tools={"quick": nine, "slow": slowly}) as line,
    ):
        await trio.sleep(1)
        line.says(900)
        await trio.sleep(12)
        (session,) = live.sessions
        creates = [each for each in session.received if each.event["type"] == "response.create"]
        assert len(creates) == 1
        assert session.refusals == []
        assert line.lines[-1] == ("agent", "Done.")


async def test_the_model_falls_silent_when_the_caller_cuts_in(autojump_clock: object) -> None:
    async with open_live([[LONG], "Yes?"]) as live, on_the_line(live, greets=True) as line:
        await trio.sleep(3)
        began_ms = len(line.played) // 8
        line.says(900)
        await trio.sleep(0.9)
        # The model yields 300 ms after the onset; what is on its way is the cushion and a chunk.
        assert not line.loud_ms(began_ms + 300 + 160 + 200)
        await trio.sleep(6)
        first, *_, last = line.lines
        assert LONG.text.startswith(first[1])
        assert 0 < len(first[1]) < len(LONG.text)
        assert last == ("agent", "Yes?")
        assert line.engine.report()["barge_ins"] == 0
        assert alike(line)


async def test_interrupt_silences_the_agent_at_once(autojump_clock: object) -> None:
    async with open_live([[LONG], "Yes?"]) as live, on_the_line(live, greets=True) as line:
        await trio.sleep(3)
        line.step(InterruptAsked())
        now_ms = len(line.played) // 8
        await trio.sleep(4)
        assert line.loud_ms(now_ms + 20) == []
        assert live.sessions[0].refusals == []
        line.says(900)
        await trio.sleep(6)
        assert line.lines[-1] == ("agent", "Yes?")


async def test_a_good_bye_ends_the_call_when_it_was_heard(autojump_clock: object) -> None:
    async with open_live(["Good-bye."]) as live, on_the_line(live) as line:
        await trio.sleep(1)
        line.step(GoodbyeAsked(EndReason.DRAINED, 20_000))
        with trio.fail_after(10):
            await line.ended_event.wait()
        assert line.ended is EndReason.DRAINED
        assert line.lines == [("agent", "Good-bye.")]


async def test_a_tool_that_hangs_up_lets_the_agent_say_good_bye(autojump_clock: object) -> None:
    async def hang_up(arguments: str) -> str:
        line.step(HangUpAsked())
        return "{}"

    async with (
        open_live([[CallTool("hang_up")], ["Good-bye."]]) as live,
        on_the_line(live, tools={"hang_up": hang_up}) as line,
    ):
        await trio.sleep(1)
        line.says(900)
        with trio.fail_after(20):
            await line.ended_event.wait()
        assert line.ended is EndReason.AGENT_HUNG_UP
        assert line.lines[-1] == ("agent", "Good-bye.")


async def test_silence_is_broken_twice_and_then_ends_the_call(autojump_clock: object) -> None:
    script = ["Hello.", "Are you there?", "Hello?", "Good-bye then."]
    async with (
        open_live(script) as live,
        on_the_line(live, greets=True, silence=silence_plan(after_ms=5_000)) as line,
    ):
        with trio.fail_after(60):
            await line.ended_event.wait()
        assert [text for _, text in line.lines] == script
        assert line.ended is EndReason.AGENT_HUNG_UP


@pytest.mark.parametrize("fault", ["reset", "close", "end", "stop_chunks"])
async def test_a_session_that_ends_in_the_middle_of_an_answer_is_replaced(
    fault: str, autojump_clock: object
) -> None:
    faults = [Faults(**{f"{fault}_after_ms": 5_000})]
    script = ["Hello.", [LONG]]
    async with open_live(script, faults=faults) as live, on_the_line(live, greets=True) as line:
        await trio.sleep(3)
        line.says(600)  # until 3.7 s; the answer begins at 4.4 s
        await trio.sleep(8)
        session = await live.session(2)
        told = session.received[0].event["session"]["input"]
        said = [(each["role"], each["content"][0]["text"]) for each in told]
        assert said[0] == ("assistant", "Hello.")
        assert said[-1][0] == "assistant"
        assert LONG.text.startswith(said[-1][1])
        (ask,) = session.appends
        assert ask.kind == "commentary"
        (gap,) = line.engine.policies.recovery.gaps
        assert gap.outcome == "restored"
        assert gap.owed == "rest of an answer"
        assert alike(line)


async def test_a_session_without_a_voice_is_asked_twice_and_then_replaced(autojump_clock: object) -> None:
    faults = [Faults(voiceless=True)]
    async with open_live(["Hello."], faults=faults) as live, on_the_line(live, greets=True) as line:
        await trio.sleep(12)
        first, second = live.sessions
        assert [each.kind for each in first.appends] == ["commentary", "commentary"]
        assert [each.kind for each in second.appends] == ["commentary"]
        assert line.lines == [("agent", "Hello.")]


async def test_a_greeting_that_stays_mute_once_is_spoken_at_the_second_ask(autojump_clock: object) -> None:
    faults = [Faults(mute_greetings=1)]
    async with open_live(["Hello."], faults=faults) as live, on_the_line(live, greets=True) as line:
        await trio.sleep(6)
        assert line.lines == [("agent", "Hello.")]
        assert len(live.sessions) == 1


async def test_stalls_leave_no_lag_behind(autojump_clock: object) -> None:
    """360 ms without a chunk every 10 s, for 5 minutes of an agent who speaks most of the time."""
    script = LiveScript([[LONG, LONG, LONG]] + [[LONG, LONG, LONG]] * 40)
    faults = Faults(hold_every_ms=10_000, hold_ms=360)
    async with open_live(script, faults=faults) as live, on_the_line(live, greets=True) as line:
        for _ in range(30):
            await trio.sleep(9.4)
            line.says(600)
        await trio.sleep(18)
        report = line.engine.report()
        assert report["lead_ms"]["p50"] <= 250
        assert report["lead_ms"]["max"] <= 160 + 360 + 100
        assert len(live.sessions) == 1
        # Where the model is and where the ear is, at the end of it.
        assert line.engine.state.talk.playout.lead_ms(line.now_ms()) <= 250
        assert line.waiting_ms <= 250


async def test_the_input_clock_never_stands_still(autojump_clock: object) -> None:
    """Before the stream, under the greeting guard, while muted, and while the telephone sends nothing."""
    async with (
        open_live(["Hello there.", "We open at nine."]) as live,
        on_the_line(live, greets=True, joins=False, echo=echo_plan(mute_ms=600)) as line,
    ):
        await trio.sleep(5)
        session = await live.session(1)

        async def runs(seconds: float) -> float:
            """How much the session's clock moves in so many seconds."""
            before_ms = session.clock.now_ms
            await trio.sleep(seconds)
            return (session.clock.now_ms - before_ms) / 1000

        assert await runs(2) == pytest.approx(2, abs=0.25)
        line.joins()
        assert line.engine.state.gate.guarding
        assert await runs(0.6) == pytest.approx(0.6, abs=0.25)
        assert line.engine.state.gate.guarding
        assert await runs(3) == pytest.approx(3, abs=0.25)
        line.says(600)
        assert await runs(1.5) == pytest.approx(1.5, abs=0.25)
        assert await runs(2) == pytest.approx(2, abs=0.25)  # the answer begins: muted
        assert line.engine.state.gate.held_back > 0
        line.sends_frames = False
        assert await runs(4) == pytest.approx(4, abs=0.45)
        assert len(live.sessions) == 1
        assert session.refusals == []
        assert alike(line)


async def test_an_irreversible_tool_runs_when_the_caller_has_finished(autojump_clock: object) -> None:
    """The model delegates while the caller still speaks."""
    ran_ms: list[int] = []

    async def book(arguments: str) -> str:
        ran_ms.append(line.now_ms())
        return "{}"

    rules = tool_plan((tool_rule("book", 10_000, irreversible=True),))
    early = Assumptions(delegates_early=True)
    async with (
        open_live([[CallTool("book")], ["It is booked."]], assumes=early, pace=Pace(thinking_s=0.1)) as live,
        on_the_line(live, tools={"book": book}, tool_plan=rules) as line,
    ):
        await trio.sleep(1)
        began_ms = line.now_ms()
        line.says(2_500)
        await trio.sleep(10)
        assert began_ms + 2_500 + 600 <= ran_ms[0] <= began_ms + 2_500 + 900
        assert line.lines[-1][1].startswith("It is booked.")
        assert alike(line)
