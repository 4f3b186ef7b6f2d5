"""The floor, the turn ledger, the transcript's order and the table of deadlines."""

from __future__ import annotations

from llcphone.engine.events import ToolFinished
from llcphone.engine.parts.conversation import FLOORS_KEPT
from llcphone.engine.parts.floor import FLOOR, Cue
from llcphone.engine.parts.history import History, Line
from llcphone.engine.parts.timers import Timer, Timers
from llcphone.engine.resumed import Speaker
from llcphone.engine.status import Floor
from llcphone.realtime.events import (
    CallerTranscript,
    InputCommitted,
    Item,
    SpeechStarted,
    SpeechStopped,
    TranscriptDone,
    Usage,
)
from llcphone.twilio.media import CallerAudio, MarkEchoed
from tests.engine.script import Ear, Script, created, delta, done, frame, item_done, live, wants


def test_the_floor_goes_round_once_in_a_turn() -> None:
    call = Script().live()
    ear, floor = Ear(call), lambda: call.engine.state.talk.floor
    assert floor() is Floor.NOBODY
    ear.sees(SpeechStarted("u1"))
    assert floor() is Floor.CALLER
    ear.sees(SpeechStopped("u1"), InputCommitted("u1"))
    assert floor() is Floor.MODEL_THINKING
    ear.sees(created("r1"), delta(200))
    assert floor() is Floor.AGENT
    ear.sees(done("r1"))
    ear.at(199)
    assert floor() is Floor.AGENT
    ear.at(201)
    assert floor() is Floor.NOBODY
    moves = ear.call.engine.report()["floor"]
    assert [who for _, who in moves] == ["caller", "model thinking", "agent", "nobody"]
    assert moves[-1][0] - moves[-2][0] == 200


def test_a_record_keeps_so_many_moves_of_the_floor_and_a_long_call_no_more() -> None:
    talk = live().engine.state.talk
    for at_ms in range(FLOORS_KEPT):
        talk.move(Cue.SPEECH_STARTED, at_ms, [])
        talk.move(Cue.SESSION_LOST, at_ms, [])
    assert len(talk.floors) == FLOORS_KEPT


def test_a_running_tool_keeps_the_model_thinking() -> None:
    call = live()
    call.sees(done("r1", wants("c1", "note_down")))
    assert call.engine.state.talk.floor is Floor.MODEL_THINKING
    call.sees(ToolFinished("c1", "1"))
    assert call.engine.state.talk.floor is Floor.NOBODY


def test_a_missing_pair_leaves_the_floor_as_it_is() -> None:
    talk = live().engine.state.talk
    for floor in Floor:
        for cue in Cue:
            talk.floor = floor
            talk.move(cue, 0, [])
            assert talk.floor is FLOOR.get((floor, cue), floor)
    assert (Floor.CALLER, Cue.AGENT_AUDIO) not in FLOOR


def test_the_answer_gap_counts_from_the_end_of_speech_not_from_its_decision() -> None:
    call = Script().live()
    for now_ms in range(0, 2_000, 20):
        call.at(now_ms).sees(CallerAudio(frame()))
    # 2,000 ms are in; detection says that speech ended at 1,400 of them
    call.at(2_000).sees(SpeechStarted("u1"), SpeechStopped("u1", audio_end_ms=1_400), InputCommitted("u1"))
    call.at(2_100).sees(created("r1"))
    call.at(2_300).sees(delta(200))
    (turn,) = call.engine.state.talk.timings.turns
    assert (turn.caller_stopped_ms, turn.decided_ms, turn.created_ms, turn.sent_ms) == (
        1_400,
        2_000,
        2_100,
        2_300,
    )
    assert turn.answer_gap_ms == 900
    call.at(2_600).sees(done("r1"), MarkEchoed("p1"))
    assert turn.heard_ms == 2_600


def test_the_answer_gap_is_still_right_after_many_minutes() -> None:
    call = Script(limits={"dead_stream_ms": 10**9}).live()
    minutes = 10 * 60 * 50
    for _ in range(minutes):
        call.engine.hear(frame(), 0)
    call.at(600_000).sees(SpeechStarted("u1"), SpeechStopped("u1", audio_end_ms=599_500))
    call.sees(InputCommitted("u1"), created("r1"), delta(20))
    assert call.engine.state.talk.timings.turns[-1].answer_gap_ms == 500


def test_the_greeting_is_a_turn_without_an_answer_gap() -> None:
    call = Script(greets=True).live()
    call.sees(created("g", "greeting"), delta(100, "i1", "g"))
    (turn,) = call.engine.state.talk.timings.turns
    assert (turn.asked, turn.answer_gap_ms) == ("greeting", None)


def test_a_barge_in_stands_in_the_ledger() -> None:
    call = live()
    call.sees(delta(500))
    call.at(120).sees(SpeechStarted())
    assert call.engine.state.talk.timings.turns[-1].barged_in_ms == 120


def test_the_transcript_is_in_conversation_order_whenever_the_transcriber_is_done() -> None:
    call = live()
    call.sees(delta(100), TranscriptDone("r1", "i1", "Good day."), item_done(), done("r1"))
    call.sees(CallerTranscript("u1", "Hel", final=False), CallerTranscript("u1", "Hello?", final=True))
    lines = [(line.speaker, line.text) for line in call.engine.state.talk.history.lines()]
    assert lines == [(Speaker.CALLER, "Hello?"), (Speaker.AGENT, "Good day.")]


def test_a_line_finds_its_place_by_the_item_before_it() -> None:
    history = History()
    history.place("a", Speaker.CALLER, 0)
    history.place("c", Speaker.CALLER, 0)
    history.place("b", Speaker.AGENT, 0, after="a")
    history.place("d", Speaker.AGENT, 0, after="unknown")
    assert [line.item_id for line in history.lines()] == ["a", "b", "c", "d"]


def test_heard_words_are_cut_at_a_word() -> None:
    line = Line("i1", Speaker.AGENT, 0, "alpha beta gamma", generated_ms=1_000)
    assert line.heard_text() == "alpha beta gamma"
    cuts = {0: "", 200: "", 320: "alpha", 600: "alpha", 700: "alpha beta", 1_000: line.text}
    for heard_ms, words in cuts.items():
        line.heard_ms = heard_ms
        assert line.heard_text() == words


def test_words_missing_from_the_stream_are_taken_from_the_finished_item() -> None:
    call = live()
    call.sees(delta(100), done("r1", Item("i1", "message", "completed", text="Good day.")))
    line = call.engine.state.talk.history.get("i1")
    assert line is not None
    assert (line.text, line.generated_ms) == ("Good day.", 100)


def test_tokens_of_every_response_are_added_up_priming_included() -> None:
    call = Script(priming=True).live()
    call.sees(created("p", "priming", in_conversation=False), done("p", usage=Usage(input_text=10)))
    call.caller_says("u1", "r1")
    call.sees(done("r1", usage=Usage(input_text=5, output_audio=7)))
    assert call.engine.state.talk.bill.usage == Usage(input_text=15, output_audio=7)


def test_deadlines_come_out_earliest_first_and_once() -> None:
    timers = Timers()
    timers.set(Timer.IDLE, 300)
    timers.set(Timer.FRAMES, 100)
    timers.set(Timer.LIMIT, 200)
    assert timers.next_ms == 100
    assert timers.pop_due(200) == [Timer.FRAMES, Timer.LIMIT]
    assert timers.next_ms == 300
    assert timers.pop_due(200) == []
    timers.set(Timer.IDLE, 900)
    assert timers.next_ms == timers.get(Timer.IDLE) == 900
    timers.clear(Timer.IDLE)
    timers.clear(Timer.IDLE)
    assert timers.next_ms is None
