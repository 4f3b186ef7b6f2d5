"""What a person beside the call wants of the agent: to know or say something, to let the caller go."""

from __future__ import annotations

from llcphone.engine.commands import EndCall
from llcphone.engine.events import EndReason, HangUpAsked, Instructed, ModelConnected, ModelLegLost
from llcphone.engine.policies.resume import kept_of
from llcphone.engine.resumed import Owed, Speaker
from llcphone.engine.tape.codec import as_data, read
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import InputCommitted, SpeechStarted, SpeechStopped
from llcphone.realtime.messages import CreateResponse, SystemText
from tests.engine.script import ULAW, Script, created, delta, done, item_done
from tests.engine.setups import recovery_plan

SAY = Instructed("Say this.", speak=True)
NOTE = Instructed("They are a good customer.", speak=False)
PUT_THROUGH = Instructed("Say that you put them through.", speak=True, leave=True)
CREATE = CreateResponse("operator")


def live() -> Script:
    return Script(greets=False).live()


def test_a_note_is_known_at_once_and_nothing_is_said() -> None:
    call = live()
    call.at(1_000).caller_says("u1", "r1")
    assert call.sees(NOTE).model == [SystemText(NOTE.text)]
    call.sees(delta(20), done())
    assert call.until(5_000).model == []


def test_in_a_quiet_moment_the_agent_speaks_at_once() -> None:
    call = live()
    assert call.at(1_000).sees(SAY).model == [SystemText(SAY.text), CREATE]
    assert call.sees(created("r1", "operator"), delta(20)).model == []
    turn = call.engine.turns(1)[0]
    assert turn["asked"] == "operator"


def test_the_answer_to_the_caller_comes_first_and_knows_nothing_of_the_cue() -> None:
    call = live()
    call.at(1_000).sees(SpeechStarted("u1"))
    assert call.sees(SAY).model == []
    assert call.sees(SpeechStopped("u1"), InputCommitted("u1"), created("r1")).model == []
    assert call.sees(delta(20)).model == []
    assert call.sees(done()).model == [SystemText(SAY.text), CREATE]


def test_each_cue_is_spoken_by_itself_in_order() -> None:
    call = live()
    other = Instructed("And this.", speak=True)
    assert call.at(1_000).sees(SAY, other).model == [SystemText(SAY.text), CREATE]
    assert call.sees(created("r1", "operator"), delta(20)).model == []
    assert call.sees(done()).model == [SystemText(other.text), CREATE]
    assert call.engine.activity().instructions == 0


def test_a_cue_that_no_event_brings_on_is_given_by_the_clock() -> None:
    call = live()
    call.at(1_000).sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"))
    assert call.sees(SAY).model == []  # the server owes an answer, and never gives it
    assert SystemText(SAY.text) in call.until(60_000).model


def test_before_anybody_is_on_the_line_notes_are_given_and_cues_wait() -> None:
    call = Script(greets=False)
    call.configured()
    assert call.sees(SAY, NOTE).model == [SystemText(NOTE.text)]
    assert call.engine.activity().instructions == 1
    assert SystemText(SAY.text) in call.live().said.model


def test_without_a_session_they_wait_and_the_next_session_knows_the_old_ones() -> None:
    call = Script(greets=False, recovery=recovery_plan()).live()
    call.at(1_000).sees(NOTE)
    call.sees(ModelLegLost(1))
    assert call.sees(Instructed("News.", speak=False)).model == []
    call.until(2_000)
    said = call.sees(ModelConnected(2, Dialect.GA), ULAW).model
    assert [each for each in said if isinstance(each, SystemText)] == [
        SystemText(NOTE.text),
        SystemText("News."),
    ]


def test_a_cue_whose_answer_was_lost_is_spoken_by_the_next_session() -> None:
    call = Script(greets=False, recovery=recovery_plan()).live()
    call.at(1_000).sees(SAY, created("r1", "operator"))
    call.sees(ModelLegLost(1))
    call.until(2_000)
    said = call.sees(ModelConnected(2, Dialect.GA), ULAW).model
    assert said[-2:] == [SystemText(SAY.text), CreateResponse("resume")]


def test_it_is_a_line_of_the_conversation_that_another_process_gets() -> None:
    call = live()
    call.at(1_000).sees(NOTE)
    (line,) = call.engine.lines(1_000)
    assert (line.speaker, line.text, line.at_ms) == (Speaker.OPERATOR, NOTE.text, 1_000)
    kept = kept_of(call.engine.state, 1_000)
    assert [(each.speaker, each.text) for each in kept.lines] == [(Speaker.OPERATOR, NOTE.text)]
    assert kept.owed is Owed.GREETING, "a note is nothing that was said to the caller"
    again = Script(greets=False, resumed=kept)
    again.configured()
    again.live()
    again.sees(Instructed("More.", speak=False))
    assert [each.text for each in again.engine.lines(0)] == [NOTE.text, "More."]
    (first, second) = again.engine.lines(0)
    assert first.item_id != second.item_id


def test_a_hang_up_waits_for_what_is_to_be_said() -> None:
    call = live()
    call.at(1_000).sees(created("r1"), delta(200))
    assert call.sees(SAY, HangUpAsked()).end is None
    call.sees(item_done(), done())
    assert call.hears_all().end is None
    call.sees(created("r2", "operator"), delta(100, "i2", "r2"), item_done("i2", "r2"), done("r2"))
    assert call.hears_all().end is EndReason.AGENT_HUNG_UP


def test_the_caller_leaves_when_they_were_told_so() -> None:
    call = live()
    assert call.at(1_000).sees(PUT_THROUGH).end is None
    assert call.engine.activity().transferring
    call.sees(created("r1", "operator"), delta(100), item_done(), done())
    assert call.hears_all()[-1] == EndCall(EndReason.TRANSFERRED)


def test_a_caller_who_speaks_now_is_answered_and_leaves_then() -> None:
    call = live()
    call.at(1_000).sees(SpeechStarted("u1"))
    assert call.sees(PUT_THROUGH).model == []
    assert call.engine.activity().transferring
    assert not call.engine.status().ending
    call.sees(SpeechStopped("u1"), InputCommitted("u1"), created("r1"), delta(100), item_done())
    assert call.sees(done()).model == [SystemText(PUT_THROUGH.text), CREATE]
    call.sees(created("r2", "operator"), delta(100, "i2", "r2"), item_done("i2", "r2"), done("r2"))
    assert call.hears_all().end is EndReason.TRANSFERRED


def test_a_person_who_hangs_up_need_not_wait_for_the_caller_to_stop_for_good() -> None:
    for insist in (False, True):
        call = live()
        call.at(1_000).sees(SpeechStarted("u1"))
        assert call.sees(HangUpAsked(insist=insist)).end is None
        assert call.engine.activity().goodbye is insist
        call.sees(SpeechStopped("u1"), InputCommitted("u1"), created("r1"), delta(100), item_done(), done())
        assert call.hears_all().end is (EndReason.AGENT_HUNG_UP if insist else None)


def test_a_tape_holds_no_word_of_it() -> None:
    data = as_data(PUT_THROUGH, {})
    assert "through" not in repr(data)
    assert read(Instructed, data) == Instructed("xxx xxxx xxx xxx xxxx xxxxxxxx", speak=True, leave=True)


def test_what_an_onlooker_sees_besides() -> None:
    call = live()
    assert call.engine.activity().gap_ms is None
    call.at(1_000).caller_says("u1", "r1")
    call.at(1_500).sees(delta(100), item_done(), done())
    call.at(1_600).hears_all()
    seen = call.engine.activity()
    assert (seen.turns, seen.gap_ms, seen.longest) == (1, 500, "first_delta")
    assert [turn["index"] for turn in call.engine.turns(5)] == [1]
    assert len(call.engine.lines(1_600, last=1)) == 1
