"""Endpoints that do not understand all of the API: what is done instead, and what is learned of them."""

from __future__ import annotations

from typing import Any

import pytest

from llcphone.engine.commands import EndCall, RememberUnsupported
from llcphone.engine.events import Born, EndReason, ModelConnected, StreamJoined
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import (
    InputCommitted,
    ModelError,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
)
from llcphone.realtime.messages import (
    AssistantText,
    CancelResponse,
    CreateResponse,
    DeleteItem,
    Truncate,
    UpdateSession,
)
from llcphone.realtime.unsupported import (
    CANCEL,
    CLEAR,
    COMMITTED,
    DELETE,
    METADATA,
    OUT_OF_BAND,
    SEMANTIC_VAD,
    TRUNCATE,
    not_understood,
    setting_not_understood,
    without,
)
from llcphone.twilio.media import Clear, Mark, MarkEchoed
from tests.engine.script import SESSION, STARTED, ULAW, Script, created, delta, done, spoke
from tests.engine.setups import recovery_plan

WORDS = "Good morning, this is the bakery."


def unknown_event(kind: str) -> ModelError:
    """As OpenAI's own endpoint refuses an event that it does not know."""
    text = f"Invalid value: '{kind}'. Supported values are: 'session.update', 'response.create'."
    return ModelError("invalid_value", "invalid_request_error", "type", text)


def unknown_parameter(name: str) -> ModelError:
    return ModelError("unknown_parameter", "invalid_request_error", name, f"Unknown parameter: '{name}'.")


def call_at(*names: str, **fields: Any) -> Script:
    """A call whose endpoint is known not to understand these; the caller is on the line."""
    call = Script(**fields)
    call.sees(Born(), ModelConnected(1, Dialect.GA, frozenset(names)), ULAW, StreamJoined(), STARTED)
    return call


def barge_in(call: Script, number: int = 1) -> Any:
    """The caller has heard 1 s of an answer of 2 s and speaks; what the model is told of it."""
    response, item, at_ms = f"r{number}", f"i{number}", number * 10_000
    call.at(at_ms).sees(created(response), TranscriptDelta(response, item, WORDS))
    said = call.sees(*[delta(200, item, response)] * 10)
    marks = [each.name for each in said.phone if isinstance(each, Mark)]
    call.at(at_ms + 1_050).sees(*map(MarkEchoed, marks[:5]))
    return call.at(at_ms + 1_100).sees(SpeechStarted(f"u{number}"))


# -- truncate -----------------------------------------------------------------------------------


def test_where_nothing_is_truncated_the_heard_words_take_the_place_of_the_item() -> None:
    cut = barge_in(call_at(TRUNCATE))
    assert cut.phone[0] == Clear()
    item, heard = cut.model
    assert item == DeleteItem("i1")
    assert isinstance(heard, AssistantText)
    assert heard.text == "Good morning,"


def test_a_refused_truncation_is_made_good_and_never_tried_again() -> None:
    call = call_at()
    assert [type(each) for each in barge_in(call).model] == [Truncate]
    refused = call.at(11_300).sees(unknown_event(TRUNCATE))
    assert RememberUnsupported(1, TRUNCATE) in refused
    assert [type(each) for each in refused.model] == [DeleteItem, AssistantText]
    assert call.sees(unknown_event(TRUNCATE)) == []
    call.at(12_000).sees(SpeechStopped("u1"), InputCommitted("u1"), done("r1"))
    assert [type(each) for each in barge_in(call, 2).model] == [DeleteItem, AssistantText]


def test_a_truncation_that_only_came_too_late_is_no_refusal_of_the_event() -> None:
    call = call_at()
    barge_in(call)
    late = ModelError(
        "invalid_value",
        "invalid_request_error",
        "audio_end_ms",
        "Audio content of 400ms is already shorter than 500ms",
    )
    assert not any(isinstance(each, RememberUnsupported) for each in call.sees(late))


def test_where_nothing_can_be_deleted_either_the_item_stays() -> None:
    assert barge_in(call_at(TRUNCATE, DELETE)).model == []


# -- cancel, clear, out of band, metadata -------------------------------------------------------


def test_where_nothing_is_cancelled_an_unasked_response_is_not_heard() -> None:
    call = call_at(CANCEL)
    call.sees(created("r1"), *spoke("r1"))
    unasked = call.sees(created("r2"))
    assert unasked.model == []
    assert call.sees(delta(200, "i2", "r2")).phone == []
    call.sees(done("r2"))
    call.at(5_000).sees(SpeechStarted("u1"), SpeechStopped("u1"), InputCommitted("u1"), created("r3"))
    assert call.sees(delta(200, "i3", "r3")).audio_ms == 200


def test_a_refused_cancel_is_remembered() -> None:
    call = call_at()
    call.sees(created("r1"), *spoke("r1"))
    assert call.sees(created("r2")).model == [CancelResponse("r2")]
    assert call.sees(unknown_event(CANCEL)) == [RememberUnsupported(1, CANCEL)]
    call.sees(done("r2"))
    assert call.sees(created("r4")).model == []


def test_where_nothing_is_out_of_band_nothing_is_primed() -> None:
    call = Script(priming=True)
    ready = call.sees(Born(), ModelConnected(1, Dialect.GA, frozenset({OUT_OF_BAND})), ULAW)
    assert CreateResponse("priming", priming=True) not in ready.model
    assert call.engine.state.talk.primed
    primed = Script(priming=True)
    ready = primed.sees(Born(), ModelConnected(1, Dialect.GA), ULAW)
    assert CreateResponse("priming", priming=True) in ready.model
    assert primed.sees(unknown_parameter(OUT_OF_BAND)) == [RememberUnsupported(1, OUT_OF_BAND)]
    assert primed.engine.state.talk.primed


def test_a_request_that_was_refused_for_its_mark_is_made_again_without_one() -> None:
    call = Script(greets=True)
    ready = call.sees(Born(), ModelConnected(1, Dialect.GA), ULAW)
    assert ready.model[-1] == CreateResponse("greeting")
    refused = call.sees(unknown_parameter("response.metadata"))
    assert refused[0] == RememberUnsupported(1, METADATA)
    assert refused.model == [CreateResponse()]
    call.sees(StreamJoined(), STARTED, created("r1"))
    assert call.engine.state.talk.greeting_id == "r1"


# -- turns without a commit ---------------------------------------------------------------------


def turn_without_commit(call: Script, number: int) -> Any:
    call.at(number * 10_000).sees(SpeechStarted(f"u{number}"))
    call.at(number * 10_000 + 900).sees(SpeechStopped(f"u{number}"))
    answer = call.sees(created(f"r{number}"))
    return [*answer, *call.sees(*spoke(f"r{number}"))]


def test_an_answer_to_a_turn_that_nothing_commits_is_heard() -> None:
    call = call_at()
    for number in (1, 2, 3):
        said = turn_without_commit(call, number)
        learned = [each for each in said if isinstance(each, RememberUnsupported)]
        assert learned == ([RememberUnsupported(1, COMMITTED)] if number == 2 else [])
        assert not any(isinstance(getattr(each, "message", None), CancelResponse) for each in said)
    assert call.engine.report()["unasked_responses"] == 0


def test_an_endpoint_that_commits_at_all_is_not_said_to_commit_nothing() -> None:
    call = call_at()
    call.sees(SpeechStarted("u0"), SpeechStopped("u0"), InputCommitted("u0"), created("r0"), *spoke("r0"))
    said = [each for number in (1, 2, 3) for each in turn_without_commit(call, number)]
    assert not any(isinstance(each, RememberUnsupported) for each in said)


def test_where_nothing_is_committed_the_end_of_speech_ends_the_turn() -> None:
    call = call_at(COMMITTED)
    call.at(1_000).sees(SpeechStarted("u1"))
    call.at(1_900).sees(SpeechStopped("u1"))
    assert not call.engine.state.talk.deciding
    assert call.engine.state.talk.responses.owes_caller


def test_a_commit_that_comes_after_all_changes_nothing() -> None:
    call = call_at()
    turn_without_commit(call, 1)
    lines = len(call.engine.lines(call.now_ms))
    assert call.sees(InputCommitted("u1")) == []
    assert len(call.engine.lines(call.now_ms)) == lines


# -- settings of the session --------------------------------------------------------------------

NOISE = {"input_audio_noise_reduction": {"type": "near_field"}}
SEMANTIC = {"type": "semantic_vad", "eagerness": "high", "create_response": True}


def opening(call: Script) -> Any:
    return call.sees(Born(), ModelConnected(1, Dialect.GA))


def test_a_setting_the_endpoint_does_not_know_is_left_out_and_the_call_goes_on() -> None:
    call = Script(session={**SESSION, **NOISE, "speed": 1.2})
    assert opening(call).model == [UpdateSession({**SESSION, **NOISE, "speed": 1.2}, "setup-1")]
    refused = call.sees(unknown_parameter("session.audio.input.noise_reduction"))
    assert refused[-2:] == [
        RememberUnsupported(1, "session.input_audio_noise_reduction"),
        *[each for each in refused if hasattr(each, "message")],
    ]
    assert refused.model == [UpdateSession({**SESSION, "speed": 1.2}, "setup-1-less")]
    refused = call.sees(unknown_parameter("session.audio.output.speed"))
    assert refused.model == [UpdateSession(SESSION, "setup-1-less-less")]
    call.sees(ULAW)
    assert call.engine.status().ready_ms is not None


def test_an_endpoint_without_semantic_turns_detects_them_by_silence() -> None:
    call = Script(session={**SESSION, "turn_detection": SEMANTIC})
    opening(call)
    text = "Invalid value: 'semantic_vad'. Value must be 'server_vad'."
    where = "session.audio.input.turn_detection.type"
    refused = call.sees(ModelError("invalid_value", "invalid_request_error", where, text))
    assert RememberUnsupported(1, SEMANTIC_VAD) in refused
    by_silence = {"type": "server_vad", "create_response": True}
    assert refused.model == [UpdateSession({**SESSION, "turn_detection": by_silence}, "setup-1-less")]


@pytest.mark.parametrize("name", ["instructions", "tools", "voice", "audio.output.format"])
def test_what_a_call_cannot_do_without_stays_a_refusal(name: str) -> None:
    call = Script(session={**SESSION, "instructions": "Be kind.", "tools": []})
    opening(call)
    refused = call.sees(unknown_parameter(f"session.{name}"))
    assert EndCall(EndReason.MODEL_REFUSED) in refused
    assert not any(isinstance(each, RememberUnsupported) for each in refused)


def test_a_bad_value_of_a_setting_is_no_unknown_setting() -> None:
    call = Script(session={**SESSION, "speed": 9.0})
    opening(call)
    bad = ModelError("decimal_above_max_value", "invalid_request_error", "session.audio.output.speed", "no")
    assert EndCall(EndReason.MODEL_REFUSED) in call.sees(bad)


def test_a_server_must_not_answer_by_itself_where_that_was_refused_to_it() -> None:
    session = {"turn_detection": {"type": "server_vad", "create_response": False, "threshold": 0.5}}
    error = unknown_parameter("session.turn_detection.create_response")
    assert setting_not_understood(error, session) == ""
    error = unknown_parameter("session.turn_detection.threshold")
    assert setting_not_understood(error, session) == "session.turn_detection.threshold"


def test_the_next_leg_is_set_up_without_what_its_endpoint_is_known_not_to_know() -> None:
    call = Script(session={**SESSION, **NOISE}, recovery=recovery_plan(enabled=True))
    call.sees(Born())
    known = ModelConnected(1, Dialect.GA, frozenset({"session.input_audio_noise_reduction"}))
    assert call.sees(known).model == [UpdateSession(SESSION, "setup-1")]


# -- what is read from an error ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (unknown_event(CLEAR), CLEAR),
        (ModelError("", message=f"Unknown event type: {CANCEL}"), CANCEL),
        (ModelError("unsupported_event", message=f"{TRUNCATE} cannot be handled"), TRUNCATE),
        (ModelError("not_implemented", message=f"'{DELETE}'"), DELETE),
        (unknown_parameter("response.metadata.llcphone"), METADATA),
        (unknown_parameter("response.input"), OUT_OF_BAND),
        (ModelError("", message="Unknown parameter: 'response.conversation'."), OUT_OF_BAND),
        (ModelError("response_cancel_not_active", message="Cancellation failed: no active response"), ""),
        (ModelError("invalid_value", param="item_id", message=f"Invalid item in {TRUNCATE}"), ""),
        (ModelError("server_error", message="The server had an error"), ""),
        (unknown_event("response.create"), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_error_names_what_is_not_understood(error: ModelError, name: str) -> None:
    assert not_understood(error) == name


def test_settings_are_taken_out_at_any_depth() -> None:
    fields = {"speed": 1.1, "input_audio_transcription": {"model": "m", "prompt": "p"}, "voice": "x"}
    assert without(fields, {"session.speed", "session.input_audio_transcription.prompt", TRUNCATE}) == {
        "input_audio_transcription": {"model": "m"},
        "voice": "x",
    }
    assert without({"turn_detection": None}, {SEMANTIC_VAD}) == {"turn_detection": None}
