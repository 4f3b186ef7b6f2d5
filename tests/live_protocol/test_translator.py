"""GPT-Live's stream becomes utterances and turns: when they begin and end, and whose the words are."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from llcphone.audio import payload_bytes
from llcphone.realtime.events import (
    AudioDelta,
    AudioDone,
    BackendDone,
    CallerTranscript,
    CallerWords,
    Item,
    ModelError,
    ModelEvent,
    ResponseCreated,
    ResponseDone,
    ResponseStatus,
    Seconds,
    SessionClosed,
    SessionUpdated,
    TranscriptDelta,
    TranscriptDone,
    UnknownModelEvent,
    Usage,
)
from llcphone.realtime.messages import CancelResponse, Speak, UpdateSession
from tests.live_protocol.samples import CALL, SESSION, USAGE, backend, error, response, sent, usual_codec

U1, ITEM1 = "setup-1-u1", "setup-1-u1-item"
C1, C2 = "setup-1-c1", "setup-1-c2"
Events = list[ModelEvent]


class Leg:
    """One leg: what the server says goes in, what the engine is told comes out."""

    def __init__(self, *, cushion_ms: int = 0, event_id: str = "setup-1", started: bool = True) -> None:
        self.codec = usual_codec(cushion_ms=cushion_ms)
        self.codec.encode(UpdateSession({"model": "gpt-live-1"}, event_id))
        if started:
            self.says({"type": "session.started", "session": SESSION})

    def says(self, *events: dict[str, Any]) -> Events:
        return [told for event in events for told in self.codec.decode(sent(event))]

    def _audio(self, byte: int, ms: int, chunk_ms: int) -> Events:
        sizes = [chunk_ms] * (ms // chunk_ms) + [ms % chunk_ms] * (ms % chunk_ms > 0)
        chunks = [base64.b64encode(bytes((byte,)) * 8 * size).decode() for size in sizes]
        return self.says(*({"type": "session.output_audio.delta", "delta": chunk} for chunk in chunks))

    def loud(self, ms: int = 100, chunk_ms: int = 100) -> Events:
        return self._audio(0x20, ms, chunk_ms)

    def quiet(self, ms: int = 100, chunk_ms: int = 100) -> Events:
        return self._audio(0xFF, ms, chunk_ms)

    def words(self, text: str, start_ms: int | None, end_ms: int | None) -> Events:
        kind = "session.output_transcript.delta"
        return self.says({"type": kind, "delta": text, "start_ms": start_ms, "end_ms": end_ms})

    def caller(self, text: str, start_ms: int | None, end_ms: int | None) -> Events:
        kind = "session.input_transcript.delta"
        return self.says({"type": kind, "delta": text, "start_ms": start_ms, "end_ms": end_ms})


def kinds(events: Events) -> list[type]:
    return [type(event) for event in events]


def only(kind: type, events: Events) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def done(events: Events) -> ResponseDone:
    (event,) = only(ResponseDone, events)
    assert isinstance(event, ResponseDone)
    return event


# -- utterances ---------------------------------------------------------------------------------


def test_silence_says_nothing() -> None:
    leg = Leg()
    assert leg.quiet(30_000) == []
    assert leg.codec.chunks == (300, 300)


def test_the_first_loud_piece_opens_an_utterance_after_a_cushion() -> None:
    leg = Leg(cushion_ms=160)
    leg.quiet(400)
    created, cushion, voice = leg.loud()
    assert created == ResponseCreated(U1)
    assert (cushion.response_id, cushion.item_id, cushion.quiet) == (U1, ITEM1, True)
    assert base64.b64decode(cushion.payload) == b"\xff" * 1_280
    assert voice == AudioDelta(U1, ITEM1, base64.b64encode(b"\x20" * 800), quiet=False)


def test_without_a_cushion_the_voice_comes_at_once() -> None:
    assert kinds(Leg().loud()) == [ResponseCreated, AudioDelta]


def test_a_pause_is_part_of_it_and_800_ms_end_it() -> None:
    leg = Leg()
    leg.loud()
    pause = leg.quiet(700)
    assert kinds(pause) == [AudioDelta] * 7
    assert all(piece.quiet for piece in only(AudioDelta, pause))
    assert [piece.quiet for piece in only(AudioDelta, leg.loud())] == [False]
    assert kinds(leg.quiet(700)) == [AudioDelta] * 7
    item = Item(ITEM1, "message", "completed", role="assistant")
    assert leg.quiet() == [
        AudioDone(U1, ITEM1),
        ResponseDone(U1, ResponseStatus.COMPLETED, items=(item,)),
    ]
    assert leg.quiet(5_000) == []


@pytest.mark.parametrize("chunk_ms", [20, 100, 130, 400])
def test_the_end_is_counted_in_audio_whatever_the_size_of_a_piece(chunk_ms: int) -> None:
    leg = Leg()
    leg.loud()
    told = leg.quiet(2_000, chunk_ms)
    assert only(ResponseDone, told)
    kept_ms = sum(payload_bytes(piece.payload) for piece in only(AudioDelta, told)) // 8
    assert 800 - chunk_ms <= kept_ms < 800


def test_each_utterance_has_an_id_of_its_own_on_every_leg() -> None:
    ids = []
    for event_id in ("setup-1", "setup-2", ""):
        leg = Leg(event_id=event_id)
        for _ in range(2):
            ids += [event.response_id for event in only(ResponseCreated, leg.loud())]
            leg.quiet(800)
    assert ids == ["setup-1-u1", "setup-1-u2", "setup-2-u1", "setup-2-u2", "u1", "u2"]


def test_half_of_the_pieces_were_quiet() -> None:
    leg = Leg()
    leg.quiet(500)
    leg.loud(500)
    assert leg.codec.chunks == (10, 5)


# -- what an utterance is for -------------------------------------------------------------------


def test_an_utterance_is_for_what_was_asked_last_and_only_once() -> None:
    leg = Leg()
    leg.codec.encode(Speak("Greet the caller.", "greeting"))
    leg.codec.encode(Speak("Are you there?", "silence"))
    assert only(ResponseCreated, leg.loud()) == [ResponseCreated(U1, purpose="silence")]
    leg.quiet(800)
    assert only(ResponseCreated, leg.loud()) == [ResponseCreated("setup-1-u2")]


def test_an_ask_that_is_refused_is_spoken_by_nobody() -> None:
    leg = Leg()
    leg.codec.encode(Speak("Greet the caller.", "greeting"))
    (refusal,) = leg.says(error(code="invalid_value", client_event_id="ask-greeting-1"))
    assert (refusal.code, refusal.event_id) == ("invalid_value", "ask-greeting-1")
    assert only(ResponseCreated, leg.loud()) == [ResponseCreated(U1)]


def test_the_refusal_of_an_earlier_ask_leaves_the_later_one() -> None:
    leg = Leg()
    leg.codec.encode(Speak("Greet the caller.", "greeting"))
    leg.codec.encode(Speak("Are you there?", "silence"))
    leg.says(error(code="invalid_value", client_event_id="ask-greeting-1"))
    assert only(ResponseCreated, leg.loud()) == [ResponseCreated(U1, purpose="silence")]


# -- the agent's words --------------------------------------------------------------------------


def test_words_are_laid_on_the_audio_of_their_item() -> None:
    leg = Leg(cushion_ms=160)
    leg.quiet(1_000)
    leg.loud()
    assert leg.words(" We open", 1_000, 1_400) == [TranscriptDelta(U1, ITEM1, " We open", 160, 560)]
    assert leg.words(" at nine.", 1_400, 1_900) == [TranscriptDelta(U1, ITEM1, " at nine.", 560, 1_060)]
    told = leg.quiet(900)
    assert only(TranscriptDone, told) == [TranscriptDone(U1, ITEM1, "We open at nine.")]
    assert [item.text for item in done(told).items] == ["We open at nine."]


def test_words_that_come_first_wait_for_their_audio() -> None:
    leg = Leg()
    leg.quiet(1_000)
    assert leg.words("Hello", 1_000, 1_300) == []
    leg.quiet(100)
    assert leg.loud()[2:] == [TranscriptDelta(U1, ITEM1, "Hello", 0, 200)]


def test_words_that_never_had_audio_are_not_those_of_a_later_utterance() -> None:
    leg = Leg()
    leg.words("Hm", 0, 300)
    leg.quiet(3_000)
    assert only(TranscriptDelta, leg.loud()) == []


def test_words_that_come_late_belong_to_the_utterance_in_which_they_lie() -> None:
    leg = Leg()
    leg.loud(1_000)
    leg.words("One", 0, 500)
    leg.quiet(800)
    assert leg.words(" two", 500, 1_000) == [
        TranscriptDelta(U1, ITEM1, " two", 500, 1_000),
        TranscriptDone(U1, ITEM1, "One two"),
    ]
    leg.quiet(200)
    leg.loud()
    assert leg.words(" three", 900, 1_100)[-1] == TranscriptDone(U1, ITEM1, "One two three")
    (new,) = leg.words("Four", 2_000, 2_100)
    assert (new.response_id, new.text) == ("setup-1-u2", "Four")


def test_words_without_times_are_those_of_the_open_utterance() -> None:
    leg = Leg()
    assert leg.words("Hel", None, None) == []
    assert leg.loud()[2:] == [TranscriptDelta(U1, ITEM1, "Hel")]
    assert leg.words("lo", None, None) == [TranscriptDelta(U1, ITEM1, "lo")]


def test_words_are_not_kept_without_end() -> None:
    leg = Leg()
    for number in range(1_000):
        leg.words(f" {number}", None, None)
    texts = [event.text for event in only(TranscriptDelta, leg.loud())]
    assert len(texts) == 256
    assert texts[-1] == " 999"


# -- a stop -------------------------------------------------------------------------------------


def test_a_stop_ends_the_utterance_and_drops_speech_until_a_pause() -> None:
    leg = Leg()
    leg.loud(300)
    leg.words("We open", 0, 300)
    assert leg.codec.encode(CancelResponse(U1)) is not None
    told = leg.loud()
    assert kinds(told) == [AudioDone, TranscriptDone, ResponseDone]
    assert (done(told).status, done(told).reason) == (ResponseStatus.CANCELLED, "client_cancelled")
    assert [item.status for item in done(told).items] == ["incomplete"]
    assert leg.loud(500) + leg.quiet(200) + leg.loud(200) == []
    assert leg.words(" at nine", 500, 900) == []
    assert leg.quiet(300) == []
    assert only(ResponseCreated, leg.loud()) == [ResponseCreated("setup-1-u2")]


def test_words_of_what_was_dropped_are_not_those_of_what_comes_next() -> None:
    leg = Leg()
    leg.loud(300)
    leg.codec.encode(CancelResponse())
    leg.loud(700)
    leg.quiet(300)
    leg.loud(100)
    assert leg.words("dropped", 600, 1_000) == []
    assert only(TranscriptDelta, leg.words("new", 1_300, 1_400))


def test_words_of_before_the_stop_still_belong_to_what_was_said() -> None:
    leg = Leg()
    leg.loud(300)
    leg.codec.encode(CancelResponse(U1))
    leg.quiet(300)
    assert leg.words("We", 0, 200)[-1] == TranscriptDone(U1, ITEM1, "We")


def test_a_stop_in_silence_drops_nothing_that_comes_later() -> None:
    leg = Leg()
    assert leg.codec.encode(CancelResponse()) is not None
    leg.quiet(300)
    assert only(ResponseCreated, leg.loud())


def test_a_stop_of_what_is_over_is_not_sent() -> None:
    leg = Leg()
    leg.loud()
    leg.quiet(800)
    assert leg.codec.encode(CancelResponse(U1)) is None
    assert only(ResponseCreated, leg.loud()) == [ResponseCreated("setup-1-u2")]


def test_an_agent_that_never_pauses_is_heard_again() -> None:
    leg = Leg()
    leg.loud()
    leg.codec.encode(CancelResponse(U1))
    told = leg.loud(12_000)
    assert len(only(ResponseDone, told)) == len(only(ResponseCreated, told)) == 1
    assert len(only(AudioDelta, told)) == 20


# -- the caller's words -------------------------------------------------------------------------


def test_fragments_become_a_turn_that_is_over_two_seconds_later() -> None:
    leg = Leg()
    leg.quiet(2_000)
    assert leg.caller("What is", 500, 700) == [CallerWords(C1, "What is", 500, 700)]
    leg.quiet(300)
    assert leg.caller(" that?", 1_500, 1_700) == [CallerWords(C1, " that?", 1_500, 1_700)]
    assert leg.quiet(1_900) == []
    assert leg.quiet() == [CallerTranscript(C1, "What is that?", final=True)]
    assert leg.quiet(5_000) == []


def test_words_that_lie_apart_are_two_turns() -> None:
    leg = Leg()
    leg.quiet(2_000)
    leg.caller("One", 0, 500)
    assert leg.caller(" still one", 2_500, 2_600) == [CallerWords(C1, " still one", 2_500, 2_600)]
    assert leg.caller("Two", 4_601, 4_700) == [
        CallerTranscript(C1, "One still one", final=True),
        CallerWords(C2, "Two", 4_601, 4_700),
    ]


def test_what_the_caller_said_before_the_agent_began_is_one_turn_though_it_comes_after() -> None:
    leg = Leg()
    leg.quiet(2_000)
    leg.caller("What is", 1_000, 1_500)
    leg.loud(800)
    assert leg.caller(" that?", 1_500, 1_900) == [CallerWords(C1, " that?", 1_500, 1_900)]
    assert only(CallerTranscript, leg.loud(600)) == []
    assert only(CallerTranscript, leg.loud()) == [CallerTranscript(C1, "What is that?", final=True)]


def test_what_the_caller_says_after_the_agent_began_is_another_turn() -> None:
    leg = Leg()
    leg.quiet(1_000)
    leg.caller("Hello", 0, 900)
    leg.loud(500)
    assert leg.caller("Wait", 1_000, 1_200) == [
        CallerTranscript(C1, "Hello", final=True),
        CallerWords(C2, "Wait", 1_000, 1_200),
    ]
    leg.loud(1_500)
    assert leg.caller(" please", 2_000, 2_200) == [CallerWords(C2, " please", 2_000, 2_200)]


def test_words_of_the_caller_without_times_go_on_with_the_turn() -> None:
    leg = Leg()
    assert leg.caller("He", None, None) + leg.caller("llo", None, None) == [
        CallerWords(C1, "He"),
        CallerWords(C1, "llo"),
    ]


# -- the backend --------------------------------------------------------------------------------


def test_a_response_of_the_backend_is_told_once_with_its_calls() -> None:
    leg = Leg()
    events = [
        backend("response.created", response=response("in_progress")),
        backend("response.output_item.done", item={"type": "reasoning", "id": "rs_1"}),
        backend("response.output_item.done", item=CALL),
        backend("response.output_item.done", item=CALL | {"call_id": "call_2", "id": "fc_2"}),
        backend("response.output_item.done", item=CALL),
        backend("response.completed", response=response("completed", usage=USAGE)),
        backend("response.completed", response=response("completed", usage=USAGE)),
    ]
    (told,) = leg.says(*events)
    assert isinstance(told, BackendDone)
    assert (told.response_id, told.status, told.delegation_id) == (
        "resp_1",
        ResponseStatus.COMPLETED,
        "item_1",
    )
    assert [item.call_id for item in told.items] == ["call_1", "call_2"]
    assert told.usage == Usage(input_text=900, cached_text=400, output_text=20)


@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled"])
def test_calls_of_a_response_that_did_not_complete_are_void(status: str) -> None:
    leg = Leg()
    leg.says(backend("response.created", response=response("in_progress")))
    leg.says(backend("response.output_item.done", item=CALL))
    failure = {"error": {"code": "server_error", "message": "It broke."}}
    (told,) = leg.says(backend(f"response.{status}", response=response(status, **failure)))
    assert (told.status, told.error_code, told.items) == (ResponseStatus(status), "server_error", ())


def test_calls_belong_to_the_response_of_their_delegation() -> None:
    leg = Leg()
    for number in (1, 2):
        began = backend("response.created", response=response("in_progress", id=f"resp_{number}"))
        leg.says(began | {"delegation_id": f"item_{number}"})
    call = backend("response.output_item.done", item=CALL)
    leg.says(call | {"delegation_id": "item_1"})
    (second,) = leg.says(
        backend("response.completed", response=response("completed", id="resp_2")) | {"delegation_id": None}
    )
    (first,) = leg.says(backend("response.completed", response=response("completed", id="resp_1")))
    assert (second.delegation_id, second.items) == ("item_2", ())
    assert [item.call_id for item in first.items] == ["call_1"]


def test_a_response_whose_begin_was_not_told_has_its_calls_all_the_same() -> None:
    leg = Leg()
    leg.says(backend("response.output_item.done", item=CALL))
    (told,) = leg.says(backend("response.completed", response=response("completed")))
    assert [item.call_id for item in told.items] == ["call_1"]


# -- the session --------------------------------------------------------------------------------


def test_nothing_counts_before_the_session_is_open() -> None:
    leg = Leg(started=False)
    told = leg.loud() + leg.words("Hi", 0, 100) + leg.caller("Hi", 0, 100)
    assert told + leg.says({"type": "session.updated", "session": SESSION}) == []
    (opened,) = leg.says({"type": "session.started", "session": SESSION})
    assert isinstance(opened, SessionUpdated)
    assert leg.codec.chunks == (0, 0)
    assert kinds(leg.loud()) == [ResponseCreated, AudioDelta]


def test_an_error_before_the_session_is_open_refuses_its_opening() -> None:
    leg = Leg(started=False)
    (refusal,) = leg.says(error(code="unknown_parameter", param="session.speed"))
    assert refusal.event_id == "setup-1"
    (other,) = leg.says(error(code="unknown_parameter", client_event_id="e7"))
    assert other.event_id == "e7"


def test_an_error_later_answers_what_it_names() -> None:
    assert Leg().says(error()) == [
        ModelError("invalid_request_error", "invalid_request_error", message="No.")
    ]


def test_what_the_end_left_unread_is_no_error() -> None:
    assert Leg().says(error(code="context_injection_incomplete")) == []


def test_updates_seconds_and_what_is_new_are_told() -> None:
    leg = Leg()
    told = leg.says(
        {"type": "session.updated", "session": SESSION},
        {"type": "session.usage.updated", "usage": {"seconds": 15}},
        {"type": "session.delegation.created", "delegation": {}},
        {"type": "weather.changed"},
    )
    assert kinds(told) == [SessionUpdated, Seconds, UnknownModelEvent]


def test_the_end_of_the_session_is_the_last_word_and_an_open_utterance_is_lost_with_it() -> None:
    leg = Leg()
    leg.caller("Hello", 0, 100)
    leg.loud()
    told = leg.says({"type": "session.closed", "reason": "expired", "usage": {"seconds": 63}})
    assert kinds(told) == [CallerTranscript, Seconds, SessionClosed]
    assert told[-2:] == [Seconds(63), SessionClosed("expired")]
    again = leg.says({"type": "session.closed", "reason": "expired"}, error())
    assert leg.loud() + leg.words("Hi", 100, 200) + leg.caller("Hi", 100, 200) + again == []
