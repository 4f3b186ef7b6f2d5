"""Nobody speaks: when the agent asks, when it says good-bye, and when silence is none."""

from __future__ import annotations

from llcphone.engine import notes
from llcphone.engine.events import EndReason, MachineDetected, ModelLegLost, ToolFinished
from llcphone.realtime.events import SpeechStarted
from llcphone.realtime.messages import CreateResponse, SystemText
from llcphone.twilio.media import Digit
from tests.engine.script import Commands, Ear, Script, created, delta, done, live, wants
from tests.engine.setups import dial_plan, recovery_plan, silence_plan

PLAN = silence_plan(after_ms=5_000, prompts=2, prompt_cue="Ask.", goodbye_cue="Bye.")
NO_WATCHDOG = {"dead_stream_ms": 10**9}
ASK = [SystemText("Ask."), CreateResponse("silence")]
BYE = [SystemText("Bye."), CreateResponse("goodbye")]


def answered(speech_ms: int = 1_000, *items: object, **setup: object) -> Ear:
    """A caller whose answer is all generated and begins to be heard."""
    call = live(**{"silence": PLAN, "limits": NO_WATCHDOG} | setup)
    ear = Ear(call)
    ear.sees(delta(speech_ms), done("r1", *items))  # type: ignore[arg-type]
    return ear


def replies(ear: Ear, response: str, purpose: str, ms: int = 1_000) -> None:
    """The model says what it was asked to."""
    ear.sees(created(response, purpose), delta(ms, f"i-{response}", response), done(response))


def said(commands: Commands) -> list[object]:
    return [each for each in commands.model if isinstance(each, SystemText | CreateResponse)]


def test_silence_counts_from_the_end_of_what_was_heard_not_of_what_was_sent() -> None:
    ear = answered(speech_ms=3_000)
    assert said(ear.plays_until(7_999)) == []
    assert said(ear.plays_until(8_000)) == ASK


def test_it_asks_twice_then_says_good_bye_and_hangs_up_once_that_was_heard() -> None:
    ear = answered()
    assert said(ear.plays_until(6_000)) == ASK
    replies(ear, "r2", "silence")
    assert said(ear.plays_until(11_999)) == []
    assert said(ear.plays_until(12_000)) == ASK
    replies(ear, "r3", "silence")
    assert said(ear.plays_until(18_000)) == BYE
    replies(ear, "r4", "goodbye")
    assert ear.plays_until(18_990).end is None
    assert ear.plays_until(19_010).end is EndReason.AGENT_HUNG_UP
    assert ear.heard_ms == 4_000


def test_the_callers_voice_starts_the_count_anew() -> None:
    ear = answered()
    for turn, begins_ms in enumerate((6_000, 14_000, 22_000)):
        assert said(ear.plays_until(begins_ms)) == ASK  # never the good-bye
        replies(ear, f"s{turn}", "silence")
        ear.at(begins_ms + 2_000)
        ear.call.caller_says(f"u{turn}", f"a{turn}")
        ear.sees(delta(1_000, f"i-a{turn}", f"a{turn}"), done(f"a{turn}"))


def test_a_caller_who_speaks_over_the_good_bye_keeps_the_call() -> None:
    ear = answered(silence=silence_plan(after_ms=5_000, prompts=0, goodbye_cue="Bye."))
    assert said(ear.plays_until(6_000)) == BYE
    ear.sees(created("r2", "goodbye"), delta(2_000, "i2", "r2"), done("r2"))
    ear.at(6_500).sees(SpeechStarted("u2"))
    assert ear.at(20_000).sees().end is None
    assert not ear.call.engine.state.hanging_up


def test_a_key_is_as_good_as_a_word() -> None:
    ear = answered()
    ear.at(5_900).sees(Digit("1"))
    assert said(ear.plays_until(10_899)) == []
    assert said(ear.plays_until(10_900)) == ASK
    replies(ear, "r2", "silence")
    ear.at(12_000).sees(Digit("1"))
    assert ear.call.engine.policies.silence.prompts == 0


def test_it_is_off_unless_asked_for() -> None:
    ear = answered(silence=silence_plan())
    assert said(ear.plays_until(200_000)) == []


def test_never_while_a_tool_runs() -> None:
    ear = answered(1_000, wants("c1"))
    assert said(ear.plays_until(60_000)) == []
    ear.sees(ToolFinished("c1", "7"), created("r2", "tools"), delta(1_000, "i2", "r2"), done("r2"))
    assert said(ear.plays_until(65_999)) == []
    assert said(ear.plays_until(66_000)) == ASK


def test_never_while_the_caller_speaks_however_long() -> None:
    ear = answered(recovery=recovery_plan(enabled=False))
    ear.at(2_000).sees(SpeechStarted("u2"))
    assert said(ear.plays_until(60_000)) == []


def test_never_before_the_agent_was_heard() -> None:
    call = Script(silence=PLAN, limits=NO_WATCHDOG).live()
    assert said(call.until(60_000)) == []


def test_never_to_a_machine() -> None:
    ear = answered(dial=dial_plan())
    ear.sees(MachineDetected("machine_start"))
    assert said(ear.plays_until(60_000)) == []


def test_never_while_the_session_is_being_replaced() -> None:
    ear = answered(recovery=recovery_plan(limit_ms=25_000))
    ear.at(2_000).sees(ModelLegLost(1))
    assert said(ear.plays_until(20_000)) == []


def test_never_in_manual_mode_unless_it_is_asked_for() -> None:
    session = {"turn_detection": None}
    manual = {"session": session, "create_response": False, "interrupt_response": False}
    for also, expected in ((False, []), (True, ASK)):
        call = Script(
            silence=silence_plan(after_ms=5_000, prompt_cue="Ask.", manual=also), limits=NO_WATCHDOG, **manual
        )
        ear = Ear(call.live())
        ear.sees(created("r1"), delta(1_000), done("r1"))
        assert said(ear.plays_until(6_000)) == expected


def test_a_prompt_that_comes_to_nothing_is_not_repeated_at_once() -> None:
    ear = answered()
    ear.plays_until(6_000)
    ear.sees(created("r2", "silence"), done("r2"))  # not a sound
    assert said(ear.plays_until(10_999)) == []
    assert said(ear.plays_until(11_000)) == ASK


def test_each_prompt_is_told_to_onlookers() -> None:
    ear = answered()
    ear.plays_until(6_000)
    assert notes.Silence(1) in ear.call.notes


def test_the_idle_limit_stays_behind_it() -> None:
    ear = answered(limits={**NO_WATCHDOG, "idle_ms": 3_000})
    assert ear.plays_until(10_000).end is EndReason.IDLE
