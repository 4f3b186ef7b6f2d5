"""When the caller's frames reach the model."""

from __future__ import annotations

from llcphone.engine.commands import SendModel
from llcphone.engine.events import Born, ModelConnected, StreamJoined
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.messages import AppendAudio
from llcphone.twilio.media import CallerAudio, MarkEchoed
from tests.engine.script import STARTED, ULAW, Ear, Script, created, delta, done, frame


def greeted(**setup: object) -> Script:
    """A live call that greets, with the greeting's response created but unheard."""
    call = Script(greets=True, **setup).live()
    call.sees(created("g", "greeting"))
    return call


def test_frames_go_straight_to_the_model_once_configured_and_started() -> None:
    call = Script().live()
    assert call.sees(CallerAudio(frame(7))) == [SendModel(AppendAudio(frame(7)))]


def test_nothing_is_forwarded_before_the_session_is_confirmed() -> None:
    call = Script()
    call.sees(Born(), ModelConnected(1, Dialect.GA), StreamJoined(), STARTED)
    assert call.sees(CallerAudio(frame())) == []
    assert call.engine.state.frames == 1


def test_what_a_listening_agent_missed_is_sent_in_order_when_the_session_is_ready() -> None:
    call = Script()
    call.sees(Born(), StreamJoined(), STARTED, *(CallerAudio(frame(n)) for n in range(5)))
    sent = call.sees(ModelConnected(1, Dialect.GA), ULAW).model
    assert sent[1:] == [AppendAudio(frame(n)) for n in range(5)]
    assert call.sees(CallerAudio(frame(5))).model == [AppendAudio(frame(5))]


def test_kept_audio_is_bounded_and_the_oldest_falls_out() -> None:
    call = Script(limits={"early_audio_ms": 100})
    call.sees(Born(), StreamJoined(), STARTED, *(CallerAudio(frame(n)) for n in range(8)))
    sent = call.sees(ModelConnected(1, Dialect.GA), ULAW).model
    assert sent[1:] == [AppendAudio(frame(n)) for n in range(3, 8)]
    assert call.engine.state.gate.held_back == 3


def test_a_greeting_agent_keeps_no_early_audio() -> None:
    call = Script(greets=True)
    call.sees(Born(), StreamJoined(), STARTED, CallerAudio(frame()))
    sent = call.sees(ModelConnected(1, Dialect.GA), ULAW).model
    assert AppendAudio(frame()) not in sent
    assert call.engine.state.gate.held_back == 1


def test_the_guard_holds_frames_back_until_seven_hundred_ms_of_a_live_greeting_are_heard() -> None:
    call = greeted()
    ear = Ear(call)
    ear.sees(delta(2_000, "i1", "g"))
    assert ear.at(699).sees(CallerAudio(frame())) == []
    assert ear.at(700).sees(CallerAudio(frame())).model == [AppendAudio(frame())]
    assert ear.heard_ms == 700
    assert (call.engine.state.frames, call.engine.state.gate.held_back) == (2, 1)


def test_the_guard_counts_a_replayed_greeting_from_the_ear_not_from_its_making() -> None:
    call = Script(greets=True, pad_ms=500)
    call.configured()
    call.at(100).sees(created("g", "greeting"), delta(2_000, "i1", "g"), done("g"))
    call.at(3_000)
    ear = Ear(call)
    ear.sees(StreamJoined(), STARTED)
    assert ear.at(3_000 + 500 + 699).sees(CallerAudio(frame())) == []
    assert ear.at(3_000 + 500 + 700).sees(CallerAudio(frame())).model == [AppendAudio(frame())]


def test_the_guard_ends_after_three_seconds_without_any_mark() -> None:
    call = greeted()
    call.sees(delta(60, "i1", "g"))
    call.until(2_999)
    assert call.sees(CallerAudio(frame())) == []
    call.until(3_000)
    assert call.sees(CallerAudio(frame())).model == [AppendAudio(frame())]


def test_the_guard_ends_when_a_short_greeting_was_heard_to_its_end() -> None:
    call = greeted()
    ear = Ear(call)
    ear.sees(delta(300, "i1", "g"), done("g"))
    ear.at(299)
    assert call.sees(CallerAudio(frame())) == []
    ear.at(301)
    assert call.sees(CallerAudio(frame())).model == [AppendAudio(frame())]


def test_without_a_guard_frames_flow_at_once() -> None:
    call = greeted(limits={"greeting_guard_ms": 0})
    assert call.sees(CallerAudio(frame())).model == [AppendAudio(frame())]


def test_a_guard_that_ended_never_comes_back() -> None:
    call = greeted()
    call.until(3_000)
    call.sees(done("g"), created("r2"), delta(400, "i2", "r2"), MarkEchoed("p1"))
    assert call.sees(CallerAudio(frame())).model == [AppendAudio(frame())]


def test_the_short_way_and_the_long_way_decide_the_same() -> None:
    one_mark = {"mark_every_ms": 1_200}
    short, long = greeted(limits=one_mark), greeted(limits=one_mark)
    for call in (short, long):
        call.sees(delta(900, "i1", "g"))
    for now_ms in range(0, 1_000, 20):
        for call in (short, long):
            call.until(now_ms)
        heard = short.engine.hear(frame(), now_ms)
        assert long.sees(CallerAudio(frame())) == ([] if heard is None else [SendModel(AppendAudio(heard))])
    assert short.engine.state.gate.held_back == long.engine.state.gate.held_back == 35


def test_a_frame_by_the_long_way_makes_no_other_decision_due_earlier() -> None:
    call = greeted()
    call.sees(delta(900, "i1", "g"))
    assert call.at(3_500).sees(CallerAudio(frame())) == []  # the guard is the alarm's business
    assert not call.engine.hear(frame(), 3_500)


def test_a_session_that_is_restored_while_the_line_is_muted_does_not_open_it() -> None:
    listening = Script().live().engine.state.gate
    listening.mute(True)
    listening.session_lost()
    listening.session_ready(0)
    assert not listening.open
    listening.mute(False)
    assert listening.open
