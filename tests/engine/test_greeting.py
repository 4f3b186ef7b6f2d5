"""The opening: who speaks first, when, and how often."""

from __future__ import annotations

from llcphone.engine.events import Born, ModelConnected, StreamJoined
from llcphone.engine.status import Floor
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import SessionCreated, SpeechStarted
from llcphone.realtime.messages import CreateResponse, DeleteItem, Truncate, UpdateSession, UserText
from llcphone.twilio.media import Clear, Mark
from tests.engine.script import FAILED, SESSION, STARTED, ULAW, Ear, Script, created, delta, done

CUE = UserText("Greet the caller.")


def test_a_greeting_is_a_user_message_and_a_create_on_session_updated_never_on_created() -> None:
    call = Script(greets=True)
    call.sees(Born(), ModelConnected(1, Dialect.GA))
    assert call.sees(SessionCreated("s1")) == []
    assert call.sees(ULAW).model == [CUE, CreateResponse("greeting")]


def test_later_updates_do_not_greet_again() -> None:
    call = Script(greets=True).live()
    assert call.sees(ULAW).model == []


def test_a_new_attempt_greets_once_in_all() -> None:
    call = Script(greets=True, dialect=None)
    call.sees(Born(), StreamJoined(), STARTED, ModelConnected(1, Dialect.FLAT))
    call.until(4_000)
    call.sees(ModelConnected(2, Dialect.FLAT), ULAW)
    assert call.said.model.count(CreateResponse("greeting")) == 1


def test_a_listening_agent_says_nothing_first() -> None:
    call = Script()
    assert call.configured().model == [UpdateSession(SESSION, "setup-1")]
    assert call.sees(StreamJoined(), STARTED).phone == []


def test_priming_is_out_of_band_and_goes_before_the_greeting() -> None:
    call = Script(greets=True, priming=True)
    assert call.configured().model[1:] == [
        CreateResponse("priming", priming=True),
        CUE,
        CreateResponse("greeting"),
    ]


def test_priming_is_never_heard_even_if_the_server_speaks_it() -> None:
    call = Script(priming=True).live()
    assert call.sees(created("p", "priming", in_conversation=False), delta(400, "i0", "p")).phone == []
    assert call.sees(done("p")) == []
    assert call.engine.state.talk.playout.silent


def test_priming_does_not_make_the_greeting_wait() -> None:
    call = Script(greets=True, priming=True)
    call.configured()
    call.sees(created("p", "priming", in_conversation=False), created("g", "greeting"))
    assert call.engine.state.talk.greeting_id == "g"


def test_a_greeting_generated_early_is_flushed_at_start_after_the_pad() -> None:
    call = Script(greets=True, pad_ms=500)
    call.configured()
    assert call.sees(created("g", "greeting"), delta(400, "i1", "g"), done("g")).phone == []
    flushed = call.at(5_000).sees(StreamJoined(), STARTED)
    ear = Ear(call)
    ear.takes(flushed)
    ear.at(6_000)
    assert ear.played == b"\xff" * 4_000 + b"\x55" * 3_200
    assert isinstance(flushed.phone[-1], Mark)
    assert call.engine.state.talk.playout.silent


def test_only_a_greeting_is_padded() -> None:
    call = Script(greets=False, pad_ms=500)
    call.configured()
    assert call.sees(StreamJoined(), STARTED).phone == []


def test_a_greeting_flushed_at_start_counts_as_sent_then() -> None:
    call = Script(greets=True)
    call.configured()
    call.sees(created("g", "greeting"), delta(100, "i1", "g"))
    call.at(4_000).sees(StreamJoined(), STARTED)
    assert call.engine.state.talk.timings.turns[0].sent_ms == 4_000
    assert call.engine.state.talk.floor is Floor.AGENT


def test_a_pad_alone_is_not_the_agent_speaking() -> None:
    call = Script(greets=True, pad_ms=500)
    call.configured()
    call.sees(created("g", "greeting"))
    call.at(4_000).sees(StreamJoined(), STARTED)
    assert call.engine.state.talk.timings.turns[0].sent_ms is None
    assert call.engine.state.talk.floor is Floor.MODEL_THINKING
    call.at(4_300).sees(delta(100, "i1", "g"))
    assert call.engine.state.talk.timings.turns[0].sent_ms == 4_300


def test_a_barge_in_inside_the_pad_deletes_the_greeting_nobody_heard() -> None:
    call = Script(greets=True, pad_ms=500)
    call.configured()
    call.sees(created("g", "greeting"), delta(2_000, "i1", "g"), done("g"))
    ear = Ear(call.at(1_000))
    ear.sees(StreamJoined(), STARTED)
    cut = ear.at(1_450).sees(SpeechStarted())
    assert ear.heard_ms == 0
    assert cut.phone == [Clear()]
    assert cut.model == [DeleteItem("i1")]


def test_the_pad_is_not_credited_to_the_greeting() -> None:
    call = Script(greets=True, pad_ms=500)
    call.configured()
    call.sees(created("g", "greeting"), delta(2_000, "i1", "g"), done("g"))
    ear = Ear(call.at(1_000))
    ear.sees(StreamJoined(), STARTED)
    cut = ear.at(1_000 + 500 + 760).sees(SpeechStarted())
    assert cut.model == [Truncate("i1", 760)]


def test_a_greeting_that_fails_is_asked_for_once_more() -> None:
    call = Script(greets=True).live()
    call.sees(created("g", "greeting"))
    assert call.sees(done("g", status=FAILED)).model == []
    assert call.until(250).model == [CreateResponse("greeting")]
    call.sees(created("g2", "greeting"))
    assert call.engine.state.talk.greeting_id == "g2"
