"""From birth to a configured session: attempts, dialects, deadlines."""

from __future__ import annotations

import pytest

from llcphone.engine.commands import CloseModel, ConnectModel, EndCall, RememberDialect, SendModel
from llcphone.engine.events import (
    Born,
    EndReason,
    ModelConnected,
    ModelConnectFailed,
    ModelLegLost,
    ModelSaid,
    StreamJoined,
)
from llcphone.engine.parts.model_session import Phase
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import ModelError, SessionCreated, SessionUpdated, UnknownModelEvent
from llcphone.realtime.messages import UpdateSession
from tests.engine.script import SESSION, STARTED, ULAW, Script, delta

BETA_IS_GONE = ModelError("beta_api_shape_disabled")
WANTS_TYPE = ModelError("missing_required_parameter", param="session.type")
KNOWS_NO_FLAT_KEY = ModelError("unknown_parameter", param="session.voice")


def asking() -> Script:
    """A call that does not know the endpoint's dialect, on an open flat leg."""
    call = Script(dialect=None)
    call.sees(Born(), ModelConnected(1, Dialect.FLAT))
    return call


def test_a_call_dials_the_model_at_birth_and_configures_without_waiting_for_session_created() -> None:
    call = Script()
    assert call.sees(Born()) == [ConnectModel(1, Dialect.GA)]
    update = call.at(200).sees(ModelConnected(1, Dialect.GA))
    assert update == [SendModel(UpdateSession(SESSION, "setup-1"))]
    assert call.sees(SessionCreated("s1")) == []
    assert not call.engine.state.session.ready


def test_the_session_is_ready_once_updated_confirms_ulaw_both_ways() -> None:
    call = Script()
    call.sees(Born(), ModelConnected(1, Dialect.GA))
    assert call.at(300).sees(ULAW) == [RememberDialect(Dialect.GA)]
    assert call.engine.state.ready_ms == 300
    assert call.until(60_000 - 1) == []  # the set-up's deadline is gone


@pytest.mark.parametrize(
    "formats", [("pcm16", "pcm16"), ("g711_ulaw", "pcm16"), ("pcm16", "g711_ulaw"), ("", "")]
)
def test_another_audio_format_than_ulaw_refuses_the_session(formats: tuple[str, str]) -> None:
    call = Script()
    call.sees(Born(), ModelConnected(1, Dialect.GA))
    assert call.sees(SessionUpdated(*formats)) == [EndCall(EndReason.MODEL_REFUSED)]
    assert call.engine.state.session.last_failure == "audio_format"


@pytest.mark.parametrize("refusal", [BETA_IS_GONE, WANTS_TYPE, KNOWS_NO_FLAT_KEY])
def test_a_refused_flat_dialect_is_dialled_again_in_ga_within_the_same_deadline(refusal: ModelError) -> None:
    call = asking()
    due = call.engine.next_deadline_ms
    assert call.at(400).sees(refusal) == [
        CloseModel(1),
        RememberDialect(Dialect.GA),
        ConnectModel(2, Dialect.GA),
    ]
    assert call.engine.next_deadline_ms == due == 10_000
    call.at(600).sees(ModelConnected(2, Dialect.GA), ULAW)
    assert call.engine.state.session.ready


def test_close_4000_after_the_dialect_refusal_is_the_same_refusal_not_a_second() -> None:
    call = asking()
    call.sees(BETA_IS_GONE)
    assert call.sees(ModelLegLost(1, 4000)) == []
    assert call.engine.state.stale_events == 1


def test_the_dialect_turns_only_once() -> None:
    call = asking()
    call.sees(WANTS_TYPE, ModelConnected(2, Dialect.FLAT))
    assert call.sees(WANTS_TYPE).end is EndReason.MODEL_REFUSED


def test_ga_never_turns_to_flat() -> None:
    call = Script(dialect=Dialect.GA)
    call.sees(Born(), ModelConnected(1, Dialect.GA))
    assert call.sees(KNOWS_NO_FLAT_KEY) == [EndCall(EndReason.MODEL_REFUSED)]


def test_a_flat_dialect_that_was_asked_for_is_not_turned() -> None:
    call = Script(dialect=Dialect.FLAT, may_switch=False)
    call.sees(Born(), ModelConnected(1, Dialect.FLAT))
    assert call.sees(BETA_IS_GONE) == [EndCall(EndReason.MODEL_REFUSED)]


@pytest.mark.parametrize(
    "error",
    [
        ModelError("invalid_api_key"),
        ModelError("insufficient_quota"),
        ModelError("unknown_parameter", param="session.tools[0].meta"),
        ModelError("invalid_value", param="session.speed"),
        ModelError("some_new_code", event_id="setup-1"),
    ],
)
def test_any_other_refusal_of_the_set_up_is_final(error: ModelError) -> None:
    call = asking()
    assert call.sees(error).end is EndReason.MODEL_REFUSED
    assert call.engine.state.session.last_failure == error.code


def test_an_error_that_is_not_about_the_set_up_does_not_end_it() -> None:
    call = asking()
    assert call.sees(ModelError("response_cancel_not_active")) == []
    call.sees(ULAW)
    assert call.engine.state.session.ready


@pytest.mark.parametrize("code", [3000, 4000])
def test_a_leg_closed_for_a_bad_key_or_model_is_not_dialled_again(code: int) -> None:
    call = asking()
    assert call.sees(ModelLegLost(1, code)) == [EndCall(EndReason.MODEL_REFUSED)]


def test_failed_dials_are_repeated_with_growing_pauses() -> None:
    call = Script()
    call.sees(Born())
    pauses = []
    for leg_number in range(1, 6):
        (again,) = call.sees(ModelConnectFailed(leg_number, "refused"))
        assert isinstance(again, ConnectModel)
        assert again.leg_number == leg_number + 1
        pauses.append(again.after_ms)
    assert pauses == [250, 500, 1000, 2000, 2000]


def test_a_server_that_names_its_pause_is_obeyed() -> None:
    call = Script()
    call.sees(Born())
    again = call.sees(ModelConnectFailed(1, "http_429", retry_after_ms=1700))
    assert again == [ConnectModel(2, Dialect.GA, 1700)]


def test_a_bad_key_ends_the_set_up_at_once() -> None:
    call = Script()
    call.sees(Born())
    assert call.sees(ModelConnectFailed(1, "http_401", fatal=True)) == [EndCall(EndReason.MODEL_REFUSED)]


def test_a_leg_lost_before_it_was_configured_is_dialled_again() -> None:
    call = asking()
    assert call.sees(ModelLegLost(1, 1011)) == [ConnectModel(2, None, 250)]


def test_a_server_in_trouble_is_left_and_dialled_again() -> None:
    call = asking()
    assert call.sees(ModelError("server_error")) == [CloseModel(1), ConnectModel(2, None, 250)]


def test_what_an_older_leg_still_says_is_counted_and_dropped() -> None:
    call = asking()
    call.sees(ModelLegLost(1, 1006))
    old = [
        ModelSaid(1, ULAW),
        ModelSaid(1, delta(20)),
        ModelConnected(1, Dialect.FLAT),
        ModelConnectFailed(1, "x"),
    ]
    assert call.sees(*old) == []
    assert call.engine.state.stale_events == 4
    assert not call.engine.state.session.ready


def test_unknown_words_during_the_set_up_are_counted() -> None:
    call = asking()
    assert call.sees(UnknownModelEvent("session.hello")) == []
    assert call.engine.state.unknown_events == 1


def test_the_warm_attempt_is_closed_after_ten_seconds_with_nobody_on_the_line() -> None:
    call = Script()
    call.sees(Born())
    assert call.until(9_999) == []
    assert call.until(10_000) == [CloseModel(1)]
    assert call.engine.state.session.phase is Phase.EXPIRED


def test_redials_do_not_move_the_warm_deadline() -> None:
    call = Script()
    call.sees(Born())
    call.at(6_000).sees(ModelConnectFailed(1, "refused"))
    call.at(9_500).sees(ModelConnectFailed(2, "refused"))
    assert call.until(10_000) == [CloseModel(3)]


def test_a_stream_that_joins_after_the_warm_time_finds_one_cold_attempt_of_five_seconds() -> None:
    call = Script()
    call.sees(Born())
    call.until(12_000)
    assert call.sees(StreamJoined()) == [ConnectModel(2, Dialect.GA)]
    call.sees(STARTED)
    assert call.until(16_999) == []
    assert call.until(17_000) == [CloseModel(2), EndCall(EndReason.MODEL_UNREACHABLE)]


def test_a_late_word_of_the_expired_leg_changes_nothing() -> None:
    call = Script()
    call.sees(Born())
    call.until(10_000)
    assert call.sees(ModelConnected(1, Dialect.GA), ULAW) == []
    assert call.engine.state.stale_events == 2


def test_a_stream_that_joins_early_gives_the_attempt_in_flight_four_seconds_more() -> None:
    call = Script()
    call.sees(Born())
    call.at(8_000).sees(StreamJoined())
    assert call.until(11_999) == []
    assert call.until(12_000) == [CloseModel(1), ConnectModel(2, Dialect.GA)]
    assert call.engine.state.session.phase is Phase.COLD
    call.sees(ModelConnected(2, Dialect.GA), ULAW)
    assert call.engine.state.session.ready


def test_there_is_one_cold_attempt_and_then_the_fallback() -> None:
    call = Script()
    call.sees(Born(), StreamJoined(), STARTED)
    call.until(4_000)
    assert call.until(8_999) == []
    assert call.until(9_000) == [CloseModel(2), EndCall(EndReason.MODEL_UNREACHABLE)]


def test_a_second_join_does_not_give_more_time() -> None:
    call = Script()
    call.sees(Born(), StreamJoined())
    call.at(3_000).sees(StreamJoined())
    assert call.until(4_000) == [CloseModel(1), ConnectModel(2, Dialect.GA)]


def test_a_stream_that_never_joins_ends_the_call() -> None:
    call = Script()
    call.configured()
    assert call.until(59_999) == []
    assert call.until(60_000) == [EndCall(EndReason.NEVER_JOINED)]


def test_a_stream_that_never_starts_ends_the_call() -> None:
    call = Script()
    call.configured()
    call.at(1_000).sees(StreamJoined())
    assert call.until(11_000) == [EndCall(EndReason.START_TIMEOUT)]


def test_the_session_lost_in_mid_call_ends_the_call() -> None:
    call = Script().live()
    assert call.sees(ModelLegLost(1, 1011)) == [EndCall(EndReason.MODEL_LOST)]


def test_a_dial_that_fails_late_does_not_disturb_a_configured_session() -> None:
    call = Script().live()
    assert call.sees(ModelConnectFailed(1, "refused")) == []
