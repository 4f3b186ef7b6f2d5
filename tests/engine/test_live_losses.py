"""A Live session that is lost, one that follows it, and what all of them cost."""

from __future__ import annotations

import pytest

from llcphone.audio import payload_bytes, silence_payload
from llcphone.engine.events import Born, EndReason, ModelConnected, ModelLegLost, StreamJoined
from llcphone.engine.resumed import KeptLine, Owed, Resumed, Speaker
from llcphone.prices import Rates
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import BackendDone, Seconds, SessionClosed, Usage
from llcphone.realtime.messages import AppendAudio, Speak, UpdateSession
from llcphone.twilio.media import StreamStopped
from tests.engine.live_script import (
    COMPLETED,
    LiveScript,
    calls,
    heard,
    heard_all,
    opens,
    over,
    words,
)
from tests.engine.script import STARTED, ULAW, Commands, Ear, frame
from tests.engine.setups import money_plan, recovery_plan

FILLER = (silence_payload(400),)


def asks(commands: Commands) -> list[str]:
    return [message.purpose for message in commands.model if isinstance(message, Speak)]


def begins_again(call: LiveScript, leg_number: int = 2) -> Commands:
    """The next session is there."""
    return call.sees(ModelConnected(leg_number, Dialect.LIVE), ULAW)


def history(commands: Commands) -> list[tuple[str, str]]:
    """Who said what, by the message that opened a session."""
    (opening,) = (message for message in commands.model if isinstance(message, UpdateSession))
    return [(each["role"], each["content"][0]["text"]) for each in opening.session.get("input", ())]


def talked(**setup: object) -> LiveScript:
    """A greeting, a question, an answer with a tool."""
    call = LiveScript(**{"recovery": recovery_plan(filler=FILLER)} | setup).joined()
    call.lives_until(1_000)
    call.sees(*opens("u1"), words("Hello.", 160, 260), *over("u1", "Hello."))
    call.hears_all()
    call.lives_until(3_500)
    call.sees(heard("When do you open?", 1_500, 2_300), heard_all("When do you open?"))
    call.sees(calls("t1"))
    call.engine.state.last_frame_ms = call.now_ms
    return call


# -- a lost session -------------------------------------------------------------------------------


def test_the_next_session_is_opened_with_what_was_said_and_told_nothing_after_it() -> None:
    call = talked()
    call.sees(ModelLegLost(1))
    out = begins_again(call)
    assert history(out) == [
        ("assistant", "Hello."),
        ("user", "When do you open?"),
        ("developer", "The tool look_up was called with {}; there is no result yet."),
    ]
    assert [type(each) for each in out.model if not isinstance(each, AppendAudio)] == [UpdateSession, Speak]
    assert asks(out) == ["resume"]


def test_a_first_session_has_no_history() -> None:
    call = LiveScript()
    (opening,) = call.configured().model
    assert isinstance(opening, UpdateSession)
    assert "input" not in opening.session


def test_words_of_an_answer_that_broke_off_are_told_as_far_as_they_were_heard() -> None:
    call = talked()
    ear = Ear(call)
    ear.sees(*opens("u2"), words("At nine,", 160, 260, "u2"), words(" every day.", 260, 900, "u2"))
    ear.sees(ModelLegLost(1))
    out = ear.sees(ModelConnected(2, Dialect.LIVE))
    assert history(out)[-1] == ("assistant", "At nine,")
    assert asks(ear.sees(ULAW)) == ["resume"]
    assert call.engine.policies.recovery.gaps[-1].owed == "rest of an answer"


def test_a_greeting_that_was_not_spoken_is_asked_for_again() -> None:
    call = LiveScript(greets=True, recovery=recovery_plan()).joined()
    call.sees(ModelLegLost(1))
    assert asks(begins_again(call)) == ["greeting"]


def test_a_session_that_owes_nothing_is_replaced_in_silence() -> None:
    call = LiveScript(recovery=recovery_plan()).joined()
    call.sees(*opens("u1"), *over("u1"))
    call.hears_all()
    call.sees(ModelLegLost(1))
    assert asks(begins_again(call)) == []


@pytest.mark.parametrize("gap_ms", [600, 5_000])
def test_the_last_one_and_a_half_seconds_of_the_caller_are_given_again(gap_ms: int) -> None:
    call = talked()
    lost_ms = call.now_ms
    call.sees(ModelLegLost(1))
    for now_ms in range(lost_ms, lost_ms + gap_ms, 20):
        call.at(now_ms).engine.hear(frame(now_ms // 20), now_ms)
    given = [message.payload for message in begins_again(call).model if isinstance(message, AppendAudio)]
    assert sum(map(payload_bytes, given)) <= 1_500 * 8
    assert given[-1] == frame((lost_ms + gap_ms - 20) // 20)


def test_a_caller_waits_with_the_filler_and_the_answer_does_not_wait_for_its_end() -> None:
    call = talked()
    call.sees(ModelLegLost(1))
    out = call.lives_until(call.now_ms + 500)
    assert out.audio_ms == 400
    begins_again(call)
    call.sees(*opens("setup-2-u1"))
    assert call.engine.policies.recovery.gaps[-1].spoke_ms == call.now_ms


@pytest.mark.parametrize("reason", ["expired", "connection_lost", "remote_hangup", "a new word"])
def test_a_session_that_closes_is_replaced(reason: str) -> None:
    call = talked()
    call.sees(SessionClosed(reason))
    assert [gap.cause for gap in call.engine.policies.recovery.gaps] == [reason]
    assert asks(begins_again(call)) == ["resume"]


def test_a_session_that_we_closed_is_not() -> None:
    call = talked()
    call.sees(SessionClosed("close_requested"))
    assert not call.engine.policies.recovery.gaps


def test_a_second_session_that_is_closed_for_its_content_is_the_last() -> None:
    call = talked(recovery=recovery_plan(apology=(silence_payload(1_000),)))
    call.sees(SessionClosed("content"))
    begins_again(call)
    call.sees(SessionClosed("content"))
    assert call.engine.policies.recovery.given_up is EndReason.MODEL_LOST
    assert call.hears_all().end is EndReason.MODEL_LOST


def test_ids_of_an_older_run_are_not_taken_for_those_of_this_one() -> None:
    lines = (
        KeptLine("setup-1-u1-item", Speaker.AGENT, "Hello.", 400),
        KeptLine("setup-1-c1", Speaker.CALLER, "When do you open?"),
        KeptLine("t1", Speaker.TOOL, name="look_up", arguments="{}", output="9"),
    )
    call = LiveScript(resumed=Resumed(lines, Owed.ANSWER))
    out = call.sees(Born(), ModelConnected(1, Dialect.LIVE), ULAW)
    assert history(out) == [
        ("assistant", "Hello."),
        ("user", "When do you open?"),
        ("developer", "The tool look_up was called with {}. Its result: 9"),
    ]
    assert asks(out) == []
    assert asks(call.sees(StreamJoined(), STARTED)) == ["resume"]
    name = "setup-1-u1"
    call.sees(*opens(name, "resume"), words("At nine.", 160, 260, name), *over(name, "At nine."))
    call.hears_all()
    assert [text for _, text in call.lines if text] == ["Hello.", "When do you open?", "At nine."]


def test_a_long_history_is_told_from_its_end() -> None:
    lines = tuple(KeptLine(f"c{n}", Speaker.CALLER, f"{n} " + "word " * 40) for n in range(300))
    call = LiveScript(resumed=Resumed(lines, Owed.ANSWER))
    told = history(call.sees(Born(), ModelConnected(1, Dialect.LIVE)))
    assert told[-1][1].startswith("299 ")
    assert 100 < len(told) <= 128


def test_one_text_that_is_too_long_is_cut() -> None:
    lines = (KeptLine("c1", Speaker.CALLER, "word " * 20_000),)
    call = LiveScript(resumed=Resumed(lines, Owed.ANSWER))
    ((_, text),) = history(call.sees(Born(), ModelConnected(1, Dialect.LIVE)))
    assert 20_000 < len(text) < 8_192 * 4


# -- money ----------------------------------------------------------------------------------------

BACKEND = Usage(input_text=1_000_000)


def priced(**plan: object) -> LiveScript:
    rates = Rates(2.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    return LiveScript(money=money_plan(**{"rates": rates, "minute_usd": 0.06} | plan)).joined()


def test_seconds_and_the_tokens_of_the_backend_are_billed() -> None:
    call = priced()
    call.lives_until(31_000)
    call.sees(Seconds(15), Seconds(30), Seconds(30))
    assert call.engine.report()["cost_usd"] == pytest.approx(0.03)
    call.sees(BackendDone("b1", COMPLETED, usage=BACKEND), BackendDone("b1", COMPLETED, usage=BACKEND))
    report = call.engine.report()
    assert report["cost_usd"] == pytest.approx(2.03)
    assert report["seconds"] == 30
    assert report["usage"]["input_text"] == 1_000_000


def test_seconds_that_were_not_reported_are_reckoned_at_the_end() -> None:
    call = priced()
    call.lives_until(15_000)
    call.sees(Seconds(15))
    call.lives_until(21_900)
    assert call.sees(StreamStopped()).end is EndReason.CALLER_HUNG_UP
    assert call.engine.report()["seconds"] == 21


def test_an_utterance_that_the_end_cuts_off_leaves_nothing_unbilled() -> None:
    call = priced()
    call.sees(*opens("u1"), StreamStopped())
    assert call.engine.report()["unbilled_responses"] == 0


def test_the_seconds_of_all_sessions_of_a_call_are_added() -> None:
    call = LiveScript(recovery=recovery_plan(), money=money_plan(minute_usd=0.06)).joined()
    call.lives_until(10_000)
    call.sees(Seconds(10), ModelLegLost(1))
    begins_again(call)
    call.lives_until(15_000)
    call.sees(Seconds(5))
    report = call.engine.report()
    assert report["seconds"] == 15
    assert report["cost_usd"] is None  # no price is known


def test_a_spent_budget_ends_the_call_with_a_good_bye() -> None:
    call = priced(budget_usd=0.03)
    call.lives_until(29_000)
    assert asks(call.sees(Seconds(29))) == []
    call.lives_until(30_000)
    assert asks(call.sees(Seconds(30))) == ["goodbye"]
