"""The caller takes the floor while agent audio is unheard.

``Ear`` is the witness: what the model is told was heard is compared with what really left the
telephone's speaker.
"""

from __future__ import annotations

import pytest

from llcphone.engine.events import ToolFinished
from llcphone.engine.status import Floor
from llcphone.realtime.events import (
    AudioDone,
    InputCommitted,
    Item,
    OutputItemDone,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptDone,
)
from llcphone.realtime.messages import CreateResponse, DeleteItem, ToolOutput, Truncate
from llcphone.twilio.media import Clear, Mark, MarkEchoed, Media
from tests.engine.script import (
    CANCELLED,
    Ear,
    created,
    delta,
    done,
    has_answer,
    item_done,
    live,
    speech,
    wants,
)


def answering(total_ms: int = 2_000, **setup: object) -> tuple[Ear, int]:
    """An ear on a call whose answer ``r1`` is all sent and finished; and when it began."""
    ear = Ear(live(**setup))
    for _ in range(total_ms // 100):
        ear.sees(delta(100))
    ear.sees(item_done(), done("r1"))
    return ear, ear.now_ms


def test_the_telephone_is_silenced_before_the_model_is_told() -> None:
    ear, _ = answering()
    cut = ear.at(730).sees(SpeechStarted())
    assert [type(command.message) for command in cut] == [Clear, Truncate]  # type: ignore[union-attr]


@pytest.mark.parametrize("at_ms", [1, 19, 20, 99, 100, 199, 200, 201, 399, 400, 401, 1_000, 1_999])
def test_the_cut_is_at_the_millisecond_that_was_heard(at_ms: int) -> None:
    ear, _ = answering()
    cut = ear.at(at_ms).sees(SpeechStarted())
    assert cut.phone == [Clear()]
    assert cut.model == [Truncate("i1", at_ms)]
    assert ear.heard_ms == at_ms


def test_an_answer_of_which_nothing_was_heard_is_deleted_not_truncated() -> None:
    ear, _ = answering()
    assert ear.at(0).sees(SpeechStarted()).model == [DeleteItem("i1")]


def test_before_the_first_mark_the_clock_tells_and_never_past_that_mark() -> None:
    call = live()
    call.sees(delta(200), delta(200), delta(200))
    assert call.at(150).sees(SpeechStarted()).model == [Truncate("i1", 150)]
    late = live()
    late.sees(delta(200), delta(200), delta(200))
    assert late.at(5_000).sees(SpeechStarted()).model == [Truncate("i1", 200)]


def test_an_open_span_is_heard_no_further_than_what_it_holds() -> None:
    call = live()
    call.sees(delta(60))
    assert call.at(5_000).sees(SpeechStarted()).model == [Truncate("i1", 60)]


def test_a_span_that_ran_dry_does_not_credit_the_silence_to_what_follows() -> None:
    call = live()
    call.sees(delta(60))
    call.at(1_000).sees(delta(100))
    assert call.at(1_030).sees(SpeechStarted()).model == [Truncate("i1", 90)]


def test_a_late_echo_starts_the_clock_of_the_next_span_when_it_comes() -> None:
    call = live()
    call.sees(delta(200), delta(200), done("r1"))
    call.at(350).sees(MarkEchoed("p1"))
    assert call.at(400).sees(SpeechStarted()).model == [Truncate("i1", 250)]


def test_a_lost_echo_is_made_good_by_the_next_one() -> None:
    call = live()
    call.sees(delta(200), delta(200), delta(200), done("r1"))
    call.at(410).sees(MarkEchoed("p2"))
    assert call.at(450).sees(SpeechStarted()).model == [Truncate("i1", 440)]


def test_an_answer_heard_to_its_end_is_not_truncated() -> None:
    ear, _ = answering(1_000)
    assert ear.at(1_200).sees(SpeechStarted()) == []
    assert ear.call.engine.state.talk.barge_ins == 0


def test_after_the_last_millisecond_but_before_its_echo_nothing_is_truncated() -> None:
    call = live()
    call.sees(delta(200), done("r1"))
    assert call.at(210).sees(SpeechStarted()).model == []
    assert call.engine.state.talk.playout.heard_ms("i1", 210) == 200


def test_a_barge_in_after_response_done_still_cuts_what_is_playing() -> None:
    ear, _ = answering(1_000)
    ear.at(900).sees(SpeechStarted())
    assert ear.call.said.model[-1] == Truncate("i1", 900)


def test_the_end_of_speech_closes_the_last_span_with_its_mark() -> None:
    call = live()
    assert call.sees(delta(60)).phone == [Media(speech(60))]
    assert call.sees(AudioDone("r1", "i1")).phone == [Mark("p1")]
    assert call.sees(item_done(), done("r1")).phone == []


def test_marks_echoed_by_a_clear_do_not_count_as_heard() -> None:
    ear, _ = answering()
    ear.at(500).sees(SpeechStarted())
    assert ear.cleared_marks
    heard = ear.call.engine.state.talk.playout.heard_ms("i1", 500)
    assert ear.call.at(520).sees(*(MarkEchoed(name) for name in ear.cleared_marks)) == []
    assert ear.call.engine.state.talk.playout.heard_ms("i1", 9_000) == heard == 500
    assert ear.call.engine.state.talk.playout.stray_echoes == len(ear.cleared_marks)
    assert ear.call.engine.state.talk.floor is Floor.CALLER


def test_late_deltas_of_a_cut_answer_are_dropped() -> None:
    call = live()
    call.sees(delta(400))
    call.at(100).sees(SpeechStarted())
    assert call.sees(delta(400), delta(400, "i2")) == []
    assert call.engine.state.talk.late_deltas == 2
    assert call.engine.state.talk.playout.silent


def test_an_item_that_never_reached_the_phone_is_deleted_when_its_cut_response_ends() -> None:
    call = live()
    call.sees(delta(400))
    call.at(100).sees(SpeechStarted(), delta(300, "i2"))
    ended = call.sees(
        done("r1", Item("i1", "message", "incomplete"), Item("i2", "message", "incomplete"), status=CANCELLED)
    )
    assert ended.model == [DeleteItem("i2")]


def test_a_barge_in_before_any_audio_lets_nothing_of_that_answer_be_heard() -> None:
    call = live()
    assert call.at(300).sees(SpeechStarted()) == []
    assert call.sees(delta(200)).phone == []
    ended = call.sees(done("r1", Item("i1", "message", "incomplete"), status=CANCELLED))
    assert ended.model == [DeleteItem("i1")]


def test_two_items_in_one_response_are_cut_each_at_its_own_audio() -> None:
    ear = Ear(live())
    ear.sees(delta(300), item_done("i1"), delta(500, "i2"), item_done("i2"), done("r1"))
    assert ear.at(420).sees(SpeechStarted()).model == [Truncate("i2", 120)]
    assert ear.heard_ms == 420


def test_the_second_item_is_deleted_when_only_the_first_was_being_heard() -> None:
    ear = Ear(live())
    ear.sees(delta(300), item_done("i1"), delta(500, "i2"), item_done("i2"), done("r1"))
    assert ear.at(250).sees(SpeechStarted()).model == [Truncate("i1", 250), DeleteItem("i2")]


def test_the_second_item_starts_its_own_count_at_the_edge() -> None:
    ear = Ear(live())
    ear.sees(delta(300), item_done("i1"), delta(500, "i2"), item_done("i2"), done("r1"))
    assert ear.at(300).sees(SpeechStarted()).model == [DeleteItem("i2")]


def test_two_barge_ins_at_once_are_one() -> None:
    ear, _ = answering()
    ear.at(300).sees(SpeechStarted())
    assert ear.sees(SpeechStarted()) == []
    assert ear.call.engine.state.talk.barge_ins == 1


def test_the_second_answer_is_counted_from_its_own_beginning() -> None:
    ear, _ = answering()
    ear.at(700).sees(SpeechStarted("u2"), SpeechStopped("u2"), InputCommitted("u2"), created("r2"))
    ear.at(1_500).sees(delta(1_000, "i2", "r2"), done("r2"))
    assert ear.at(1_950).sees(SpeechStarted()).model == [Truncate("i2", 450)]
    assert ear.heard_ms == 700 + 450
    assert ear.call.engine.state.talk.barge_ins == 2


@pytest.mark.parametrize("at_ms", [0, 50, 198, 200, 299])
def test_a_barge_in_inside_a_filler_clears_it_and_tells_the_model_nothing(at_ms: int) -> None:
    call = live()
    call.sees(done("r1"))
    assert call.engine.state.talk.playout.filler(speech(300), 0)
    cut = call.at(at_ms).sees(SpeechStarted())
    assert cut.phone == [Clear()]
    assert cut.model == []


def test_a_filler_takes_its_time_before_the_item_that_follows() -> None:
    call = live()
    call.engine.state.talk.playout.filler(speech(150), 0)
    call.sees(delta(500), done("r1"))
    call.at(150).sees(MarkEchoed("p1"))
    assert call.at(250).sees(SpeechStarted()).model == [Truncate("i1", 100)]


def test_an_item_waiting_behind_a_filler_has_not_been_heard() -> None:
    call = live()
    call.engine.state.talk.playout.filler(speech(150), 0)
    call.sees(delta(500), done("r1"))
    assert call.at(140).sees(SpeechStarted()).model == [DeleteItem("i1")]


def test_a_truncate_is_never_longer_than_what_was_generated() -> None:
    call = live()
    call.sees(delta(37))
    assert call.at(60_000).sees(SpeechStarted()).model == [Truncate("i1", 37)]


def test_a_barge_in_during_a_tool_keeps_the_answer_for_the_next_turn() -> None:
    ear = Ear(live())
    ear.sees(delta(500), item_done(), done("r1", wants("c1")))
    assert ear.at(200).sees(SpeechStarted("u2")).model == [Truncate("i1", 200)]
    assert ear.sees(ToolFinished("c1", "1")).model == [ToolOutput("c1", "1")]
    assert ear.sees(has_answer("c1"), SpeechStopped("u2"), InputCommitted("u2"), created("r2")).model == []
    assert ear.sees(done("r2")).model == []


def test_the_transcript_keeps_the_words_that_were_heard() -> None:
    ear = Ear(live())
    ear.sees(delta(1_000), TranscriptDelta("r1", "i1", "one two "), TranscriptDelta("r1", "i1", "three four"))
    ear.sees(TranscriptDone("r1", "i1", "one two three four"), item_done(), done("r1"))
    ear.at(500).sees(SpeechStarted())
    line = ear.call.engine.state.talk.history.get("i1")
    assert line is not None
    assert (line.heard_ms, line.generated_ms) == (500, 1_000)
    assert line.heard_text() == "one two"


def test_words_of_an_answer_that_was_never_heard_do_not_enter_the_transcript() -> None:
    call = live()
    call.at(100).sees(SpeechStarted())
    call.sees(TranscriptDelta("r1", "i1", "never"), TranscriptDone("r1", "i1", "never"))
    assert call.engine.state.talk.history.get("i1") is None


def test_without_interrupt_response_the_agent_speaks_on() -> None:
    call = live(interrupt_response=False)
    call.sees(delta(400))
    assert call.at(100).sees(SpeechStarted()) == []
    assert call.sees(delta(400)).audio_ms == 400


def test_an_answer_cut_off_in_mid_generation_may_still_name_its_finished_item() -> None:
    call = live()
    call.sees(delta(400))
    call.at(100).sees(SpeechStarted())
    late = [AudioDone("r1", "i1"), OutputItemDone("r1", Item("i1", "message", "incomplete"))]
    assert call.sees(*late, done("r1", Item("i1", "message", "incomplete"), status=CANCELLED)) == []


def test_a_real_answer_is_created_while_the_clear_is_still_on_its_way() -> None:
    ear, _ = answering()
    ear.at(300).sees(SpeechStarted("u2"), SpeechStopped("u2"), InputCommitted("u2"), created("r2"))
    ear.sees(delta(200, "i2", "r2"), done("r2"))
    ear.call.sees(*(MarkEchoed(name) for name in ear.cleared_marks))
    assert ear.call.engine.state.talk.playout.heard_ms("i2", 300) == 0
    ear.at(700)
    assert ear.call.engine.state.talk.playout.heard_ms("i2", 700) == 200
    assert CreateResponse("tools") not in ear.call.said.model


def test_a_straggler_after_its_response_ended_and_was_cut_is_dropped() -> None:
    call = live()
    call.sees(delta(400), done("r1"))
    call.at(100).sees(SpeechStarted())
    assert call.sees(delta(400)).phone == []
    assert call.engine.state.talk.late_deltas == 1
